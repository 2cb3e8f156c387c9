// An agent for `wirespan bench`: as configured, but with a backend that discards everything.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parse, stringify } from "yaml";
import { ask, resultOf } from "../../agent/control/client.ts";
import type { Status } from "../../agent/status.ts";
import { WirespanError } from "../../core/plugin/errors.ts";

/** Accepts OTLP over HTTP and discards it. */
async function startBackend(): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume().on("end", () => response.setHeader("content-type", "application/x-protobuf").end());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

/** A configuration file's text with other exporters, and without anything that another running agent may hold. */
export function benchConfig(text: string, folder: string, endpoint: string): string {
  const settings = (parse(text) ?? {}) as Record<string, unknown>;
  return stringify({
    ...settings,
    version: 1,
    exporters: { bench: { type: "otlp_http", endpoint } },
    control: { socket: join(folder, "control.sock") },
    health: { address: "" },
    viewer: false,
  });
}

/** Without variables that would configure another backend. */
function environment(): NodeJS.ProcessEnv {
  const ours = /^(OTEL_|WIRESPAN_(EXPORTERS|CONTROL|HEALTH|VIEWER|CONFIG)_?)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)));
}

export interface BenchAgentOptions {
  /** The configuration file. */
  readonly config?: string | undefined;
  /** Additional arguments, such as `--set`. */
  readonly args: readonly string[];
}

/** A running agent. Dispose of it with `await using`. */
export class BenchAgent implements AsyncDisposable {
  /** Seconds from exec until every program was attached. */
  readonly startSeconds: number;
  readonly plugins: number;
  readonly #child: ChildProcess;
  readonly #backend: Server;
  readonly #folder: string;

  private constructor(
    child: ChildProcess,
    backend: Server,
    folder: string,
    startSeconds: number,
    plugins: number,
  ) {
    this.#child = child;
    this.#backend = backend;
    this.#folder = folder;
    this.startSeconds = startSeconds;
    this.plugins = plugins;
  }

  /** Throws what the agent reports if it does not start. */
  static async start({ config, args }: BenchAgentOptions): Promise<BenchAgent> {
    const folder = mkdtempSync(join(tmpdir(), "wirespan-bench-"));
    const backend = await startBackend();
    const endpoint = `http://127.0.0.1:${(backend.address() as AddressInfo).port}`;
    const file = join(folder, "wirespan.yaml");
    const text = config === undefined ? "" : readFileSync(config, "utf8");
    writeFileSync(file, benchConfig(text, folder, endpoint), { mode: 0o600 });
    const words = [...process.execArgv, process.argv[1]!, "agent", "--config", file, ...args];
    const begun = performance.now();
    const child = spawn(process.execPath, words, { env: environment(), stdio: ["ignore", "ignore", "pipe"] });
    try {
      const plugins = await ready(child);
      return new BenchAgent(child, backend, folder, (performance.now() - begun) / 1000, plugins);
    } catch (error) {
      backend.close();
      rmSync(folder, { recursive: true });
      throw error;
    }
  }

  /** Microseconds of CPU that all its threads have used. */
  cpuUs(): number {
    const tasks = `/proc/${this.#child.pid}/task`;
    const times = readdirSync(tasks).map((tid) =>
      Number(readFileSync(`${tasks}/${tid}/schedstat`, "utf8").split(" ")[0]),
    );
    return times.reduce((sum, ns) => sum + ns, 0) / 1000;
  }

  /** Bytes of memory in use (RSS). */
  memory(): number {
    const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${this.#child.pid}/status`, "utf8"))!;
    return Number(kilobytes) * 1024;
  }

  /** Number of connection ends whose start it has seen, on the whole host. */
  async opened(): Promise<number> {
    const { accounts } = resultOf(await ask(join(this.#folder, "control.sock"), "status")) as Status;
    return accounts.connections?.opened_connections ?? 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, "exit");
      this.#child.kill("SIGTERM");
      await ended;
    }
    this.#backend.closeAllConnections();
    this.#backend.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Waits until the agent is ready; returns the number of plugins that run. */
async function ready(child: ChildProcess): Promise<number> {
  const said: string[] = [];
  const lines = createInterface({ input: child.stderr! });
  return await new Promise((resolve, reject) => {
    lines.on("line", (line) => {
      if (line.startsWith('{"ready":true')) {
        resolve((JSON.parse(line) as { plugins: readonly unknown[] }).plugins.length);
        said.length = 0;
      } else if (said.length < 100) said.push(line);
    });
    child.once("exit", () => {
      const detail = said.join("\n");
      reject(
        new WirespanError("NOTHING_RUNS", "The agent that was to be measured did not start:", { detail }),
      );
    });
  });
}
