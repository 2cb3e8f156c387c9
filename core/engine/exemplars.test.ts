import assert from "node:assert/strict";
import { LargestValues } from "./exemplars.ts";

const clock = { wall: (bootNs: number) => ({ sec: bootNs / 1e9, nsec: 0 }) };
const spanOf = (id: number) => ({ traceId: new Uint8Array(16).fill(id), spanId: new Uint8Array(8).fill(id) });

describe("exemplars", () => {
  it("are the largest value of each row since the last collection; the last of equal ones", () => {
    const values = new LargestValues(clock, 0);
    const offer = (row: string, ns: number, id: number) =>
      values.row(7, row).offer("duration", ns, 1e9, spanOf(id));
    offer("a", 5e8, 1);
    offer("a", 7e8, 2);
    offer("a", 7e8, 3);
    offer("a", 6e8, 4);
    offer("b", 1e8, 5);
    const time = { sec: 1, nsec: 0 };
    assert.deepEqual(values.row(7, "a").of("duration"), { value: 0.7, time, ...spanOf(3) });
    assert.deepEqual(values.row(7, "b").of("duration"), { value: 0.1, time, ...spanOf(5) });
    assert.equal(values.row(7, "a").of("rtt"), undefined);
    assert.equal(values.row(8, "a").of("duration"), undefined);
    assert.equal(values.row(7).of("duration"), undefined);
    values.next(2e9);
    assert.equal(values.row(7, "a").of("duration"), undefined);
  });

  it("do not include values from before the last collection", () => {
    const values = new LargestValues(clock, 3e9);
    const row = values.row("a");
    row.offer("duration", 5, 3e9 - 1, spanOf(1));
    assert.equal(row.of("duration"), undefined);
    row.offer("duration", 4, 3e9, spanOf(2));
    assert.equal(row.of("duration")?.value, 4e-9);
  });

  it("copy the ids, which are valid only during the call", () => {
    const values = new LargestValues(clock, 0);
    const span = spanOf(1);
    values.row("a").offer("duration", 5, 1e9, span);
    span.traceId.fill(9);
    span.spanId.fill(9);
    const { traceId, spanId } = values.row("a").of("duration")!;
    assert.deepEqual({ traceId, spanId }, spanOf(1));
  });

  it("are kept for at most 4096 rows", () => {
    const values = new LargestValues(clock, 0);
    for (let i = 0; i < 5000; i++) values.row(i).offer("duration", 1, 1e9, spanOf(1));
    assert.ok(values.row(4095).of("duration"));
    assert.equal(values.row(4096).of("duration"), undefined);
    values.row(7).offer("duration", 2, 1e9, spanOf(1));
    assert.equal(values.row(7).of("duration")?.value, 2e-9);
    values.next(2e9);
    values.row(4096).offer("duration", 1, 3e9, spanOf(1));
    assert.ok(values.row(4096).of("duration"));
  });
});
