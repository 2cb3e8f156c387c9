// How a command that watches learns that it is to end, from the first line of the program on: by signals, and by errors that
// nobody has caught. Until `begin` nothing is attached, so the process just ends.
import { constants } from "node:os";
import { standardError } from "../core/base/output.ts";
import { oneLine, whereOf } from "../core/plugin/errors.ts";

/** Why a command ends. */
export interface Ending {
  readonly signal?: NodeJS.Signals;
  /** What nobody had caught; the command throws it when everything is in order. */
  readonly error?: unknown;
}

/** They ask for an end. */
const ASKING: readonly NodeJS.Signals[] = ["SIGTERM", "SIGINT"];
/** Their default action is to kill. An agent has an account to render first; the exit code is the shell's for them. */
const KILLING: readonly NodeJS.Signals[] = [
  "SIGALRM",
  "SIGVTALRM",
  "SIGXCPU",
  "SIGPWR",
  "SIGIO",
  "SIGSTKFLT",
];
/** Other programs reopen their logs at these, and Node opens a debugger at the first. */
const MEANINGLESS: readonly NodeJS.Signals[] = ["SIGUSR1", "SIGUSR2"];

/** Milliseconds. npm passes on a signal that the terminal has sent to us already. */
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

/** What to say of an error that nobody foresaw: what and where, in one line. */
export function unexpected(error: unknown): string {
  const where = whereOf(error);
  const hint = "WIRESPAN_LOG_LEVEL=debug shows the stack";
  return `unexpected: ${oneLine(error)} (${where === undefined ? hint : `${where}; ${hint}`})`;
}

/** To be called first. A command that watches (`lives`) does so until it is asked to end; the others end as usual. */
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

/** From now on there is something to end in order; resolves when it has to. */
export function begin(): Promise<Ending> {
  begun = true;
  return ended.promise;
}

/** Throws the error that ended a command, if one did. */
export function stopped({ error }: Ending): void {
  if (error !== undefined) throw error;
}

/** Ends the command as if it were asked to. */
export function end(): void {
  ended.resolve({});
}

/** What to add to the last line if the end has to come at once. */
export function accountFor(text: () => string): void {
  account = text;
}

/** Calls `run` at each SIGHUP, and at once if one has come already. */
export function atHangup(run: () => void): void {
  onHangup = run;
  if (hungUp) run();
}

/** Ends the process if what is still to be done takes longer than `ms` milliseconds; cleared, it does not. */
export function endWithin(ms: number): NodeJS.Timeout {
  const code = constants.signals.SIGTERM + 128;
  const late = () => leave(code, `shutdown took longer than ${ms / 1000} s${account()}`);
  return setTimeout(late, Math.min(ms, 2 ** 31 - 1)).unref();
}
