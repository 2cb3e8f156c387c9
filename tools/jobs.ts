// Runs mocha on files in separate processes, two at a time, and files that failed beside others again on their own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Failure, Report } from "../test/support/reporter.ts";

/** Files that one mocha process runs. */
export interface Job {
  readonly suite: string;
  readonly files: readonly string[];
  /** Nothing else may run meanwhile. */
  readonly alone: boolean;
  /** Milliseconds a test may take. */
  readonly timeout: number;
  readonly launch?: Launch;
}

/** The result of a job. */
export interface Done {
  readonly job: Job;
  readonly report: Report;
  readonly seconds: number;
  /** Files that failed beside another job and passed when they were run again on their own. */
  readonly beside: readonly Failure[];
}

/** Words in front of Node's path, and between it and mocha's. */
export interface Launch {
  readonly before?: readonly string[];
  readonly flags?: readonly string[];
}

/** If more than these fail beside each other, there is another reason. */
const AGAIN = 12;

const nothing: Report = { passed: 0, failures: [], reruns: [], skips: [] };

/** A failure outside of any test. */
export function beyondTests(message: string): Failure[] {
  return [{ title: "the suite itself", message }];
}

/** Starts processes, forwards signals to them, and starts no more after one. */
export class Processes {
  readonly #scratch: string;
  readonly #arguments: readonly string[];
  #interrupted = false;
  #files = 0;

  /** A folder for reports, and mocha's arguments besides files. */
  constructor(scratch: string, mochaArguments: readonly string[]) {
    this.#scratch = scratch;
    this.#arguments = mochaArguments;
  }

  get interrupted(): boolean {
    return this.#interrupted;
  }

  /** Runs a program to its end; returns its exit status. Its output appears immediately, or all of it at the end. */
  async run([program, ...args]: readonly string[], atOnce = true): Promise<number> {
    // A file, because a pipe would be open as long as some process of a test is left.
    const file = join(this.#scratch, `${++this.#files}.log`);
    const log = atOnce ? undefined : openSync(file, "w");
    const child = spawn(program!, args, { stdio: log === undefined ? "inherit" : ["ignore", log, log] });
    const pass = (signal: NodeJS.Signals) => {
      child.kill(signal);
      this.#interrupted = true;
    };
    process.on("SIGTERM", pass);
    process.on("SIGINT", pass);
    try {
      const [status] = (await once(child, "exit")) as [number | null];
      if (log !== undefined) console.log(readFileSync(file, "utf8"));
      return status ?? 1;
    } finally {
      if (log !== undefined) closeSync(log);
      process.off("SIGTERM", pass);
      process.off("SIGINT", pass);
    }
  }

  /** Jobs that may run beside others first, from both ends of the list; the others one by one. */
  async runAll(jobs: readonly Job[]): Promise<readonly Done[]> {
    const shared = jobs.filter(({ alone }) => !alone);
    const done: Done[] = [];
    const work = async (next: () => Job | undefined) => {
      for (let job = next(); job && !this.#interrupted; job = next()) done.push(await this.#take(job, false));
    };
    const ends = [() => shared.shift(), () => shared.pop()].slice(0, availableParallelism());
    await Promise.all(ends.map(work));
    const failed = done.filter(({ report }) => report.failures.length > 0);
    if (failed.length <= AGAIN) {
      for (const first of failed) {
        if (this.#interrupted) break;
        const again = await this.#take(first.job, true);
        const passes = again.report.failures.length === 0;
        const seconds = first.seconds + again.seconds;
        done[done.indexOf(first)] = { ...again, seconds, beside: passes ? first.report.failures : [] };
      }
    }
    for (const job of jobs) {
      if (job.alone && !this.#interrupted) done.push(await this.#take(job, true));
    }
    return done;
  }

  async #take(job: Job, atOnce: boolean): Promise<Done> {
    const start = performance.now();
    const report = await this.mocha(job, atOnce);
    return { job, report, seconds: (performance.now() - start) / 1000, beside: [] };
  }

  async mocha({ files, timeout, launch = {} }: Job, atOnce = true): Promise<Report> {
    const { before = [], flags = [] } = launch;
    const out = join(this.#scratch, `${++this.#files}.json`);
    const status = await this.run(
      [
        ...before,
        process.execPath,
        ...flags,
        "node_modules/mocha/bin/mocha.js",
        "--reporter=test/support/reporter.ts",
        `--reporter-option=report=${out}`,
        `--timeout=${timeout}`,
        ...this.#arguments,
        ...files,
      ],
      atOnce,
    );
    try {
      const report = JSON.parse(readFileSync(out, "utf8")) as Report;
      if (status === 0 || report.failures.length > 0) return report;
      // Mocha may fail outside of its tests: for example, with an unhandled rejection after the last one.
      return { ...report, failures: beyondTests(`status ${status} though no test failed`) };
    } catch {
      return { ...nothing, failures: beyondTests(`status ${status} and no report: ${files.join(" ")}`) };
    }
  }
}
