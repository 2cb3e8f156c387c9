// Tables that claim others' sockets, or outdated ones: none of their labels is used.
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { type ContextWatch, watchContexts } from "../support/contexts.ts";
import { linesOf } from "../support/http.ts";
import { size } from "../support/long.ts";
import { Netns, needsRoot } from "../support/netns.ts";

interface Said {
  readonly own: readonly string[];
  /** The local and the peer's port of the connection's end that was named. */
  readonly ports: readonly [number, number];
}

const forge = join(import.meta.dirname, "../loss/forge.py");
const FORGED = size(3000, 100_000);

describe("a table's labels", () => {
  before(function () {
    needsRoot(this);
  });

  /** Those of the connection that the program names, at both ends, and those that it had a right to. */
  async function labels(
    command: readonly string[],
    look: (w: ContextWatch, found: readonly string[], own: readonly string[]) => Promise<void> | void,
  ): Promise<void> {
    await using netns = await Netns.create();
    await using w = await watchContexts([], {
      "filter.include.netns": String(statSync(netns.path).ino),
    });
    const [said] = await linesOf(netns, command);
    const { own, ports } = JSON.parse(said!) as Said;
    const found = w.contexts().flatMap(({ traceparent, localPort, peerPort }) => {
      const isOfIt = ports.includes(localPort) && ports.includes(peerPort);
      return isOfIt && traceparent ? [traceparent] : [];
    });
    await w.seen.collect();
    await look(w, found, own);
  }

  it(`are not accepted from another process, however often it announces them: ${FORGED} times`, () =>
    labels(["python3", "-B", forge, "flood", String(FORGED)], (w, found) => {
      assert.deepEqual(found, []);
      const { announced, refusedAnnouncements } = w.seen.engine.correlation!.counts;
      // A refusal is valid for a while: what comes meanwhile is not checked.
      assert.ok(announced >= 1, `${announced} announced`);
      assert.ok(refusedAnnouncements >= 1, `${refusedAnnouncements} refused`);
    }));

  it("end when the process becomes another program, which has the same bytes at the same address", () =>
    labels(["python3", "-B", forge, "exec"], (_, found, own) => {
      assert.equal(own.length, 10);
      assert.deepEqual(found, own);
    }));

  it("end with the process, also for the one that has its pid next", () =>
    labels(
      ["unshare", "--pid", "--fork", "--mount-proc", "python3", "-B", forge, "reuse"],
      (_, found, own) => {
        assert.equal(own.length, 10);
        assert.deepEqual(found, own);
      },
    ));
});
