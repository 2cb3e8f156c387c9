// Starts the real agent, as a user would, and records its output.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readlinkSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { DEADLINE } from "./deadline.ts";
import { end, type Netns } from "./netns.ts";
import { countUnseen } from "./unseen.ts";

/** Node's arguments for an agent, as in tools/run.sh. */
export const AGENT_FLAGS = readFileSync(new URL("../../cli/node-flags", import.meta.url), "utf8")
  .trim()
  .split(" ");
/** What is started, from the root of the clone: the sources, or the bundle (tools/test.ts). */
export const MAIN = process.env.TEST_MAIN ?? "cli/main.ts";
const ownMain = fileURLToPath(new URL(`../../${MAIN}`, import.meta.url));

/** How to start it. */
export interface AgentOptions {
  /** The module that is started: cli/main.ts of another clone, if not this one's. */
  readonly main?: string;
  /** The network namespace that it runs in; by default the test's own. */
  readonly netns?: Netns;
  /** Words in front of the agent's own, such as `unshare --time --fork --kill-child`. */
  readonly through?: readonly string[];
  /** Added to the test's environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** YAML, written to a file that `--config` names. */
  readonly config?: string;
  /** Milliseconds within which it must be ready, and must end when asked; DEADLINE by default. */
  readonly limit?: number;
}

/** What remains of an agent: all lines of its standard output and error, and its exit code (null: ended by a signal). */
export interface Ended {
  readonly stdout: readonly string[];
  readonly stderr: readonly string[];
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A line of standard output as JSON. */
export type Row = Readonly<Record<string, unknown>>;

/** Starts `wirespan <args>` and waits until its hooks are attached. */
export async function startAgent(args: readonly string[], options: AgentOptions = {}): Promise<Agent> {
  const folder = await mkdtemp(join(tmpdir(), "wirespan-agent-"));
  const words = [...AGENT_FLAGS, options.main ?? ownMain, ...args];
  if (options.config !== undefined) {
    const file = join(folder, "wirespan.yaml");
    await writeFile(file, options.config);
    words.push("--config", file);
  }
  const env = { ...process.env, ...options.env };
  const [program = "", ...rest] = [...(options.through ?? []), process.execPath, ...words];
  const child = options.netns
    ? options.netns.spawn(program, rest, { env, stdio: ["ignore", "pipe", "pipe"] })
    : spawn(program, rest, { env, stdio: ["ignore", "pipe", "pipe"] });
  const agent = new Agent(child, folder, options);
  try {
    await agent.ready();
    return agent;
  } catch (error) {
    await agent[Symbol.asyncDispose]();
    throw error;
  }
}

/** A running agent; disposal stops it if it still runs, and kills it if it does not end. */
export class Agent implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #limit: number;
  readonly #isWrapped: boolean;
  readonly #stdout: string[] = [];
  readonly #rows: Row[] = [];
  readonly #stderr: string[] = [];
  readonly #heard = new EventTarget();
  readonly #ended: Promise<Ended>;
  readonly #counted: () => Promise<void>;

  constructor(child: ChildProcess, folder: string, { limit = DEADLINE, through = [] }: AgentOptions) {
    this.#child = child;
    this.#folder = folder;
    this.#limit = limit;
    this.#isWrapped = through.length > 0;
    this.#counted = countUnseen(() => this.unseen);
    this.#keep(child.stdout, this.#stdout);
    this.#keep(child.stderr, this.#stderr);
    this.#ended = once(child, "close").then(([code, signal]) => {
      this.#heard.dispatchEvent(new Event("line")); // so that waiting callers check again
      return { stdout: this.#stdout, stderr: this.#stderr, code, signal } as Ended;
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Standard output so far, line by line. */
  get stdout(): readonly string[] {
    return this.#stdout;
  }

  /** Standard error so far, line by line. */
  get stderr(): readonly string[] {
    return this.#stderr;
  }

  /** Events that the kernel did not show to it; it reports them when it ends. */
  get unseen(): number {
    const said = this.#stderr.map((line) => /this kernel did not show (\d+) event/.exec(line)?.[1] ?? 0);
    return Math.max(0, ...said.map(Number));
  }

  /** Standard output so far, as JSON. */
  get rows(): readonly Row[] {
    for (const line of this.#stdout.slice(this.#rows.length)) this.#rows.push(JSON.parse(line) as Row);
    return this.#rows;
  }

  /** The line of standard error with the page's address. */
  ready(): Promise<Row> {
    return this.#until("ready", () => this.#stderr.map(parse).find((row) => row?.ready === true));
  }

  /** Waits until the JSON rows of standard output satisfy `enough`; returns them. */
  until(enough: (rows: readonly Row[]) => boolean): Promise<readonly Row[]> {
    return this.#until("enough", () => (enough(this.rows) ? this.rows : undefined));
  }

  /** Stops it and waits until it has ended; throws if that takes longer than the limit. */
  async stop(signal: "SIGINT" | "SIGTERM" = "SIGTERM"): Promise<Ended> {
    this.#signal(signal);
    return await this.#within("did not end", this.#ended);
  }

  /** Waits until it ends on its own. */
  ended(): Promise<Ended> {
    return this.#within("did not end", this.#ended);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // It reports unseen events only then.
    if (this.#signal("SIGTERM")) await this.ended().catch(() => {});
    await this.#counted();
    await end(this.#child);
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** Signals the agent itself, since unshare, which waits for it, ignores signals. Returns whether it exists. */
  #signal(signal: NodeJS.Signals): boolean {
    const inner = this.#isWrapped ? childOf(this.pid) : undefined;
    return inner === undefined ? this.#child.kill(signal) : process.kill(inner, signal);
  }

  #keep(stream: NodeJS.ReadableStream | null, lines: string[]): void {
    if (!stream) throw new Error("an agent needs pipes");
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      this.#heard.dispatchEvent(new Event("line"));
    });
  }

  async #until<T>(what: string, look: () => T | undefined): Promise<T> {
    return await this.#within(`was not ${what}`, this.#look(what, look));
  }

  async #look<T>(what: string, look: () => T | undefined): Promise<T> {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        // Its last output may still be in the pipe.
        const { code, signal } = await this.#ended;
        const last = look();
        if (last !== undefined) return last;
        throw new Error(`the agent ended with ${signal ?? code} before it was ${what}${this.#said()}`);
      }
      await once(this.#heard, "line");
    }
  }

  async #within<T>(complaint: string, work: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const refuse = () => reject(new Error(`the agent ${complaint} in ${this.#limit} ms${this.#said()}`));
      timer = setTimeout(refuse, this.#limit);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #said(): string {
    return `\nstandard error:\n${this.#stderr.join("\n")}\nstandard output:\n${this.#stdout.slice(-20).join("\n")}`;
  }
}

/** The process that the command before an agent started; undefined if the command became the agent, or has ended. */
function childOf(pid: number): number | undefined {
  try {
    if (readlinkSync(`/proc/${pid}/exe`) === process.execPath) return undefined;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1");
    return Number.parseInt(children, 10) || undefined;
  } catch {
    return undefined;
  }
}

function parse(line: string): Row | undefined {
  try {
    return JSON.parse(line) as Row;
  } catch {
    return undefined; // a readable log line
  }
}
