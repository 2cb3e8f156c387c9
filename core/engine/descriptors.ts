// Reserves file descriptors that plugins cannot use: the exporters, the control socket and /proc need some as well.
import { closeSync, openSync } from "node:fs";

const COUNT = 24;

export class Reserve {
  readonly #held: number[] = [];

  constructor() {
    this.#take();
  }

  /** Releases them for what the agent itself does before it runs. */
  async lend(work: () => Promise<void>): Promise<void> {
    this.release();
    await work();
    this.#take();
  }

  /** The same for a synchronous function. */
  lendNow<T>(work: () => T): T {
    this.release();
    const done = work();
    this.#take();
    return done;
  }

  /** Idempotent. */
  release(): void {
    for (const fd of this.#held.splice(0)) closeSync(fd);
  }

  /** Reserves as many as available; whatever needs the next one reports the error. */
  #take(): void {
    try {
      while (this.#held.length < COUNT) this.#held.push(openSync("/dev/null", "r"));
    } catch {
      // The limit has been reached.
    }
  }
}
