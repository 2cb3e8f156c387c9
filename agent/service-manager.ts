// Reports to the service manager that started the agent (systemd's Type=notify), as in sd_notify(3): datagrams with
// lines NAME=value. Tests: agent/service-manager.test.ts, agent/service-manager.kernel.test.ts.
import { describeUnseen } from "../core/engine/balance.ts";
import type { Log } from "../core/plugin/log.ts";
import type { Native } from "../native/index.ts";
import type { Status } from "./status.ts";

/** Milliseconds between watchdog notifications: half of the manager's limit; undefined if there is none. */
function watchdogPeriod({ WATCHDOG_USEC, WATCHDOG_PID }: NodeJS.ProcessEnv): number | undefined {
  const forUs = WATCHDOG_PID === undefined || Number(WATCHDOG_PID) === process.pid;
  const period = Number(WATCHDOG_USEC) / 2000;
  return forUs && period >= 1 ? period : undefined;
}

/** CLOCK_MONOTONIC, microseconds. */
function monotonic(): number {
  const [sec, nsec] = process.hrtime();
  return sec * 1e6 + Math.floor(nsec / 1e3);
}

/** Does nothing if no manager asked for messages (`NOTIFY_SOCKET`). */
export class ServiceManager {
  readonly #native: Pick<Native, "sendDatagram">;
  readonly #log: Log;
  readonly #watchdogMs: number | undefined;
  #socket: string | undefined;

  constructor(native: Pick<Native, "sendDatagram">, log: Log, env: NodeJS.ProcessEnv = process.env) {
    this.#native = native;
    this.#log = log;
    this.#socket = env.NOTIFY_SOCKET || undefined;
    this.#watchdogMs = watchdogPeriod(env);
  }

  /** Everything is attached. From now on the manager gets watchdog notifications in time, until the process ends. */
  ready(status: () => Status): void {
    this.#notify("READY=1", () => `STATUS=${inOneLine(status())}`);
    if (this.#watchdogMs !== undefined)
      setInterval(() => this.#notify("WATCHDOG=1"), this.#watchdogMs).unref();
  }

  status(status: () => Status): void {
    this.#notify(() => `STATUS=${inOneLine(status())}`);
  }

  /** Runs a reload between the messages that it has begun and that it has ended, whatever its result. */
  async whileReloading<T>(reload: () => Promise<T>): Promise<T> {
    this.#notify("RELOADING=1", `MONOTONIC_USEC=${monotonic()}`);
    try {
      return await reload();
    } finally {
      this.#notify("READY=1");
    }
  }

  stopping(): void {
    this.#notify("STOPPING=1");
  }

  /** An expensive text is given as a function, which is called only if a manager listens. */
  #notify(...lines: readonly (string | (() => string))[]): void {
    if (this.#socket === undefined) return;
    const text = lines.map((line) => (typeof line === "string" ? line : line())).join("\n");
    try {
      this.#native.sendDatagram(this.#socket, text);
    } catch (error) {
      const { message } = error as Error;
      this.#log.warn(
        { socket: this.#socket },
        `the service manager (NOTIFY_SOCKET) is not notified: ${message}`,
      );
      // A busy manager misses this message, and gets the next one.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") this.#socket = undefined;
    }
  }
}

const sum = (counts: Iterable<number>): number => [...counts].reduce((total, count) => total + count, 0);

/** Plugins and losses for `systemctl status`. */
export function inOneLine({ plugins, exporters, connections, unseen, accounts }: Status): string {
  const named = (state: string): string => {
    const names = plugins.filter((plugin) => plugin.state === state).map(({ name }) => name);
    return names.length ? `, ${state}: ${names.join(" ")}` : "";
  };
  const running = plugins.filter(({ state }) => state !== "failed").length;
  const exported = (["span", "point", "event"] as const).map(
    (kind) =>
      [`${kind}s`, sum(exporters.flatMap(({ balance }) => Object.values(balance[kind].lost)))] as const,
  );
  const inKernel = Object.values(accounts).flatMap((counts) =>
    Object.entries(counts).flatMap(([name, count]) => (name.startsWith("lost_") ? [count] : [])),
  );
  const lost = [
    ...exported,
    ["connection ends", sum(Object.values(connections.lost))] as const,
    ["in the kernel", sum(inKernel)] as const,
  ].flatMap(([what, count]) => (count > 0 ? [`${count} ${what}`] : []));
  const losses = lost.length ? `lost: ${lost.join(", ")}` : "nothing lost";
  return `${running} ${running === 1 ? "plugin" : "plugins"}${named("degraded")}${named("failed")}; ${losses}${unseen ? `; ${describeUnseen(unseen)}` : ""}`;
}
