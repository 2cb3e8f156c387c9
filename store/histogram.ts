// Exponential histograms of scale 3, as in the signals: buckets of a factor 2^(1/8). Their sums are exact.
import type { ByteReader, ByteWriter } from "./varint.ts";

const SCALE = 3;
/** The lowest and highest bucket of a value between nanoseconds and days. */
const LEAST = -300;
const MOST = 300;

/** Bucket that holds `value` (greater than 0): base^index < value <= base^(index + 1). */
export function bucketOf(value: number): number {
  const index = Math.ceil(Math.log2(value) * 2 ** SCALE) - 1;
  return Math.min(MOST, Math.max(LEAST, index));
}

/** Upper bound of a bucket. */
export function upperBound(bucket: number): number {
  return 2 ** ((bucket + 1) / 2 ** SCALE);
}

export class Histogram {
  count = 0;
  sum = 0;
  zeros = 0;
  readonly buckets = new Map<number, number>();

  add(value: number): void {
    this.count++;
    this.sum += value;
    if (value <= 0) this.zeros++;
    else this.bump(bucketOf(value), 1);
  }

  bump(bucket: number, count: number): void {
    this.buckets.set(bucket, (this.buckets.get(bucket) ?? 0) + count);
  }

  merge(other: Histogram): void {
    this.count += other.count;
    this.sum += other.sum;
    this.zeros += other.zeros;
    for (const [bucket, count] of other.buckets) this.bump(bucket, count);
  }

  /** The upper bound of the bucket that contains the quantile `q` (0 to 1); undefined: there are no values. */
  quantile(q: number): number | undefined {
    if (this.count === 0) return undefined;
    let rest = Math.max(1, Math.ceil(q * this.count)) - this.zeros;
    if (rest <= 0) return 0;
    const sorted = [...this.buckets].sort(([a], [b]) => a - b);
    for (const [bucket, count] of sorted) {
      rest -= count;
      if (rest <= 0) return upperBound(bucket);
    }
    const last = sorted.at(-1);
    return last && upperBound(last[0]);
  }

  /** The fraction of values in buckets below that of `value`, 0 to 1. */
  rank(value: number): number | undefined {
    if (this.count === 0) return undefined;
    const at = value > 0 ? bucketOf(value) : LEAST - 1;
    let below = value > 0 ? this.zeros : 0;
    for (const [bucket, count] of this.buckets) if (bucket < at) below += count;
    return below / this.count;
  }

  write(to: ByteWriter): void {
    to.uint(this.count);
    if (this.count === 0) return;
    to.double(this.sum);
    to.uint(this.zeros);
    to.uint(this.buckets.size);
    let last = 0;
    for (const [bucket, count] of this.buckets) {
      to.int(bucket - last);
      to.uint(count);
      last = bucket;
    }
  }

  /** Skips what `write` wrote. */
  static skip(from: ByteReader): void {
    if (from.uint() === 0) return;
    from.skipDouble();
    from.uint();
    for (let left = 2 * from.uint(); left > 0; left--) from.uint();
  }

  /** Adds what `write` wrote. */
  mergeFrom(from: ByteReader): void {
    const count = from.uint();
    if (count === 0) return;
    this.count += count;
    this.sum += from.double();
    this.zeros += from.uint();
    let bucket = 0;
    for (let left = from.uint(); left > 0; left--) {
      bucket += from.int();
      this.bump(bucket, from.uint());
    }
  }
}
