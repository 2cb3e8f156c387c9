// When the rules are applied. Tests: store/findings/rhythm.test.ts.
import { PERIOD } from "./finding.ts";

/** Shares of the period: before the first a collection waits for the next one; after the second none is waited for. */
const EARLY = 0.9;
const LATE = 1.2;

/** Evaluates what is collected when it comes: a fault is found sooner, and no collection is looked at twice. */
export class Rhythm {
  readonly #evaluate: () => void;
  readonly #now: () => number;
  #late: NodeJS.Timeout | undefined;
  #evaluated = Number.NEGATIVE_INFINITY;

  /** `now`: milliseconds of a clock that is never set. */
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
