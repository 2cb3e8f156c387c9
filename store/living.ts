// Currently open connections, requested from the agent on demand. Tests: store/living.test.ts.
import type { LivingHead } from "../exporters/local/frame.ts";
import type { Report } from "../exporters/local/store-process.ts";

/** Milliseconds for which a response is reused, and after which it is no longer expected. */
const FRESH = 900;
const PATIENCE = 3000;

export class Living {
  readonly #report: (what: Report) => void;
  #last: { readonly at: number; readonly head: LivingHead } | undefined;
  #waiting: PromiseWithResolvers<LivingHead> | undefined;

  constructor(report: (what: Report) => void) {
    this.#report = report;
  }

  take(head: LivingHead): void {
    this.#last = { at: performance.now(), head };
    this.#waiting?.resolve(head);
    this.#waiting = undefined;
  }

  /** Concurrent requests share one response. Rejects if the agent does not respond. */
  async ask(): Promise<LivingHead> {
    if (this.#last && performance.now() - this.#last.at < FRESH) return this.#last.head;
    if (this.#waiting) return await this.#waiting.promise;
    const waiting = Promise.withResolvers<LivingHead>();
    this.#waiting = waiting;
    const timer = setTimeout(() => {
      this.#waiting = undefined;
      waiting.reject(new Error("the agent does not answer"));
    }, PATIENCE);
    this.#report({ wanted: "living" });
    try {
      return await waiting.promise;
    } finally {
      clearTimeout(timer);
    }
  }
}
