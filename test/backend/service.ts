// A server process for one test: starts it, waits until it is ready, stops it, and leaves nothing behind.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../support/until.ts";
import { type BackendName, findBackend } from "./find.ts";

/** How to run one backend. */
export interface Command {
  readonly args: readonly string[];
  /** A URL that responds once the server accepts requests: with 2xx, or with the given status. */
  readonly ready: string;
  readonly status?: number;
}

/** One running backend and its scratch folder. */
export class Service implements AsyncDisposable {
  readonly #name: BackendName;
  readonly #program: string;
  readonly #folder: string;
  readonly #command: Command;
  #process: ChildProcess | undefined;

  private constructor(name: BackendName, program: string, folder: string, command: Command) {
    this.#name = name;
    this.#program = program;
    this.#folder = folder;
    this.#command = command;
  }

  /** Starts the backend in a fresh folder, which `command` may write to first; resolves when it is ready. */
  static async start(
    name: BackendName,
    command: (folder: string) => Promise<Command> | Command,
  ): Promise<Service> {
    const program = findBackend(name);
    if (!program) throw new Error(`no ${name} on this machine: npm run backends ${name}`);
    const folder = await mkdtemp(join(tmpdir(), `wirespan-${name}-`));
    const service = new Service(name, program, folder, await command(folder));
    try {
      await service.restart();
    } catch (error) {
      await service[Symbol.asyncDispose]();
      throw error;
    }
    return service;
  }

  /** The process id; undefined while stopped. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Restarts it on the same ports with the same files; resolves when it is ready. */
  async restart(): Promise<void> {
    await this.stop();
    const log = openSync(join(this.#folder, "log"), "a");
    // setpriv: the server ends when this process ends, even by SIGKILL.
    const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", this.#program, ...this.#command.args], {
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    await once(child, "spawn");
    this.#process = child;
    await until(`${this.#name} to be ready`, async () => {
      if (child.exitCode !== null) throw new Error(`${this.#name} ended at once:\n${this.#log()}`);
      return answers(this.#command);
    });
  }

  /** Ends it with SIGTERM, and after 3 s with SIGKILL; does nothing if it is stopped. */
  async stop(): Promise<void> {
    const timer = setTimeout(() => this.#process?.kill("SIGKILL"), 3_000);
    await this.#end("SIGTERM");
    clearTimeout(timer);
  }

  /** Ends it with SIGKILL: what it held in memory is gone. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Stops it and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (!child) return;
    if (child.exitCode === null && child.signalCode === null) {
      const gone = once(child, "exit");
      child.kill(signal);
      await gone;
    }
    this.#process = undefined;
  }

  #log(): string {
    return readFileSync(join(this.#folder, "log"), "utf8").split("\n").slice(-12).join("\n");
  }
}

async function answers({ ready, status }: Command): Promise<boolean> {
  try {
    const response = await fetch(ready, { signal: AbortSignal.timeout(2_000) });
    await response.body?.cancel();
    return status === undefined ? response.ok : response.status === status;
  } catch {
    return false;
  }
}
