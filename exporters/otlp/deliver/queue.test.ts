import assert from "node:assert/strict";
import type { Signal } from "../../config.ts";
import { type Packable, Queue } from "./queue.ts";

type Loss = readonly [signal: Signal, count: number, cause: string];

/** A queue with room for `items` items of 100 bytes, and what it reports. */
function rig(items = 1000) {
  const lost: Loss[] = [];
  const queue = new Queue<string>(items * 612, {
    lost: (signal, count, cause) => lost.push([signal, count, cause]),
  });
  return { queue, lost };
}

const batch = (name: string, signal: Signal = "traces", count = 1): Packable<string> => ({
  signal,
  count,
  bytes: 100,
  pack: () => ({ payload: name, size: 100 }),
  packNow: () => ({ payload: `${name}, at once`, size: 100 }),
});

describe("queue of a backend", () => {
  it("hands each signal's batches out in order, each until it is done", async () => {
    const { queue } = rig();
    for (const name of ["a", "b"]) queue.add(batch(name));
    queue.add(batch("m", "metrics"));
    const first = await queue.next("traces");
    assert.equal(first?.payload, "a");
    queue.putBack(first);
    assert.equal((await queue.next("traces"))?.payload, "a");
    queue.done(first);
    const second = await queue.next("traces");
    assert.equal(second?.payload, "b");
    queue.done(second);
    assert.equal((await queue.next("metrics"))?.payload, "m");
  });

  it("waits for a batch, and for its payload", async () => {
    const { queue } = rig();
    const next = queue.next("traces");
    const packing = Promise.withResolvers<{ payload: string; size: number }>();
    queue.add({ ...batch("a"), pack: () => packing.promise });
    assert.equal(await Promise.race([next, "nothing yet"]), "nothing yet");
    packing.resolve({ payload: "a", size: 40 });
    assert.equal((await next)?.payload, "a");
    assert.equal(queue.bytes, 552);
  });

  it("packs a few batches at once, and never one that it has dropped", async () => {
    const { queue, lost } = rig(4);
    const packed: string[] = [];
    const first = Promise.withResolvers<void>();
    for (const name of ["a", "b", "c", "d", "e", "f", "g", "h"]) {
      const pack = async () => {
        packed.push(name);
        await first.promise;
        return { payload: name, size: 100 };
      };
      queue.add({ ...batch(name), pack });
    }
    assert.deepEqual(packed, ["a", "b", "c"]);
    assert.deepEqual(
      lost,
      Array.from({ length: 4 }, () => ["traces", 1, "queue_full"]),
    );
    first.resolve();
    assert.equal((await queue.next("traces"))?.payload, "e");
    await new Promise(setImmediate);
    assert.deepEqual(packed.slice(3), ["e", "f", "g", "h"]);
  });

  it("packs at once, the oldest first, when too many wait for that", async () => {
    const { queue } = rig();
    const never = new Promise<never>(() => {});
    for (let i = 0; i < 14; i++) queue.add({ ...batch(String(i)), pack: () => never });
    // Three are being packed by other threads, and eight may wait.
    assert.equal(queue.count("traces"), 14);
    const { bytes } = queue;
    const pack = Promise.withResolvers<{ payload: string; size: number }>();
    queue.add({ ...batch("m", "metrics"), pack: () => pack.promise, bytes: 5000 });
    assert.equal(queue.bytes, bytes + 5512, "the oldest one, which is not larger than before");
    for (let i = 0; i < 9; i++) queue.add({ ...batch(String(i)), pack: () => never });
    assert.equal((await queue.next("metrics"))?.payload, "m, at once");
  });

  it("drops the oldest of all signals to make room, but nothing in flight", async () => {
    const { queue, lost } = rig(3);
    queue.add(batch("a", "traces", 5));
    const sending = await queue.next("traces");
    queue.add(batch("b", "logs", 6));
    queue.add(batch("c", "traces", 7));
    queue.add(batch("d", "traces", 8));
    assert.deepEqual(lost, [["logs", 6, "queue_full"]]);
    assert.equal(queue.count("traces"), 20);
    queue.done(sending!);
    assert.equal((await queue.next("traces"))?.payload, "c");
    queue.add({ ...batch("e"), bytes: 10_000 });
    assert.deepEqual(lost.slice(1), [
      ["traces", 8, "queue_full"],
      ["traces", 1, "queue_full"],
    ]);
  });

  it("puts the parts of a batch in its place", async () => {
    const { queue } = rig();
    for (const name of ["ab", "c"]) queue.add(batch(name));
    const whole = await queue.next("traces");
    queue.replace(
      whole!,
      ["a", "b"].map((payload) => ({ payload, count: 1, size: 50, plainSize: 50 })),
    );
    const order: (string | undefined)[] = [];
    for (let i = 0; i < 3; i++) {
      const item = await queue.next("traces");
      order.push(item?.payload);
      queue.done(item!);
    }
    assert.deepEqual(order, ["a", "b", "c"]);
    assert.equal(queue.bytes, 0);
  });

  it("releases each payload once: when it is done, dropped, replaced, too late or left at the end", async () => {
    const { queue } = rig(4);
    const released: string[] = [];
    const late = Promise.withResolvers<void>();
    const packable = (name: string, until?: Promise<void>): Packable<string> => ({
      ...batch(name),
      pack: async () => {
        await until;
        return { payload: name, size: 100, release: () => released.push(name) };
      },
    });
    for (const name of ["done", "replaced", "dropped", "left"]) queue.add(packable(name));
    for (const part of [false, true]) {
      const item = await queue.next("traces");
      if (part) queue.replace(item!, [{ payload: "part", count: 1, size: 100, plainSize: 100 }]);
      else queue.done(item!);
    }
    assert.deepEqual(released, ["done", "replaced"]);
    const part = await queue.next("traces");
    queue.done(part!);
    assert.equal((await queue.next("traces"))?.payload, "dropped");
    queue.putBack((await queue.next("traces"))!);
    for (const name of ["a", "b"]) queue.add(packable(name));
    await new Promise(setImmediate);
    queue.add(packable("late", late.promise));
    assert.deepEqual(released.slice(2), ["dropped"]);
    queue.close();
    late.resolve();
    await new Promise(setImmediate);
    assert.deepEqual(released.slice(3), ["left", "a", "b", "late"]);
  });

  it("loses a batch that cannot be packed, and continues", async () => {
    const { queue, lost } = rig();
    const pack = () => {
      throw new Error("no such number");
    };
    queue.add({ ...batch("a"), pack });
    queue.add(batch("b"));
    assert.equal((await queue.next("traces"))?.payload, "b");
    assert.deepEqual(lost, [["traces", 1, "encode"]]);
  });

  it("is settled when nothing is left of what waited at the time, or after the timeout", async () => {
    const { queue } = rig();
    queue.add(batch("a"));
    const a = await queue.next("traces");
    const settled = queue.settled(60_000);
    queue.add(batch("b"));
    queue.done(a!);
    await settled;
    await queue.settled(1);
    assert.equal(queue.count("traces"), 1);
  });

  it("loses what is left when it is closed, and what comes after", async () => {
    const { queue, lost } = rig();
    const waiting = queue.next("logs");
    for (const name of ["a", "b"]) queue.add(batch(name, "traces", 2));
    const sending = await queue.next("traces");
    queue.close();
    queue.add(batch("c"));
    queue.done(sending!);
    assert.equal(await waiting, undefined);
    assert.equal(await queue.next("traces"), undefined);
    assert.equal(queue.bytes, 0);
    assert.deepEqual(lost, [
      ["traces", 4, "shutdown_timeout"],
      ["traces", 1, "shutdown_timeout"],
    ]);
  });
});
