// Schedules the evaluation of the rules. Tests: store/findings/rhythm.test.ts.
import { PERIOD } from "./finding.ts";

/** Shares of the period: a collection before the first one waits for the next collection; after the second, evaluation does not wait. */
const EARLY = 0.9;
const LATE = 1.2;

/** Evaluates collections as they arrive, so that faults are found sooner, and no collection is evaluated twice. */
export class Rhythm {
  readonly #evaluate: () => void;
  readonly #now: () => number;
  #late: NodeJS.Timeout | undefined;
  #evaluated = Number.NEGATIVE_INFINITY;

  /** `now`: milliseconds of a monotonic clock. */
  constructor(evaluate: () => void, now = () => performance.now()) {
    this.#evaluate = evaluate;
    this.#now = now;
    this.#wait();
  }

  collected(): void {
    if (this.#now() - this.#evaluated >= EARLY * PERIOD * 1000) this.#next();
  }

  stop(): void {
    clearTimeout(this.#late);
  }

  #next(): void {
    this.#evaluated = this.#now();
    this.#wait();
    this.#evaluate();
  }

  #wait(): void {
    clearTimeout(this.#late);
    this.#late = setTimeout(() => this.#next(), LATE * PERIOD * 1000);
  }
}
