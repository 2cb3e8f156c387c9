// The output of a trace, and what it could not print because its output was not read.

import { type Output, standardError } from "../../core/base/output.ts";
import { WirespanError } from "../../core/plugin/errors.ts";

/** Maximum bytes of unread output while the trace runs. */
const LIMIT = 8 * 1024 ** 2;

/** Milliseconds without progress after which the reader is no longer waited for at the end. */
const GRACE = 1000;

const lines = (text: string): number => text.split("\n").length - 1;

export class Printed {
  readonly #to: Output;
  #limit = LIMIT;
  #missing = 0;
  #error: NodeJS.ErrnoException | undefined;

  constructor(to: Output) {
    this.#to = to;
  }

  /** From now on nothing is dropped: at the end, no more can follow than the rings and tables hold. */
  keepAll(): void {
    this.#limit = Number.POSITIVE_INFINITY;
  }

  /** Whole lines. */
  write(text: string): void {
    const count = lines(text);
    if (this.#to.pending > this.#limit) {
      this.#missing += count;
      return;
    }
    this.#to.write(text, (error) => {
      if (!error) return;
      this.#missing += count;
      this.#error ??= error;
    });
  }

  /**
   * Waits for the reader and reports what is missing. Throws if standard output cannot be written to, unless its
   * reader has closed it.
   */
  async finish(): Promise<void> {
    await this.#to.drained(GRACE);
    if (this.#error?.code === "EPIPE") return;
    const missing = this.#missing + this.#to.pendingLines;
    if (missing === 0) return;
    const why = this.#error?.message ?? "the reader of standard output was too slow";
    standardError().write(`wirespan: ${missing} lines are missing: ${why}\n`);
    if (this.#error) throw new WirespanError("OUTPUT", "Writing to standard output failed: see above.");
  }
}
