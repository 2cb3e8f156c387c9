// The second process, which stores, sums and shows what the agent writes to its standard input. It is restarted if it
// ends. Tests: exporters/local/local-exporter.test.ts.
import { type ChildProcess, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import type { Log } from "../../core/plugin/log.ts";
import { STORE_MAIN } from "./store-main.ts";

/** Milliseconds before an ended store is restarted: the first time, and at most. */
const RESTART = { first: 1000, most: 60_000 };

/** Milliseconds after which a store counts as working again. */
const WORKING = 60_000;

/** What the store reports on its descriptor 3, a line of JSON each. */
export type Report =
  | { readonly ready: { readonly url: string | undefined } }
  | { readonly committed: number }
  | { readonly problem: string }
  /** The currently open connections are requested. */
  | { readonly wanted: "living" }
  | { readonly finding: RaisedFinding };

/** What a rule found, when it fires. */
export interface RaisedFinding {
  readonly rule: string;
  readonly severity: "failing" | "slow" | "unusual";
  readonly subject: string;
  readonly text: string;
  readonly next: string;
  readonly count: number;
  readonly ratio?: number;
  /** Seconds since the epoch. */
  readonly since: number;
}

export interface StoreOptions {
  /** The database. */
  readonly file: string;
  /** Maximum size, bytes. */
  readonly bytes: number;
  /** Uneventful connections per second that are stored individually. */
  readonly rate: number;
  /** service.instance.id of the host's own resource, for what belongs to no process. */
  readonly hostInstance: string;
  /** `host:port` of the page. */
  readonly address: string;
  /** Other hosts can reach it, under unknown names. */
  readonly isOpen: boolean;
  readonly token?: string | undefined;
  /** Ids of users that need no token. */
  readonly users: readonly number[];
  /** Whether applications may send their spans, and which. */
  readonly receive: boolean;
  readonly receiveFrom: readonly number[] | "anyone";
}

/** V8 flags: one small heap, one thread for it. */
const FLAGS = [
  "--max-semi-space-size=1",
  "--max-old-space-size=96",
  "--single-threaded-gc",
  "--disable-warning=ExperimentalWarning",
];

export class StoreProcess {
  readonly #options: StoreOptions;
  readonly #log: Log;
  readonly #onReport: (report: Report) => void;
  readonly #onEnd: () => void;
  #child: ChildProcess | undefined;
  #started = 0;
  #delay = RESTART.first;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** `onEnd` is called if the store has ended without being asked to. */
  constructor(options: StoreOptions, log: Log, onReport: (report: Report) => void, onEnd: () => void) {
    this.#options = options;
    this.#log = log;
    this.#onReport = onReport;
    this.#onEnd = onEnd;
    this.#start();
  }

  /** The destination of frames; undefined while no store runs. */
  get input(): Writable | undefined {
    const stdin = this.#child?.stdin;
    return stdin?.writable ? stdin : undefined;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Ends the store after it has read everything; resolves when it has ended or `deadlineMs` have passed. */
  async close(deadlineMs: number): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child === undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    child.once("exit", () => resolve());
    child.stdin?.end();
    const timer = setTimeout(() => child.kill("SIGKILL"), deadlineMs);
    await promise;
    clearTimeout(timer);
  }

  #start(): void {
    this.#started = performance.now();
    const child = spawn(process.execPath, [...FLAGS, STORE_MAIN, JSON.stringify(this.#options)], {
      stdio: ["pipe", "ignore", "pipe", "pipe"],
      // Ctrl-C on a terminal is for the agent, which ends the store.
      detached: true,
      env: {
        PATH: process.env.PATH,
        MALLOC_ARENA_MAX: "1",
        NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      },
    });
    this.#child = child;
    let last = "";
    lines(child.stderr!, (line) => {
      last = line;
    });
    lines(child.stdio[3] as Readable, (line) => this.#onReport(JSON.parse(line) as Report));
    // A store that ends while it is being written to is reported by "exit".
    child.stdin!.on("error", () => {});
    child.once("error", ({ message }) => this.#ended(message));
    child.once("exit", (code, signal) => this.#ended(last || `it ended with ${signal ?? `code ${code}`}`));
    child.unref();
  }

  #ended(why: string): void {
    if (this.#child === undefined) return;
    this.#child = undefined;
    if (this.#closed) return;
    if (performance.now() - this.#started > WORKING) this.#delay = RESTART.first;
    this.#log.warn(
      {},
      `the viewer's store has ended and will be restarted in ${this.#delay / 1000} s: ${why}`,
    );
    this.#onEnd();
    this.#timer = setTimeout(() => this.#start(), this.#delay);
    this.#timer.unref();
    this.#delay = Math.min(this.#delay * 2, RESTART.most);
  }
}

function lines(from: Readable, each: (line: string) => void): void {
  let rest = "";
  from.setEncoding("utf8");
  from.on("data", (text: string) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    for (const part of parts) if (part !== "") each(part);
  });
  from.on("error", () => {});
}
