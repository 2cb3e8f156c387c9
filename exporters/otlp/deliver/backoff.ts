// How long to wait before the next attempt.

const FIRST_MS = 100;
/** With the connection's own backoff (grpc.ts) this brings a returned backend its data within 2 s. */
const LAST_MS = 900;

export class Backoff {
  #next = FIRST_MS;

  /** The next pause in milliseconds: doubling up to the cap, 20 % of it random. */
  next(): number {
    const pause = this.#next * (0.8 + Math.random() * 0.2);
    this.#next = Math.min(this.#next * 2, LAST_MS);
    return pause;
  }

  reset(): void {
    this.#next = FIRST_MS;
  }
}
