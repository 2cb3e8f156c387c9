// Runs the C workloads of test/workload/ and reads their reports.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { copyFile, rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { Cgroup } from "./cgroup.ts";
import { DEADLINE } from "./deadline.ts";
import { end, type Netns, output } from "./netns.ts";
import { type Case, type Line, type Lines, one, pick } from "./workload-lines.ts";

export { type Case, type Connection, type Line, type Lines, one, pick } from "./workload-lines.ts";

const sources = fileURLToPath(new URL("../workload/", import.meta.url));

/** Options; test/workload/README.md lists those of each case. */
export interface Options {
  /** Where the client connects to, and where the server listens unless `listen` says so. */
  readonly address?: string;
  readonly listen?: string;
  /** 0 or absent: the server's choice, which is passed to the client. */
  readonly port?: number;
  readonly sourcePort?: number;
  readonly count?: number;
  readonly up?: number;
  readonly down?: number;
  readonly later?: number;
  /** Milliseconds. */
  readonly delay?: number;
  /** Milliseconds that both stay alive after their last connection, so that a late reader still finds them. */
  readonly linger?: number;
  readonly synRetries?: number;
  readonly backlog?: number;
  readonly rate?: number;
  readonly seconds?: number;
  readonly size?: number;
  readonly cpu?: number;
  /** The client's user and group. */
  readonly uid?: number;
  readonly clientComm?: string;
  /** Files that they run from: copies of the program (`copied`). */
  readonly clientFile?: string;
  readonly serverFile?: string;
  readonly serverComm?: string;
  /** The server's namespace, if it is not the client's. */
  readonly server?: Netns;
  /** A cgroup for all its processes from the start. */
  readonly cgroup?: Cgroup;
  /** In addition to this process's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds after which the run is ended and fails; twice DEADLINE by default. */
  readonly limit?: number;
}

let built: Promise<string> | undefined;

/** Compiles the workloads if they are not up to date. Safe while other test processes do the same. */
export async function build(): Promise<void> {
  built ??= output("flock", [sources, "make", "-s", "-C", sources]);
  await built;
}

/** A copy of the workloads' program under another name, for `clientFile` or `serverFile`; disposal removes it. */
export async function copied(name: string): Promise<AsyncDisposable> {
  await build();
  const path = `${sources}build/${name}`;
  await copyFile(`${sources}build/load`, path);
  return { [Symbol.asyncDispose]: () => rm(path) };
}

/** Runs a case until it ends, with the client in `netns`; returns all reports. */
export async function run(netns: Netns, name: Case, options: Options = {}): Promise<readonly Line[]> {
  await using running = await start(netns, name, options);
  return await running.done();
}

/** Starts a case that is observed or controlled while it runs. */
export async function start(netns: Netns, name: Case, options: Options = {}): Promise<Running> {
  await build();
  const { server, cgroup, env, limit = 2 * DEADLINE, ...words } = options;
  const args = Object.entries(words).map(([key, value]) => `${key}=${value}`);
  if (server) args.push(`serverNetns=${server.path}`);
  const enter = cgroup ? ["sh", "-c", 'echo 0 >"$0" && exec "$@"', cgroup.processes] : [];
  const [program = "", ...rest] = [...enter, `${sources}build/load`, name, ...args];
  return new Running(
    netns.spawn(program, rest, { stdio: "pipe", env: { ...process.env, ...env } }),
    name,
    limit,
  );
}

/** The cookie of a namespace, from one of its sockets. */
export async function netnsCookie(netns: Netns): Promise<number> {
  return one(await run(netns, "cookie"), "cookie").netns;
}

/** A running workload; disposal ends it and its processes. */
export class Running implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: Line[] = [];
  readonly #heard = new EventTarget();
  readonly #ended: Promise<void>;

  constructor(child: ChildProcess, name: Case, limit: number) {
    this.#child = child;
    this.#ended = this.#listen(name, limit);
    this.#ended.catch(() => {}); // done() and until() report it
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** The reports so far. */
  get lines(): readonly Line[] {
    return this.#lines;
  }

  /** Returns the first line of that event (and role), and waits for it if necessary. */
  async until<E extends keyof Lines>(event: E, role?: Line["role"]): Promise<Lines[E]> {
    for (;;) {
      const [line] = pick(this.#lines, event, role);
      if (line) return line;
      const over = await this.#next();
      if (over && pick(this.#lines, event, role).length === 0) {
        throw new Error(`the workload ended without a line "${event}"`);
      }
    }
  }

  /** Waits for another line, or for the end: true. */
  async #next(): Promise<boolean> {
    const next = once(this.#heard, "line");
    return await Promise.race([next.then(() => false), this.#ended.then(() => true)]);
  }

  /** Writes the line that the client waits for (held, deferred, accepters). */
  goOn(): void {
    this.#child.stdin?.write("\n");
  }

  /** Makes a puppet execute these lines, one after the other. */
  async act(...steps: readonly string[]): Promise<void> {
    for (const step of steps) {
      const done = pick(this.#lines, "did").length;
      this.#child.stdin?.write(`${step}\n`);
      while (pick(this.#lines, "did").length === done) await this.#next();
    }
  }

  /** All reports; throws with standard error if a process failed or the time ran out. */
  async done(): Promise<readonly Line[]> {
    this.#child.stdin?.end();
    await this.#ended;
    return this.#lines;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#child);
  }

  async #listen(name: Case, limit: number): Promise<void> {
    const { stdout, stderr } = this.#child;
    if (!stdout || !stderr) throw new Error("a workload needs pipes");
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#child.kill("SIGKILL");
    }, limit);
    const said = text(stderr);
    const closed = once(this.#child, "close") as Promise<[number | null, NodeJS.Signals | null]>;
    createInterface({ input: stdout }).on("line", (line) => {
      this.#lines.push(JSON.parse(line) as Line);
      this.#heard.dispatchEvent(new Event("line"));
    });
    try {
      const [code, signal] = await closed;
      if (code === 0) return;
      const why = late ? `not done after ${limit} ms` : `ended with ${signal ?? code}`;
      const heard = this.#lines.map((line) => JSON.stringify(line)).join("\n");
      throw new Error(`workload ${name}: ${why}\n${await said}${heard}`);
    } finally {
      clearTimeout(timer);
    }
  }
}
