// Clients and servers of the tests of the page (test/apps/staged.mjs, faulty.py, flood.py).
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { end, type Netns } from "./netns.ts";

const app = (name: string) => fileURLToPath(new URL(`../apps/${name}`, import.meta.url));

/** What a client counted. */
export interface Counts {
  readonly attempts: number;
  readonly failed: number;
  readonly reset: number;
}

/** A finding in the page's API. */
export interface Finding {
  readonly rule: string;
  readonly subject: string;
  readonly severity: string;
  readonly text: string;
}

/** A process of a service in a namespace. */
export class Staged {
  readonly child: ChildProcess;
  readonly #lines: Interface;

  private constructor(child: ChildProcess) {
    this.child = child;
    this.#lines = createInterface(child.stdout!);
  }

  /** A client or a server that works: arguments of staged.mjs. */
  static start(netns: Netns, service: string, ...args: string[]): Promise<Staged> {
    return Staged.#spawn(netns, service, process.execPath, [app("staged.mjs"), ...args]);
  }

  /** A server that does not work: `unattended` or `exhausted`. */
  static faulty(netns: Netns, service: string, how: string, port: number): Promise<Staged> {
    return Staged.#spawn(netns, service, "python3", [app("faulty.py"), how, String(port)]);
  }

  /** A sender whose packets keep the receiving CPU busy. */
  static flood(netns: Netns, service: string, host: string, cpu: number): Promise<Staged> {
    return Staged.#spawn(netns, service, "python3", [app("flood.py"), host, String(cpu)]);
  }

  static async #spawn(netns: Netns, service: string, program: string, args: string[]): Promise<Staged> {
    const env = { ...process.env, OTEL_SERVICE_NAME: service };
    const staged = new Staged(netns.spawn(program, args, { env, stdio: ["ignore", "pipe", "inherit"] }));
    await once(staged.#lines, "line");
    return staged;
  }

  /** Stops a client; returns its counts. */
  async counts(): Promise<Counts> {
    const line = once(this.#lines, "line");
    this.child.kill("SIGTERM");
    return JSON.parse(String((await line)[0])) as Counts;
  }

  /** Ends it, even if it is suspended. */
  async end(): Promise<void> {
    this.child.kill("SIGCONT");
    await end(this.child);
  }
}
