import assert from "node:assert/strict";
import { LargestValues } from "./exemplars.ts";

const clock = { wall: (bootNs: number) => ({ sec: bootNs / 1e9, nsec: 0 }) };
const spanOf = (id: number) => ({ traceId: new Uint8Array(16).fill(id), spanId: new Uint8Array(8).fill(id) });

describe("exemplars", () => {
  it("are each row's largest value since the last collection; of equal ones the last", () => {
    const values = new LargestValues(clock, 0);
    const offer = (row: string, ns: number, id: number) =>
      values.offer("duration", row, { ns, atNs: 1e9, span: spanOf(id) });
    offer("a", 5e8, 1);
    offer("a", 7e8, 2);
    offer("a", 7e8, 3);
    offer("a", 6e8, 4);
    offer("b", 1e8, 5);
    const time = { sec: 1, nsec: 0 };
    assert.deepEqual(values.of("duration", "a"), { value: 0.7, time, ...spanOf(3) });
    assert.deepEqual(values.of("duration", "b"), { value: 0.1, time, ...spanOf(5) });
    assert.equal(values.of("rtt", "a"), undefined);
    values.next(2e9);
    assert.equal(values.of("duration", "a"), undefined);
  });

  it("are none of what was counted before the last collection", () => {
    const values = new LargestValues(clock, 3e9);
    values.offer("duration", "a", { ns: 5, atNs: 3e9 - 1, span: spanOf(1) });
    assert.equal(values.of("duration", "a"), undefined);
    values.offer("duration", "a", { ns: 4, atNs: 3e9, span: spanOf(2) });
    assert.equal(values.of("duration", "a")?.value, 4e-9);
  });

  it("have ids of their own: those of a record are valid during the call only", () => {
    const values = new LargestValues(clock, 0);
    const span = spanOf(1);
    values.offer("duration", "a", { ns: 5, atNs: 1e9, span });
    span.traceId.fill(9);
    span.spanId.fill(9);
    const { traceId, spanId } = values.of("duration", "a")!;
    assert.deepEqual({ traceId, spanId }, spanOf(1));
  });

  it("are kept of 4096 rows at most", () => {
    const values = new LargestValues(clock, 0);
    for (let i = 0; i < 5000; i++) values.offer("duration", String(i), { ns: 1, atNs: 1e9, span: spanOf(1) });
    assert.ok(values.of("duration", "4095"));
    assert.equal(values.of("duration", "4096"), undefined);
    values.offer("duration", "7", { ns: 2, atNs: 1e9, span: spanOf(1) });
    assert.equal(values.of("duration", "7")?.value, 2e-9);
  });
});
