// Tells a running command when it must end, from the first line of the program on: on signals, and on uncaught
// errors. Until `begin` nothing is attached, so the process simply exits.
import { constants } from "node:os";
import { standardError } from "../core/base/output.ts";
import { locationOf, oneLine } from "../core/plugin/errors.ts";

/** Why a command ends. */
export interface Ending {
  readonly signal?: NodeJS.Signals;
  /** The uncaught error; the command throws it after an orderly shutdown. */
  readonly error?: unknown;
}

/** Signals that request an orderly end. */
const ASKING: readonly NodeJS.Signals[] = ["SIGTERM", "SIGINT"];
/** Signals that kill by default. An agent has to report its counts first; the exit code is the shell's for them. */
const KILLING: readonly NodeJS.Signals[] = [
  "SIGALRM",
  "SIGVTALRM",
  "SIGXCPU",
  "SIGPWR",
  "SIGIO",
  "SIGSTKFLT",
];
/** Other programs reopen their logs on these, and Node opens a debugger on the first. */
const MEANINGLESS: readonly NodeJS.Signals[] = ["SIGUSR1", "SIGUSR2"];

/** Milliseconds. npm forwards a signal that the terminal has already sent to us. */
const SAME = 100;

const ended = Promise.withResolvers<Ending>();
let begun = false;
let askedAt: number | undefined;
let account: () => string = () => "";
let hungUp = false;
let onHangup: (() => void) | undefined;

function leave(code: number, line?: string): never {
  if (line !== undefined) standardError().write(`wirespan: ${line}\n`);
  process.exit(code);
}

function ask(signal: NodeJS.Signals, number: number): void {
  const code = ASKING.includes(signal) ? 0 : 128 + number;
  if (!begun) leave(code);
  const now = performance.now();
  if (askedAt === undefined) {
    askedAt = now;
    if (code !== 0) process.exitCode = code;
    ended.resolve({ signal });
  } else if (now - askedAt > SAME) {
    leave(128 + number, `ended immediately by a second ${signal}${account()}`);
  }
}

function fail(error: unknown): void {
  if (!begun) leave(1, unexpected(error));
  if (askedAt === undefined) askedAt = performance.now();
  ended.resolve({ error });
}

/** The log line of an unexpected error: what and where. */
export function unexpected(error: unknown): string {
  const where = locationOf(error);
  const hint = "WIRESPAN_LOG_LEVEL=debug shows the stack";
  return `unexpected: ${oneLine(error)} (${where === undefined ? hint : `${where}; ${hint}`})`;
}

/** Must be called first. A long-running command (`lives`) runs until it is asked to end; the others end as usual. */
export function watchSignals(lives: boolean, reloads: boolean): void {
  for (const signal of MEANINGLESS) process.on(signal, () => {});
  if (reloads) {
    process.on("SIGHUP", () => {
      hungUp = true;
      onHangup?.();
    });
  }
  if (!lives) return;
  for (const signal of [...ASKING, ...KILLING]) process.on(signal, ask);
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
}

/** From now on an orderly shutdown is necessary; resolves when it must begin. */
export function begin(): Promise<Ending> {
  begun = true;
  return ended.promise;
}

/** Throws the error that ended a command, if one did. */
export function throwIfFailed({ error }: Ending): void {
  if (error !== undefined) throw error;
}

/** Ends the command as if it had been asked to. */
export function requestShutdown(): void {
  ended.resolve({});
}

/** What to add to the last line if the process must exit immediately. */
export function accountFor(text: () => string): void {
  account = text;
}

/** Calls `run` on each SIGHUP, and immediately if one has already arrived. */
export function onSighup(run: () => void): void {
  onHangup = run;
  if (hungUp) run();
}

/** Ends the process if the remaining work takes longer than `ms` milliseconds, unless cleared. */
export function endWithin(ms: number): NodeJS.Timeout {
  const code = constants.signals.SIGTERM + 128;
  const late = () => leave(code, `shutdown took longer than ${ms / 1000} s${account()}`);
  return setTimeout(late, Math.min(ms, 2 ** 31 - 1)).unref();
}
