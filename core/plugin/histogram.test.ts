import assert from "node:assert/strict";
import { seconds } from "./histogram.ts";

/** As in the kernel, with these buckets filled. */
function kernel(filled: Readonly<Record<number, number>>, zeros = 0) {
  const buckets = new Float64Array(384);
  for (const [index, count] of Object.entries(filled)) buckets[Number(index)] = count;
  const count = buckets.reduce((a, b) => a + b, zeros);
  return { count, sumNs: 2_500_000_000, maxNs: 1_500_000_000, zeros, buckets };
}

describe("a histogram from the kernel", () => {
  it("is exported in seconds, at scale 3, from its first to its last filled bucket", () => {
    const h = seconds(kernel({ 190: 1, 192: 2 }, 4));
    assert.deepEqual(
      { ...h, counts: [...(h.counts as Float64Array)] },
      {
        count: 7,
        sum: 2.5,
        max: 1.5,
        scale: 3,
        zeroCount: 4,
        zeroThreshold: 2 ** -24,
        offset: -2,
        counts: [1, 0, 2],
      },
    );
  });

  it("has bucket 0 above one second, as in OpenTelemetry", () => {
    // (2^0, 2^(1/8)] is the bucket of index 0; the kernel's buckets begin at 2^-24 s.
    assert.equal(seconds(kernel({ 192: 1 })).offset, 0);
    assert.equal(seconds(kernel({ 0: 1 })).offset, -24 * 8);
    assert.equal(seconds(kernel({ 383: 1 })).offset, 24 * 8 - 1);
  });

  it("has no buckets while all values are zero", () => {
    const none = seconds(kernel({}));
    assert.deepEqual([none.count, none.counts.length, none.zeroCount], [0, 0, 0]);
    const zeros = seconds(kernel({}, 3));
    assert.deepEqual([zeros.count, zeros.counts.length, zeros.zeroCount], [3, 0, 3]);
  });

  it("keeps a single bucket and a full range", () => {
    assert.deepEqual([...(seconds(kernel({ 7: 9 })).counts as Float64Array)], [9]);
    const all = Object.fromEntries(Array.from({ length: 384 }, (_, i) => [i, i + 1]));
    assert.deepEqual([...(seconds(kernel(all)).counts as Float64Array)], Object.values(all));
  });
});
