// Programs whose threads publish the contexts of their work as OpenTelemetry's SDKs do (test/threads).
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Netns } from "./netns.ts";
import { end, output } from "./netns.ts";

const folder = fileURLToPath(new URL("../threads/", import.meta.url));
let built: Promise<string> | undefined;

/** One of what test/threads/Makefile builds. */
async function programOf(name: string): Promise<string> {
  built ??= output("flock", [folder, "make", "-s", "-C", folder]);
  await built;
  return `${folder}build/${name}`;
}

type Attributes = Readonly<Record<string, string>>;

const field = (number: number, bytes: Buffer): Buffer => {
  const length: number[] = [];
  for (let rest = bytes.length; ; rest >>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest);
    if (rest <= 127) break;
  }
  return Buffer.concat([Buffer.from([number * 8 + 2, ...length]), bytes]);
};

const pair = ([key, value]: readonly [string, string]): Buffer =>
  Buffer.concat([field(1, Buffer.from(key)), field(2, field(1, Buffer.from(value)))]);

/** OTEP 4719's ProcessContext. */
export function processContext(resource: Attributes, others: Attributes): Buffer {
  const attributes = Object.entries(resource).map((each) => field(1, pair(each)));
  return Buffer.concat([
    field(1, Buffer.concat(attributes)),
    ...Object.entries(others).map((each) => field(2, pair(each))),
  ]);
}

/** What an SDK publishes if its threads follow OTEP 4947. */
export const publishing = processContext({}, { "threadlocal.schema_version": "tls_v1" });

export class Publisher implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly #lines: Interface;
  #waiting: ((line: string) => void) | undefined;

  private constructor(child: ChildProcess) {
    this.child = child;
    this.#lines = createInterface({ input: child.stdout! });
    this.#lines.on("line", (line) => this.#waiting?.(line));
  }

  /** Starts it; each of four connections within the program has carried a message. `library`: loaded with dlopen(). */
  static async start(
    netns: Netns,
    program: string,
    {
      library,
      context = publishing,
    }: { readonly library?: string; readonly context?: Buffer | undefined } = {},
  ): Promise<Publisher> {
    const words = [context.length ? context.toString("hex") : "-", library ? await programOf(library) : "-"];
    const stdio = ["pipe", "pipe", "inherit"] as const;
    const child = netns.spawn(await programOf(program), words, { stdio: [...stdio] });
    const publisher = new Publisher(child);
    await publisher.#until("ready");
    return publisher;
  }

  /** The lines before the expected one. */
  #until(last: string): Promise<readonly string[]> {
    const lines: string[] = [];
    return new Promise((resolve, reject) => {
      const ended = () => reject(new Error(`the program has ended; it said ${lines.length} lines`));
      this.child.once("exit", ended);
      this.#waiting = (line) => {
        if (line !== last) return void lines.push(line);
        this.child.off("exit", ended);
        resolve(lines);
      };
    });
  }

  #command(line: string, last = "done"): Promise<readonly string[]> {
    this.child.stdin!.write(`${line}\n`);
    return this.#until(last);
  }

  /** Sends 100 messages on each connection; returns the traceparents of those that had a context. */
  send(says: "context" | "invalid" | "none", every = 1): Promise<readonly string[]> {
    return this.#command(`send ${says} ${every}`);
  }

  /** Attempts to connect; returns the traceparent. */
  async connect(port: number): Promise<string> {
    const [traceparent = ""] = await this.#command(`connect ${port}`);
    return traceparent;
  }

  /** Executes another program, each of whose connections has carried a message. */
  async exec(program: string, library?: string): Promise<void> {
    const words = [
      await programOf(program),
      publishing.toString("hex"),
      library ? await programOf(library) : "-",
    ];
    await this.#command(`exec ${words.join(" ")}`, "ready");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lines.close();
    this.child.stdin!.destroy();
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, "exit");
    await end(this.child);
    await ended;
  }
}
