// How long properties are tried: shortly in an ordinary run, for a while under `npm run fuzz`.
import type { Parameters } from "fast-check";

type Effort = Pick<Parameters, "numRuns" | "interruptAfterTimeLimit" | "markInterruptAsFailure">;

const seconds = process.env.FUZZ_SECONDS;

/** Milliseconds that all properties of one file may take together; undefined in an ordinary run. */
export const FUZZ_MS = seconds === undefined ? undefined : Number(seconds) * 1000;

/** For one property of `count` that share the time: so many milliseconds, or `ordinary` otherwise. */
export function effort(count: number, ordinary: Effort): Effort {
  if (FUZZ_MS === undefined) return ordinary;
  return { numRuns: 2 ** 30, interruptAfterTimeLimit: FUZZ_MS / count, markInterruptAsFailure: false };
}
