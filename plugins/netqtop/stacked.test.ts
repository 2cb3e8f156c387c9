import assert from "node:assert/strict";
import type { FoundLinks } from "../../core/plugin/services.ts";
import type { Link } from "../../native/index.ts";
import { Stacked } from "./stacked.ts";

const link = (index: number, packets: number, rest: Partial<Link> = {}): Link => ({
  ...{ index, name: `up${index}`, kind: "macvlan", packets, bytes: packets * 100 },
  ...rest,
});

/** One namespace whose interfaces a test changes; how often they were read. */
class Host {
  links: readonly Link[] = [];
  cookie = 7;
  refused: NodeJS.ErrnoException | undefined;
  asked = 0;

  read(): FoundLinks {
    this.asked++;
    const namespaces = this.refused ? [] : [{ netns: 4026531840, cookie: this.cookie, links: this.links }];
    return { namespaces, refused: this.refused };
  }
}

const everything = () => true;

function received(stacked: Stacked, expected = true): string {
  return [...stacked.received(expected)]
    .map(({ interface: name, frames, bytes }) => `${name}: ${frames}, ${bytes}`)
    .join("; ");
}

describe("interfaces on top of others", () => {
  it("count from the start on, or from their creation if that is later", () => {
    const host = new Host();
    host.links = [link(2, 50), link(3, 60, { kind: "veth" })];
    const stacked = new Stacked(() => host.read(), everything, assert.fail);
    host.links = [link(2, 53), link(3, 70, { kind: "veth" }), link(4, 8)];
    assert.equal(received(stacked), "up2: 3, 300; up4: 8, 800");
    host.links = [link(2, 54)];
    assert.equal(received(stacked), "up2: 4, 400; up4: 8, 800");
  });

  it("continue under a new name, and are distinct in a namespace that reuses an inode", () => {
    const host = new Host();
    const stacked = new Stacked(() => host.read(), everything, assert.fail);
    host.links = [link(2, 5)];
    assert.equal(received(stacked), "up2: 5, 500");
    host.links = [link(2, 6, { name: "other" })];
    assert.equal(received(stacked), "up2: 5, 500; other: 1, 100");
    host.cookie = 8;
    host.links = [link(2, 9)];
    assert.equal(received(stacked), "up2: 5, 500; other: 1, 100; up2: 9, 900");
  });

  it("are excluded by name", () => {
    const host = new Host();
    const stacked = new Stacked(
      () => host.read(),
      (name) => name === "up4",
      assert.fail,
    );
    host.links = [link(2, 5), link(4, 6)];
    assert.equal(received(stacked), "up4: 6, 600");
  });

  it("are read only if there are such interfaces, or may be", () => {
    const host = new Host();
    const stacked = new Stacked(() => host.read(), everything, assert.fail);
    assert.equal(received(stacked, false), "");
    assert.equal(host.asked, 1);
    host.links = [link(2, 5)];
    assert.equal(received(stacked, true), "up2: 5, 500");
    assert.equal(received(stacked, false), "up2: 5, 500");
    assert.equal(host.asked, 3);
  });

  it("lose nothing while they cannot be read, which is logged", () => {
    const host = new Host();
    const said: unknown[] = [];
    host.links = [link(2, 5)];
    const stacked = new Stacked(
      () => host.read(),
      everything,
      ({ code }) => said.push(code),
    );
    host.refused = Object.assign(new Error(), { code: "EPERM" });
    assert.equal(received(stacked), "up2: 0, 0");
    host.refused = undefined;
    host.links = [link(2, 9)];
    assert.equal(received(stacked), "up2: 4, 400");
    assert.deepEqual(said, ["EPERM"]);
  });

  it("are remembered up to a limit, newest first", () => {
    const host = new Host();
    const stacked = new Stacked(() => host.read(), everything, assert.fail, 2);
    host.links = [link(2, 1), link(3, 1), link(4, 1)];
    assert.equal(received(stacked), "up3: 1, 100; up4: 1, 100");
  });
});
