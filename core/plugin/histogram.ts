// Converts struct histogram of bpf/include/wirespan/histogram.h to OTLP's exponential histogram; the buckets are the same.
import type { Exemplar, ExponentialHistogram } from "./signals.ts";

/** As read by btfgen. */
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
export function seconds(h: KernelHistogram, exemplar?: Exemplar): ExponentialHistogram {
  const { buckets } = h;
  const [first, end] = filledRange(buckets);
  return {
    count: h.count,
    sum: h.sumNs / 1e9,
    scale: 3,
    zeroCount: h.zeros,
    zeroThreshold: 2 ** -24,
    offset: LOWEST + first,
    counts: buckets.subarray(first, end),
    max: h.maxNs / 1e9,
    ...(exemplar && { exemplar }),
  };
}

/** Sizes in bytes, in the buckets of bpf/include/wirespan/size_histogram.h. */
export interface SizeHistogram {
  readonly count: number;
  readonly sum: number;
  readonly zeros: number;
  readonly buckets: Float64Array;
}

/** SIZES_LOWEST: buckets begin at 2^4 bytes. */
const LOWEST_SIZE = 4;

/** In bytes. */
export function bytes({ count, sum, zeros, buckets }: SizeHistogram): ExponentialHistogram {
  const [first, end] = filledRange(buckets);
  return {
    count,
    sum,
    scale: 3,
    zeroCount: zeros,
    zeroThreshold: 2 ** LOWEST_SIZE,
    offset: LOWEST_SIZE * 8 + first,
    counts: buckets.subarray(first, end),
  };
}

/** Indices of the first non-empty bucket and of the one after the last. */
export function filledRange(buckets: Float64Array): [first: number, end: number] {
  let first = 0;
  let end = buckets.length;
  while (first < end && buckets[first] === 0) first++;
  while (end > first && buckets[end - 1] === 0) end--;
  return [first, end];
}
