// Recordings that are made when a rule has found something: the time before the alert. Tests: agent/recordings.test.ts.
import { execFile } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Log } from "../core/plugin/log.ts";

/** Number of files that are kept, and the maximum size of each. */
const FILES = 3;
const BYTES = "64MiB";
/** Milliseconds between two. */
const PAUSE = 600_000;

const NAME = /^finding-\d{8}T\d{6}Z\.db$/;

/** Runs `wirespan` with these arguments; resolves with the error's text, or undefined. */
export type Run = (args: readonly string[], env: NodeJS.ProcessEnv) => Promise<string | undefined>;

const runSelf: Run = (args, env) => {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const [, main = ""] = process.argv;
  const child = execFile(process.execPath, [main, ...args], { env }, (error, _, stderr) =>
    resolve(error ? stderr.trim() || error.message : undefined),
  );
  child.unref();
  return promise;
};

export class Recordings {
  readonly #database: string;
  readonly #log: Log;
  readonly #run: Run;
  #last = Number.NEGATIVE_INFINITY;

  constructor(database: string, log: Log, run = runSelf) {
    this.#database = database;
    this.#log = log;
    this.#run = run;
  }

  /** Records the last half hour; `now` in milliseconds since the epoch. Does nothing if the last recording is recent. */
  async take(text: string, now = Date.now()): Promise<void> {
    if (now - this.#last < PAUSE) return;
    this.#last = now;
    const folder = dirname(this.#database);
    const stamp = new Date(now).toISOString().replace(/[-:]|\.\d+/g, "");
    const file = join(folder, `finding-${stamp}.db`);
    const env = { ...process.env, WIRESPAN_VIEWER_FILE: this.#database };
    const error = await this.#run(["record", file, "--last", "30m", "--bytes", BYTES], env);
    if (error !== undefined) {
      this.#log.warn({}, `recording after a finding failed (viewer.recordOn): ${error}`);
      return;
    }
    this.#log.info({ file }, `the last half hour was recorded: ${text}; wirespan view ${file} shows it`);
    const old = readdirSync(folder)
      .filter((name) => NAME.test(name))
      .sort()
      .slice(0, -FILES);
    for (const name of old) rmSync(join(folder, name), { force: true });
  }
}
