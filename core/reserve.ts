// File descriptors that plugins can't take: the exporters, the control socket and /proc need some as well.
import { closeSync, openSync } from "node:fs";

const COUNT = 24;

export class Reserve {
  readonly #held: number[] = [];

  /** Takes them, as far as the limit goes. */
  constructor() {
    try {
      while (this.#held.length < COUNT) this.#held.push(openSync("/dev/null", "r"));
    } catch {
      // As many as there are; who needs the next one says so.
    }
  }

  /** Idempotent. */
  release(): void {
    for (const fd of this.#held.splice(0)) closeSync(fd);
  }
}
