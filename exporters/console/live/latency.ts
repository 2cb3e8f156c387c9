// Durations in logarithmic buckets, so that a percentile costs a fixed amount of memory.

/** Buckets to a power of two: a percentile is right within 4.5 %. */
const PER_OCTAVE = 8;
/** 2^-20 s (about 1 µs) to 2^8 s. */
const LOWEST = -20 * PER_OCTAVE;
const SIZE = 28 * PER_OCTAVE;

export class Latency {
  #now = new Uint32Array(SIZE);
  #before = new Uint32Array(SIZE);
  #counted = 0;

  /** `seconds` of one handshake. */
  add(seconds: number): void {
    const index = Math.floor(Math.log2(seconds) * PER_OCTAVE) - LOWEST;
    this.#now[Math.min(SIZE - 1, Math.max(0, Number.isNaN(index) ? 0 : index))]!++;
    this.#counted++;
  }

  /** Forgets what was added before the last call. */
  age(): void {
    if (this.#counted === 0) return;
    const freed = this.#before;
    this.#before = this.#now;
    this.#now = freed.fill(0);
    this.#counted = this.#before.reduce((sum, n) => sum + n, 0);
  }

  /** The duration in seconds that the share `p` (0 to 1) did not exceed; undefined if nothing was added. */
  percentile(p: number): number | undefined {
    let total = 0;
    for (let i = 0; i < SIZE; i++) total += this.#now[i]! + this.#before[i]!;
    if (total === 0) return undefined;
    let left = Math.ceil(total * p);
    for (let i = 0; i < SIZE; i++) {
      left -= this.#now[i]! + this.#before[i]!;
      if (left <= 0) return 2 ** ((i + 0.5 + LOWEST) / PER_OCTAVE);
    }
    return undefined;
  }
}
