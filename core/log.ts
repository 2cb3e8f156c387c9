// What the agent logs through; pino's call shape.
import { createRequire } from "node:module";
import type { Logger } from "pino";

type Write = (fields: object, message: string) => void;

export interface Log {
  readonly error: Write;
  readonly warn: Write;
  readonly info: Write;
  readonly debug: Write;
}

export interface LogOptions {
  readonly level: "debug" | "info" | "warn" | "error" | "silent";
  /** `auto`: pretty where standard error is a terminal. */
  readonly format: "auto" | "json" | "pretty";
}

/** Writes to standard error; pino is loaded with the first line, not before. */
export function createLog({ level, format }: LogOptions): Log {
  let logger: Logger | undefined;
  const open = (): Logger => {
    logger ??= createPino(level, format === "pretty" || (format === "auto" && process.stderr.isTTY));
    return logger;
  };
  const least = severity.indexOf(level);
  const write = (at: Severity): Write => {
    if (severity.indexOf(at) < least) return () => {};
    return (fields, message) => open()[at](fields, message);
  };
  return { error: write("error"), warn: write("warn"), info: write("info"), debug: write("debug") };
}

const severity = ["debug", "info", "warn", "error", "silent"] as const;
type Severity = Exclude<(typeof severity)[number], "silent">;

function createPino(level: LogOptions["level"], pretty: boolean): Logger {
  const require = createRequire(import.meta.url);
  const pino = require("pino") as typeof import("pino");
  // Synchronous, so that the last words before an exit are not lost.
  const stderr = { dest: 2, sync: true };
  const stream = pretty
    ? (require("pino-pretty") as typeof import("pino-pretty"))({
        ...stderr,
        destination: 2,
        colorize: process.stderr.isTTY && !process.env.NO_COLOR,
        ignore: "pid,hostname",
        translateTime: "HH:MM:ss.l",
      })
    : pino.destination(stderr);
  stream.on("error", () => {}); // nobody reads standard error any more
  const named = { level: (label: string) => ({ level: label }) };
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: named }, stream);
}

/** How many lines each key has held back since its last one; a key is here while its time runs. */
const windows = new WeakMap<Log, Map<string, number>>();

/**
 * `log`, through which at most one line per `key` passes in `perMs` milliseconds; the others are counted,
 * and the count is logged when the time is up.
 */
export function limited(log: Log, key: string, perMs: number): Log {
  const open = windows.get(log) ?? new Map<string, number>();
  windows.set(log, open);
  const write =
    (at: Severity): Write =>
    (fields, message) => {
      const before = open.get(key);
      if (before !== undefined) {
        open.set(key, before + 1);
        return;
      }
      log[at](fields, message);
      const close = () => {
        const suppressed = open.get(key) ?? 0;
        open.delete(key);
        if (suppressed > 0) log[at]({ ...fields, suppressed }, `${message} (and ${suppressed} more)`);
      };
      open.set(key, 0);
      setTimeout(close, perMs).unref();
    };
  return { error: write("error"), warn: write("warn"), info: write("info"), debug: write("debug") };
}
