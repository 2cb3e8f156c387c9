// File descriptors that plugins can't take: the exporters, the control socket and /proc need some as well.
import { closeSync, openSync } from "node:fs";

const COUNT = 24;

export class Reserve {
  readonly #held: number[] = [];

  constructor() {
    this.#take();
  }

  /** Lends them to what the agent itself does before it runs. */
  async lend(work: () => Promise<void>): Promise<void> {
    this.release();
    await work();
    this.#take();
  }

  /** The same, of what is done at once. */
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

  /** As many as there are; who needs the next one says so. */
  #take(): void {
    try {
      while (this.#held.length < COUNT) this.#held.push(openSync("/dev/null", "r"));
    } catch {
      // The limit is reached.
    }
  }
}
