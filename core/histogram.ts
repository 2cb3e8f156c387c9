// struct histogram of bpf/histogram.h as OTLP's exponential histogram: the buckets are OTLP's already.
import type { ExponentialHistogram } from "./signals.ts";

/** As btfgen reads it. */
export interface KernelHistogram {
  readonly count: number;
  readonly sumNs: number;
  readonly maxNs: number;
  readonly zeros: number;
  readonly buckets: Float64Array;
}

/** The index of the first bucket: 2^-24 s (HISTOGRAM_LOWEST). */
const LOWEST = -192;

/** In seconds. */
export function seconds(h: KernelHistogram): ExponentialHistogram {
  const { buckets } = h;
  let first = 0;
  let end = buckets.length;
  while (first < end && buckets[first] === 0) first++;
  while (end > first && buckets[end - 1] === 0) end--;
  return {
    count: h.count,
    sum: h.sumNs / 1e9,
    scale: 3,
    zeroCount: h.zeros,
    zeroThreshold: 2 ** -24,
    offset: LOWEST + first,
    counts: buckets.subarray(first, end),
    max: h.maxNs / 1e9,
  };
}
