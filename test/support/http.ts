// HTTP programs that log their traceparents and the bytes of the connection that carried each request and response.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { createInterface, type Interface } from "node:readline";
import { text } from "node:stream/consumers";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Range } from "./loss.ts";
import type { Netns } from "./netns.ts";
import { until } from "./until.ts";

const folder = fileURLToPath(new URL("../http/", import.meta.url));

/** What the programs of test/http print. */
interface Line {
  readonly port?: number;
  readonly traceparent: string;
  readonly from: number;
  readonly to: number;
  readonly localPort?: number;
  readonly peerPort?: number;
}

const rangeOf = (line: string, side: Range["side"], service: number): Range => {
  const { traceparent, from, to, localPort, peerPort } = JSON.parse(line) as Line;
  return { side, service, traceparent, from, to, port: localPort ?? peerPort ?? 0 };
};

/** Options of HTTP/2 in test/http/frames.mjs. */
export interface FramesOptions {
  /** Maximum bytes of a request or a response. */
  readonly body: number;
  /** Data is sent in messages of a few bytes each. */
  readonly chopped?: boolean;
}

/** A server of test/http/server.mjs, or of frames.mjs, which speaks HTTP/2. */
export class HttpServer implements AsyncDisposable {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #ranges: Range[] = [];
  readonly #said: Promise<unknown>;

  private constructor(child: ChildProcess, lines: Interface, port: number) {
    this.#child = child;
    this.port = port;
    lines.on("line", (line) => this.#ranges.push(rangeOf(line, "server", port)));
    this.#said = once(lines, "close");
  }

  /** `body`: maximum bytes of a response. */
  static start(netns: Netns, address: string, body = 0): Promise<HttpServer> {
    return HttpServer.#run(netns, ["server.mjs", address, String(body)]);
  }

  static startFrames(netns: Netns, address: string, options: FramesOptions): Promise<HttpServer> {
    return HttpServer.#run(netns, ["frames.mjs", "serve", address, JSON.stringify(options)]);
  }

  static async #run(netns: Netns, [program, ...words]: readonly string[]): Promise<HttpServer> {
    const child = netns.spawn(process.execPath, [`${folder}${program}`, ...words], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const lines = createInterface({ input: child.stdout! });
    const [first] = await once(lines, "line");
    return new HttpServer(child, lines, (JSON.parse(first as string) as Line).port!);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Stops it; returns its responses. */
  async stop(): Promise<readonly Range[]> {
    this.#child.stdin!.end();
    await this.#said;
    return this.#ranges;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }
}

/** Runs a program until it ends; returns its output, line by line. */
export async function linesOf(
  netns: Netns,
  [program = "", ...words]: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<readonly string[]> {
  const child = netns.spawn(program, words, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [printed, [code]] = await Promise.all([text(child.stdout!), once(child, "close")]);
  if (code !== 0) throw new Error(`${program} ended with ${code}`);
  return printed.split("\n").filter(Boolean);
}

/** Sends `count` requests with Python's own client over one connection; returns their traceparents. */
export function askFromPython(
  netns: Netns,
  address: string,
  port: number,
  count: number,
): Promise<readonly string[]> {
  return linesOf(netns, ["python3", "-B", `${folder}client.py`, address, String(port), String(count)]);
}

export interface AskOptions {
  readonly count: number;
  /** Bytes of a body at most, or exactly. */
  readonly body?: number;
  readonly exact?: boolean;
  /** Bytes of a cookie, and one more with each request. */
  readonly cookie?: number;
  /** W3C trace flags; 01 by default. */
  readonly flags?: string;
  /** A different Node.js, and its arguments before the program's. */
  readonly node?: readonly string[];
}

/** Requests one after the other over one connection. */
export async function ask(
  netns: Netns,
  address: string,
  port: number,
  { node = [process.execPath], ...options }: AskOptions,
): Promise<readonly Range[]> {
  const words = [address, String(port), JSON.stringify(options)];
  const lines = await linesOf(netns, [...node, `${folder}client.mjs`, ...words]);
  return lines.map((line) => rangeOf(line, "client", port));
}

/** Requests of HTTP/2 over one connection, `streams` at once; the bytes of each of their frames. */
export async function askFrames(
  netns: Netns,
  address: string,
  port: number,
  options: FramesOptions & { readonly count: number; readonly streams: number },
): Promise<readonly Range[]> {
  const words = ["ask", address, String(port), JSON.stringify(options)];
  const lines = await linesOf(netns, [process.execPath, `${folder}frames.mjs`, ...words]);
  return lines.map((line) => rangeOf(line, "client", port));
}

/** The i-th of many traceparents. */
export const traceparent = (i: number, flags = "01") =>
  `00-${i.toString(16).padStart(32, "a")}-${i.toString(16).padStart(16, "b")}-${flags}`;

export interface TalkOptions {
  /** The number of messages that the server answers; all by default. */
  readonly answers?: number;
  /** Milliseconds between the handshake and the first message. */
  readonly pause?: number;
  /** The server ends the connection by a reset, after its last response or instead of it. */
  readonly reset?: boolean;
}

/** Sends raw bytes over one connection to a server in this process, each item in a separate message. */
export async function talk(
  messages: readonly string[],
  { answers = messages.length, pause = 0, reset = false }: TalkOptions = {},
): Promise<void> {
  const server = createServer({ noDelay: true });
  const accepted: Socket[] = [];
  let received = 0;
  server.on("connection", (socket: Socket) => {
    accepted.push(socket);
    let left = answers;
    socket.on("data", (bytes) => {
      received += bytes.length;
      if (left-- > 0) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect({ ...(server.address() as { port: number }), host: "127.0.0.1", noDelay: true });
  await once(client, "connect");
  client.on("error", () => {}); // a reset
  await setTimeout(pause);
  let sent = 0;
  for (const [i, message] of messages.entries()) {
    client.write(message);
    sent += Buffer.byteLength(message);
    if (i < answers) await once(client, "data");
    else await until("the message to be received", () => received >= sent);
  }
  if (reset) {
    accepted[0]!.resetAndDestroy();
    // once() would throw the reset.
    await new Promise((resolve) => client.once("close", resolve));
  }
  client.destroy();
  server.close();
}

/** A request with these lines in its head. */
export const get = (lines: readonly string[]) =>
  `GET / HTTP/1.1\r\nhost: x\r\n${lines.map((l) => `${l}\r\n`).join("")}\r\n`;
