// Limits a number of reports per second.

const SECOND = 1000;

/** A token bucket with a capacity of one second. */
export class Rate {
  #perSecond: number;
  readonly #now: () => number;
  #tokens: number;
  #filledAt: number;
  #admitted = 0;
  #refused = 0;

  /** `now`: milliseconds on a monotonic clock. */
  constructor(perSecond: number, now: () => number = () => performance.now()) {
    this.#perSecond = perSecond;
    this.#now = now;
    this.#tokens = perSecond;
    this.#filledAt = now();
  }

  /** Admits this many per second from now on. */
  limit(perSecond: number): void {
    this.#perSecond = perSecond;
    this.#tokens = Math.min(this.#tokens, perSecond);
  }

  get admitted(): number {
    return this.#admitted;
  }

  get refused(): number {
    return this.#refused;
  }

  /** Whether the next one will be admitted. */
  get hasRoom(): boolean {
    this.#fill();
    return this.#tokens >= 1;
  }

  #fill(): void {
    const now = this.#now();
    const gained = ((now - this.#filledAt) / SECOND) * this.#perSecond;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + gained);
    this.#filledAt = now;
  }

  admits(): boolean {
    if (!this.hasRoom) {
      this.#refused++;
      return false;
    }
    this.#tokens--;
    this.#admitted++;
    return true;
  }
}
