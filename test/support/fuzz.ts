// How long properties are tested: briefly in an ordinary run, longer under `npm run fuzz`.
import type { Parameters } from "fast-check";

type Effort = Pick<Parameters, "numRuns" | "interruptAfterTimeLimit" | "markInterruptAsFailure">;

const seconds = process.env.FUZZ_SECONDS;

/** Time limit in milliseconds for all properties of one file together; undefined in an ordinary run. */
export const FUZZ_MS = seconds === undefined ? undefined : Number(seconds) * 1000;

/** Options for one of `count` properties that share the time limit; `ordinary` without one. */
export function effort(count: number, ordinary: Effort): Effort {
  if (FUZZ_MS === undefined) return ordinary;
  return { numRuns: 2 ** 30, interruptAfterTimeLimit: FUZZ_MS / count, markInterruptAsFailure: false };
}
