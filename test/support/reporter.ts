// Mocha's spec reporter, which also writes the results, including skips and their reasons, to the file in its option
// `report`. Mocha accepts a reporter only as a default export.
import { writeFileSync } from "node:fs";
import Mocha from "mocha";
import { type Rerun, reruns } from "./again.ts";
import { reasonOf } from "./skip.ts";

/** One test that did not run. */
export interface Skip {
  /** The suites' titles and the test's own, joined by spaces. */
  readonly title: string;
  /** Why; empty if the test did not say. */
  readonly reason: string;
}

/** One test, hook or check that failed. */
export interface Failure {
  readonly title: string;
  readonly message: string;
}

/** The results of one suite. */
export interface Report {
  readonly passed: number;
  readonly failures: readonly Failure[];
  /** What failed and was run again, because the kernel had not shown every event to the agent. */
  readonly reruns: readonly Rerun[];
  readonly skips: readonly Skip[];
}

/** Milliseconds after the last test within which the process must end by itself. */
const GRACE = 30_000;

class Reporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options: Mocha.MochaOptions) {
    super(runner, options);
    const failures: Failure[] = [];
    const skips: Skip[] = [];
    const failure = (test: Mocha.Runnable, { message }: Error) => ({ title: test.fullTitle(), message });
    runner.on("fail", (test, error: Error) => failures.push(failure(test, error)));
    runner.on("pending", (test) => skips.push({ title: test.fullTitle(), reason: reasonOf(test) ?? "" }));
    runner.once("end", () => {
      const report: Report = { passed: this.stats.passes, failures, reruns, skips };
      const file: unknown = options.reporterOptions?.report;
      if (typeof file === "string") writeFileSync(file, JSON.stringify(report));
      // Unreferenced: it fires only if something else keeps the process alive, so that a failed test cannot hang the run.
      setTimeout(() => {
        console.error("a test has left something open that keeps this process");
        process.exit(1);
      }, GRACE).unref();
    });
  }
}

export { Reporter as default };
