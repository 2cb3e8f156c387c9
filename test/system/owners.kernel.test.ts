// Filters on the owners of connections, other than by name: maps that other programs pin, and cgroups that a reload adds.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cgroup } from "../support/cgroup.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { type Watch, watch } from "../support/engine.ts";
import { end, Netns, needsRoot, output } from "../support/netns.ts";
import { build, one, run, start } from "../support/workload.ts";

/** A BPF file system of our own. */
class Pins implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "wirespan-pins-"));

  static async mount(): Promise<Pins> {
    const pins = new Pins();
    await output("mount", ["-t", "bpf", "bpf", pins.#folder]);
    return pins;
  }

  /** The path of a hash with these keys, which is created if it does not exist. */
  async put(name: string, keyBytes: number, valueBytes: number, ...keys: readonly bigint[]): Promise<string> {
    const path = join(this.#folder, name);
    const script = join(import.meta.dirname, "../bpf/pinned.py");
    await output("python3", [script, path, String(keyBytes), String(valueBytes), ...keys.map(String)]);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await output("umount", [this.#folder]);
    rmdirSync(this.#folder);
  }
}

/** The ports of the attempts that were reported, once there is one to `last`. */
async function ports(watched: Watch, last: number): Promise<readonly unknown[]> {
  const all = () =>
    watched.spans.filter(({ name }) => name === "tcp connect").map((s) => s.attributes["network.peer.port"]);
  await watched.until(`attempt to port ${last}`, () => all().includes(last));
  return all();
}

describe("filters on owners", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  for (const level of ["", "plugins.tcpconnect."]) {
    it(`match the cgroups in a map that other programs fill at any time: ${level}filter.cgroupMap`, async function () {
      await using netns = await Netns.create();
      await using pins = await Pins.mount();
      await using top = Cgroup.create(this);
      await using mine = top.child("mine");
      const path = await pins.put("cgroups", 8, 8);
      const only = { "filter.include.netns": String(inodeOf(netns)), [`${level}filter.cgroupMap`]: path };
      await using watched = await watch(["tcpconnect"], only);
      const attempt = (port: number, cgroup: Cgroup) => run(netns, "attempt", { port, cgroup });
      await attempt(7301, mine);
      await pins.put("cgroups", 8, 8, mine.id);
      await attempt(7302, mine);
      // Not those below or above: a map lists each cgroup individually.
      await attempt(7303, top);
      await attempt(7304, mine);
      assert.deepEqual(await ports(watched, 7304), [7302, 7304]);
    });
  }

  it("match processes that accept as well as those that connect", async function () {
    await using netns = await Netns.create();
    await using pins = await Pins.mount();
    await using top = Cgroup.create(this);
    await using mine = top.child("mine");
    const path = await pins.put("cgroups", 8, 8, mine.id);
    const only = { "filter.include.netns": String(inodeOf(netns)), "filter.cgroupMap": path };
    await using watched = await watch(["tcptracer"], only);
    await run(netns, "clientCloses", { port: 7401, cgroup: top });
    await run(netns, "clientCloses", { port: 7402, cgroup: mine });
    await watched.until("four spans", () => watched.spans.length >= 4);
    const reported = watched.spans.map(({ name, attributes: a }) => {
      const inbound = a["wirespan.connection.direction"] === "inbound";
      return `${name} ${a[inbound ? "network.local.port" : "network.peer.port"]}`;
    });
    assert.deepEqual(reported.toSorted(), [
      ...["tcp accept 7402", "tcp connect 7402", "tcp connection 7402", "tcp connection 7402"],
    ]);
  });

  it("match the mount namespaces in such a map", async () => {
    await using netns = await Netns.create();
    await using pins = await Pins.mount();
    const holder = netns.spawn("unshare", ["--mount", "sh", "-c", "echo; exec sleep 600"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(holder.stdout!, "data");
    await using _ = { [Symbol.asyncDispose]: () => end(holder) };
    const inode = statSync(`/proc/${holder.pid}/ns/mnt`, { bigint: true }).ino;
    const path = await pins.put("mounts", 8, 4, inode);
    const only = {
      "filter.include.netns": String(inodeOf(netns)),
      "plugins.tcpconnect.filter.mntnsMap": path,
    };
    await using watched = await watch(["tcpconnect"], only);
    await run(netns, "attempt", { port: 7301 });
    const load = join(import.meta.dirname, "../workload/build/load");
    await netns.run("nsenter", `--mount=/proc/${holder.pid}/ns/mnt`, "--", load, "attempt", "port=7302");
    assert.deepEqual(await ports(watched, 7302), [7302]);
  });

  it("report what is wrong with a map", async () => {
    await using pins = await Pins.mount();
    const four = await pins.put("four", 4, 4);
    for (const [path, message] of [
      [four, /tcpconnect: filter: the map at .*four: its keys have 4 bytes, not 8/],
      [`${four}-not`, /the map at .*four-not: nothing is pinned there/],
    ] as const) {
      const settings = { "plugins.tcpconnect.filter.cgroupMap": path };
      await assert.rejects(watch(["tcpconnect"], settings), { code: "CONFIG_INVALID", message });
    }
  });

  it("match existing owners after a reload that adds their cgroup", async function () {
    await using netns = await Netns.create();
    await using top = Cgroup.create(this);
    await using outer = top.child("outer");
    await using inner = outer.child("inner");
    // More than there are slots: at the end `outer` has the first one's.
    const others = Array.from({ length: 16 }, (_, i) => top.child(`other${i}`));
    await using cleanup = new AsyncDisposableStack();
    for (const other of others) cleanup.use(other);
    const only = { "filter.include.netns": String(inodeOf(netns)) };
    await using watched = await watch(["tcplife"], only);
    await using outside = await start(netns, "held", { port: 7301, cgroup: others[0]! });
    await using held = await start(netns, "held", { port: 7302, cgroup: inner });
    await outside.until("opened");
    await held.until("opened");
    for (const cgroups of [others.slice(0, 8), others.slice(8), [outer]]) {
      const paths = cgroups.map(({ path }) => path).join(",");
      await watched.reload({ ...only, "plugins.tcplife.filter.include.cgroup": paths });
    }
    for (const running of [outside, held]) {
      running.goOn();
      one(await running.done(), "end", "client");
    }
    const reported = () =>
      watched.spans.map((s) => [s.attributes["network.peer.port"], s.attributes["network.local.port"]]);
    await watched.until("both ends", () => reported().length >= 2);
    assert.ok(reported().every((both) => both.includes(7302)));
  });
});
