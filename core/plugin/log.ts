// The agent's log: a JSON object in each line, or readable text.
import { createRequire } from "node:module";
import { type Output, standardError } from "../base/output.ts";
import { CONTROL } from "../base/text.ts";

type Write = (fields: object, message: string) => void;

export interface Log {
  readonly error: Write;
  readonly warn: Write;
  readonly info: Write;
  readonly debug: Write;
}

export interface LogOptions {
  readonly level: "debug" | "info" | "warn" | "error" | "silent";
  /** `auto`: pretty if standard error is a terminal. */
  readonly format: "auto" | "json" | "pretty";
}

/** Writes to standard error and never waits for its reader; opened with the first line. */
export function createLog({ level, format }: LogOptions): Log {
  let lines: Lines | undefined;
  const open = (): Lines => {
    const isPretty = format === "pretty" || (format === "auto" && process.stderr.isTTY);
    return new Lines(standardError(), isPretty ? createPretty() : escaped);
  };
  const least = severity.indexOf(level);
  const shown = (_: string, value: unknown) => plainOf(value, level === "debug");
  const write = (at: Severity): Write => {
    if (severity.indexOf(at) < least) return () => {};
    return (fields, msg) => {
      lines ??= open();
      lines.write(JSON.stringify({ level: at, time: new Date().toISOString(), ...fields, msg }, shown));
    };
  };
  return { error: write("error"), warn: write("warn"), info: write("info"), debug: write("debug") };
}

export interface DeferredLog extends Log {
  /** Writes the lines so far, and later ones immediately. Idempotent. */
  release(): void;
}

/** A log that holds its lines back until `release` or the process's exit, so that `create` loads nothing before. */
export function deferLog(create: () => Log): DeferredLog {
  const kept: (() => void)[] = [];
  let log: Log | undefined;
  const write =
    (at: Severity): Write =>
    (fields, message) => {
      if (log) log[at](fields, message);
      else kept.push(() => log?.[at](fields, message));
    };
  const release = () => {
    log ??= create();
    for (const line of kept.splice(0)) line();
  };
  process.once("exit", () => kept.length > 0 && release());
  return {
    error: write("error"),
    warn: write("warn"),
    info: write("info"),
    debug: write("debug"),
    release,
  };
}

const severity = ["debug", "info", "warn", "error", "silent"] as const;
type Severity = Exclude<(typeof severity)[number], "silent">;

/** Converts what JSON cannot express: an error becomes one line, with its stack at level debug; also large numbers. */
function plainOf(value: unknown, stack: boolean): unknown {
  if (typeof value === "bigint") return String(value);
  if (!(value instanceof Error)) return value;
  return stack && value.stack !== undefined ? value.stack : value.message;
}

function createPretty(): (line: string) => string {
  const { prettyFactory } = createRequire(import.meta.url)("pino-pretty") as typeof import("pino-pretty");
  const pretty = prettyFactory({
    colorize: process.stderr.isTTY && !process.env.NO_COLOR,
    ignore: "pid,hostname",
    translateTime: "HH:MM:ss.l",
  });
  return (line) => String(pretty(JSON.parse(line, plain)));
}

const code = (character: string): string => character.charCodeAt(0).toString(16).padStart(4, "0");

/** Keys whose line ends are our own. */
const OF_LINES = new Set(["detail", "error", "stack"]);

/** Escapes names chosen by others (processes, backends), which could start lines or colours. */
const plain = (key: string, value: unknown): unknown =>
  typeof value === "string"
    ? value.replace(CONTROL, (c) => (c === "\n" && OF_LINES.has(key) ? c : `\\u${code(c)}`))
    : value;

/** JSON leaves some control characters unescaped. */
const escaped = (line: string): string =>
  `${line.replace(CONTROL, (character) => `\\u${code(character)}`)}\n`;

/** Maximum bytes of lines that are kept for a slow reader of standard error. */
const LIMIT = 256 * 1024;

/** Lines that standard error does not accept are dropped and counted; the count is logged when writing works again. */
class Lines {
  readonly #to: Output;
  readonly #form: (line: string) => string;
  #dropped = 0;

  constructor(to: Output, form: (line: string) => string) {
    this.#to = to;
    this.#form = form;
  }

  write(line: string): void {
    if (this.#to.pending > LIMIT) this.#dropped++;
    else this.#put(line, 1);
  }

  /** `count`: number of lines that are lost if this one is. */
  #put(line: string, count: number): void {
    this.#to.write(this.#form(line), (error) => {
      if (error) this.#dropped += count;
      else if (this.#dropped > 0 && this.#to.pending < LIMIT / 2) this.#sayDropped();
    });
  }

  #sayDropped(): void {
    const dropped = this.#dropped;
    this.#dropped = 0;
    const msg = `${dropped} log lines were dropped: the reader of standard error was too slow`;
    this.#put(JSON.stringify({ level: "warn", time: new Date().toISOString(), dropped, msg }), dropped);
  }
}

/** `log` with the plugin's name in every line. */
export function named(log: Log, plugin: string): Log {
  const write =
    (at: Severity): Write =>
    (fields, message) =>
      log[at]({ plugin, ...fields }, message);
  return { error: write("error"), warn: write("warn"), info: write("info"), debug: write("debug") };
}

/** Number of suppressed lines per key since its last one; a key is here while its period lasts. */
const windows = new WeakMap<Log, Map<string, number>>();

/**
 * `log`, limited to one line per `key` in `perMs` milliseconds; the others are counted, and the count is logged at the
 * end of the period.
 */
export function rateLimited(log: Log, key: string, perMs: number): Log {
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
