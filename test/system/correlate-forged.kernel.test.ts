// Tables that claim other processes' sockets, or outdated tables: none of their labels is used.
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { type ContextWatch, watchContexts } from "../support/contexts.ts";
import { linesOf } from "../support/http.ts";
import { size } from "../support/long.ts";
import { Netns, needsRoot } from "../support/netns.ts";

interface Said {
  readonly own: readonly string[];
  /** The local and the peer's port of the named end of the connection. */
  readonly ports: readonly [number, number];
}

const forge = join(import.meta.dirname, "../loss/forge.py");
const FORGED = size(3000, 100_000);

describe("a table's labels", () => {
  before(function () {
    needsRoot(this);
  });

  /** The labels at both ends of the connection that the program names, and those that are legitimate. */
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
      // A rejection is remembered for a while, during which announcements are not checked.
      assert.ok(announced >= 1, `${announced} announced`);
      assert.ok(refusedAnnouncements >= 1, `${refusedAnnouncements} refused`);
    }));

  it("end when the process executes another program, which has the same bytes at the same address", () =>
    labels(["python3", "-B", forge, "exec"], (_, found, own) => {
      assert.equal(own.length, 10);
      assert.deepEqual(found, own);
    }));

  it("end with the process, also for the next process with its pid", () =>
    labels(
      ["unshare", "--pid", "--fork", "--mount-proc", "python3", "-B", forge, "reuse"],
      (_, found, own) => {
        assert.equal(own.length, 10);
        assert.deepEqual(found, own);
      },
    ));
});
