// Runs mocha on files in separate processes, some of them in parallel.
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
  /** Must run alone. */
  readonly alone: boolean;
  /** Takes long, so it starts early. */
  readonly first?: boolean;
  readonly launch?: Launch;
}

/** The result of a job. */
export interface Done {
  readonly job: Job;
  readonly report: Report;
  readonly seconds: number;
}

/** Arguments before Node's path, and between that and mocha's. */
export interface Launch {
  readonly before?: readonly string[];
  readonly flags?: readonly string[];
}

/** One more than the number of processors, since most tests of the agent wait more than they compute. */
const WORKERS = availableParallelism() + 1;

const nothing: Report = { passed: 0, failures: [], reruns: [], skips: [] };

/** A failure outside any test. */
export function beyondTests(message: string): Failure[] {
  return [{ title: "the suite itself", message }];
}

/** Starts processes and forwards signals to them; after a signal it starts no more. */
export class Processes {
  readonly #scratch: string;
  readonly #arguments: readonly string[];
  #interrupted = false;
  #files = 0;

  /** A folder for reports, and mocha's arguments other than files. */
  constructor(scratch: string, mochaArguments: readonly string[]) {
    this.#scratch = scratch;
    this.#arguments = mochaArguments;
  }

  get interrupted(): boolean {
    return this.#interrupted;
  }

  /** Runs a program until it ends; returns its exit status. Its output appears immediately, or all at the end. */
  async run([program, ...args]: readonly string[], atOnce = true): Promise<number> {
    // A file, because a pipe would stay open as long as any process of a test remains.
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

  /** Runs parallel jobs first, beginning with the slowest; then the others one by one. */
  async runAll(jobs: readonly Job[]): Promise<readonly Done[]> {
    const shared = jobs.filter(({ alone }) => !alone);
    const queue = [...shared.filter(({ first }) => first), ...shared.filter(({ first }) => !first)];
    const done: Done[] = [];
    const work = async () => {
      for (let job = queue.shift(); job && !this.#interrupted; job = queue.shift())
        done.push(await this.#take(job, false));
    };
    await Promise.all(Array.from({ length: WORKERS }, work));
    for (const job of jobs) {
      if (job.alone && !this.#interrupted) done.push(await this.#take(job, true));
    }
    return done;
  }

  async #take(job: Job, atOnce: boolean): Promise<Done> {
    const start = performance.now();
    const report = await this.mocha(job, atOnce);
    return { job, report, seconds: (performance.now() - start) / 1000 };
  }

  async mocha({ files, launch = {} }: Job, atOnce = true): Promise<Report> {
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
