import assert from "node:assert/strict";
import type { Queue } from "./netqtop.skel.ts";
import { Queues } from "./queues.ts";

function queue(ifindex: number, frames: number, rest: Partial<Queue> = {}): Queue {
  return {
    tag: ifindex,
    frames,
    morePackets: 0,
    bytes: frames * 100,
    ignored: 0,
    classes: Float64Array.of(0, frames, 0, 0, 0, 0),
    zeros: 0,
    sizes: new Float64Array(128),
    netnsCookie: 1,
    name: `eth${ifindex}`,
    ifindex,
    netns: 4026531840,
    queue: 0,
    way: "transmit",
    kind: "",
    handsOn: 0,
    ...rest,
  };
}

const rows = (...queues: Queue[]) => queues.map((q, cpu) => [{ value: 0 }, q, cpu] as const);

describe("netqtop's queues", () => {
  it("are summed over CPUs, together with evicted rows", () => {
    const queues = new Queues();
    queues.take(queue(2, 5));
    const [sums, ...more] = queues.sums(rows(queue(2, 10, { morePackets: 90 }), queue(2, 1), queue(3, 0)));
    assert.deepEqual(more, []);
    assert.equal(sums!.count, 16);
    assert.equal(sums!.packets, 106);
    assert.equal(sums!.sum, 1600);
    assert.equal(sums!.classes[1], 16);
  });

  it("are unchanged when they are read again", () => {
    const queues = new Queues();
    queues.take(queue(2, 5));
    const first = [...queues.sums(rows(queue(2, 10)))][0]!;
    const second = [...queues.sums(rows(queue(2, 10)))][0]!;
    assert.equal(first.count, 15);
    assert.equal(second.count, 15);
    assert.equal(second.classes[1], 15);
  });

  it("of interfaces that are not selected are left out", () => {
    const queues = new Queues();
    queues.take(queue(2, 5, { ignored: 1 }));
    assert.deepEqual([...queues.sums(rows(queue(3, 5, { ignored: 1 })))], []);
  });

  it("do not decrease while a row is in transit from a table to the agent", () => {
    const queues = new Queues();
    const count = (...found: Queue[]) => [...queues.sums(rows(...found))].map((sums) => sums.count);
    assert.deepEqual(count(queue(2, 10)), [10]);
    assert.deepEqual(count(), [10]);
    assert.deepEqual(count(queue(2, 1)), [10]);
    queues.take(queue(2, 10));
    assert.deepEqual(count(queue(2, 1)), [11]);
  });

  it("are not mistaken for another queue whose row they took over while it was read", () => {
    const queues = new Queues();
    assert.deepEqual([...queues.sums(rows(queue(2, 1000, { tag: 3 })))], []);
  });

  it("without a row are summed separately", () => {
    const queues = new Queues();
    const none = queue(0, 7, { tag: 0, morePackets: 3 });
    assert.equal([...queues.sums(rows(queue(2, 1), none, none))].length, 1);
    assert.deepEqual(queues.rest, { frames: 14, packets: 20, bytes: 1400 });
  });

  it("are not reported after five minutes without traffic, and are complete when they return", () => {
    const queues = new Queues();
    const minute = 60_000;
    const counts = (minutes: number, ...found: Queue[]) =>
      [...queues.sums(rows(...found), minutes * minute)].map(({ ifindex, count }) => [ifindex, count]);
    assert.deepEqual(counts(0, queue(2, 5), queue(3, 7)).length, 2);
    assert.deepEqual(counts(4, queue(2, 5), queue(3, 8)).length, 2);
    assert.deepEqual(counts(5, queue(2, 5), queue(3, 8)), [[3, 8]]);
    assert.deepEqual(counts(6, queue(2, 6), queue(3, 8)), [
      [2, 6],
      [3, 8],
    ]);
  });

  it("are remembered up to a limit, newest first", () => {
    const queues = new Queues(2);
    for (const ifindex of [1, 2, 3]) queues.take(queue(ifindex, 1));
    assert.deepEqual(
      [...queues.sums([])].map((sums) => sums.ifindex),
      [2, 3],
    );
  });
});
