import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { native, type Ring } from "./index.ts";
import { load, numbers, produce, range } from "./test/fixture.ts";

function drain(ring: Ring): number[] {
  const found: number[] = [];
  const records = ring.drain((words, _bytes, length) => found.push(...numbers(words, length)));
  assert.equal(records, found.length);
  return found;
}

describe("Ring", () => {
  it("delivers every record in order, each after its header", async () => {
    using object = await load(["produce"]);
    const ring = native.openRing(object.map("ring"));
    assert.equal(ring.capacity, 64 * 1024);
    assert.equal(produce(object, { first: 5, records: 2, size: 20 }), 0);
    assert.equal(ring.pending, 64);
    const batches: number[][] = [];
    ring.drain((words, bytes, length) => {
      assert.equal(words.buffer, bytes.buffer);
      batches.push([...words.subarray(0, length / 4)]);
    });
    assert.equal(batches.length, 1);
    const [batch] = batches as [number[]];
    assert.equal(batch.length, 16);
    assert.deepEqual([batch[0], batch[2], batch[3]], [20, 5, ~5 >>> 0]);
    assert.deepEqual([batch[8], batch[10], batch[11]], [20, 6, ~6 >>> 0]);
    assert.equal(ring.pending, 0);
    assert.deepEqual(drain(ring), []);
    ring.close();
  });

  it("drops discarded records and nothing else", async () => {
    using object = await load(["produce"]);
    const ring = native.openRing(object.map("ring"));
    produce(object, { first: 0, records: 1000, discard: 3 });
    assert.deepEqual(
      drain(ring),
      range(0, 1000).filter((n) => n % 3 !== 0),
    );
    produce(object, { first: 0, records: 50, discard: 1 });
    assert.deepEqual(drain(ring), []);
    assert.equal(ring.pending, 0);
    ring.close();
  });

  it("keeps records whole that cross the end of the ring", async () => {
    using object = await load(["produce"]);
    const ring = native.openRing(object.map("ring"));
    let next = 0;
    for (let round = 0; round < 300; round++) {
      const records = 1 + (round % 13);
      const size = [20, 24, 4000][round % 3]!;
      assert.equal(produce(object, { first: next, records, size }), 0);
      assert.deepEqual(drain(ring), range(next, records));
      next += records;
    }
    ring.close();
  });

  it("calls once for each full buffer when a burst is larger than it", async () => {
    using object = await load(["produce"]);
    const ring = native.openRing(object.map("ring"), 4096);
    produce(object, { first: 0, records: 1500 });
    const lengths: number[] = [];
    const found: number[] = [];
    ring.drain((words, bytes, length) => {
      assert.equal(bytes.length, 4096);
      lengths.push(length);
      found.push(...numbers(words, length));
    });
    assert.deepEqual(lengths, [...Array(11).fill(4096), 1500 * 32 - 11 * 4096]);
    assert.deepEqual(found, range(0, 1500));
    ring.close();
  });

  it("grows the buffer for a record larger than it", async () => {
    using object = await load(["produce"]);
    const ring = native.openRing(object.map("ring"), 64);
    produce(object, { first: 0, records: 3, size: 24 });
    produce(object, { first: 3, records: 3, size: 4000 });
    assert.deepEqual(drain(ring), range(0, 6));
    ring.close();
  });

  it("reports what a full ring refused as a gap, never as a broken record", async () => {
    using object = await load(["produce"]);
    const ring = native.openRing(object.map("ring"));
    const refused = produce(object, { first: 0, records: 3000 });
    assert.ok(refused > 900, `${refused} refused`);
    assert.deepEqual(drain(ring), range(0, 3000 - refused));
    ring.close();
  });

  it("loses and repeats nothing while a program on another thread keeps producing", async () => {
    using object = await load(["flood"]);
    const ring = native.openRing(object.map("ring"));
    const found: number[] = [];
    for (let round = 0; round < 10; round++) {
      let running = true;
      const done = object.iterate("flood").finally(() => {
        running = false;
      });
      while (running) {
        for (const number of drain(ring)) found.push(number);
        await setImmediate();
      }
      await done;
    }
    for (const number of drain(ring)) found.push(number);
    const bss = object.map(".bss");
    const values = new Uint8Array(bss.valueSize);
    bss.read(new Uint8Array(4), values);
    const [offered, refused] = new Uint32Array(values.buffer) as unknown as [number, number];
    assert.ok(offered > 50_000, `${offered} offered`);
    assert.equal(found.length, offered - refused);
    // More than fitted at the end of each round: both sides were active at the same time.
    assert.ok(found.length > 11 * (ring.capacity / 32), `${found.length} of ${offered} found`);
    for (let i = 1; i < found.length; i++) {
      if (found[i]! <= found[i - 1]!) assert.fail(`${found[i]} after ${found[i - 1]}`);
    }
    ring.close();
  });

  it("counts records as consumed when the callback throws, and continues after them", async () => {
    using object = await load(["produce"]);
    const ring = native.openRing(object.map("ring"), 320);
    produce(object, { first: 0, records: 30 });
    const found: number[] = [];
    const fail = () =>
      ring.drain((words, _bytes, length) => {
        found.push(...numbers(words, length));
        if (found.length === 20) throw new RangeError("second batch");
      });
    assert.throws(fail, RangeError);
    assert.deepEqual(found, range(0, 20));
    assert.equal(ring.pending, 320);
    assert.deepEqual(drain(ring), range(20, 10));
    ring.close();
  });

  it("refuses a nested drain, and can be closed by its own callback", async () => {
    using object = await load(["produce"]);
    const ring = native.openRing(object.map("ring"), 320);
    produce(object, { first: 0, records: 30 });
    let calls = 0;
    const records = ring.drain(() => {
      calls++;
      assert.throws(() => drain(ring), { code: "EBUSY", step: "drain" });
      ring.close();
    });
    assert.deepEqual([calls, records], [1, 10]);
  });

  it("continues with a new buffer when the callback transferred the old one", async () => {
    using object = await load(["produce"]);
    const ring = native.openRing(object.map("ring"), 320);
    produce(object, { first: 0, records: 20 });
    ring.drain((words) => structuredClone(words, { transfer: [words.buffer as ArrayBuffer] }));
    produce(object, { first: 20, records: 5 });
    assert.deepEqual(drain(ring), range(20, 5));
    ring.close();
  });

  it("outlives its object, so that the last records are not lost", async () => {
    const object = await load(["produce"]);
    const ring = native.openRing(object.map("ring"));
    produce(object, { first: 0, records: 10 });
    object.close();
    assert.deepEqual(drain(ring), range(0, 10));
    ring.close();
  });

  it("throws EBADF once closed, and EINVAL for a map that is not a ring buffer", async () => {
    using object = await load(["produce"]);
    const ring = native.openRing(object.map("ring"));
    ring.close();
    ring.close();
    assert.throws(() => ring.drain(() => {}), { code: "EBADF", step: "drain" });
    assert.throws(() => ring.pending, { code: "EBADF" });
    assert.throws(() => native.openRing(object.map("table")), { code: "EINVAL", step: "map ring" });
  });
});
