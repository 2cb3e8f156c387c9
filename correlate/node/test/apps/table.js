// Lets a test application read its own table and count what it finds.
import { table } from "../../src/table.js";
import { Reader } from "../reader.js";

export const reader = new Reader(table);

/** Contexts found so far, as `key context`, and how many were overwritten unread. */
export class Finds {
  /** @type {string[]} */
  found = [];
  overrun = 0;
  ended = 0;

  /** Reads what is new in all slots. */
  collect() {
    for (const { key, contexts, overrun, ended } of reader.collect()) {
      for (const context of contexts) this.found.push(`${key} ${context}`);
      this.overrun += overrun;
      if (ended) this.ended++;
    }
  }

  /**
   * Compares what was found with what was expected, in any order.
   * @param {readonly string[]} expected
   */
  against(expected) {
    const left = new Map();
    for (const one of expected) left.set(one, (left.get(one) ?? 0) + 1);
    let right = 0;
    let wrong = 0;
    for (const one of this.found) {
      const count = left.get(one) ?? 0;
      if (count > 0) right++;
      else wrong++;
      left.set(one, count - 1);
    }
    const { overrun, ended } = this;
    return { expected: expected.length, right, wrong, overrun, ended };
  }
}
