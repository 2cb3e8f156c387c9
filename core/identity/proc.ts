// What /proc reports about one process, behind one interface: the reader may become a privileged helper one day.
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename } from "node:path";
import { fileName } from "../base/text.ts";
import { type CommandLine, readCommandLine } from "./command-line.ts";
import { type Environment, scanEnvironment } from "./environment.ts";
import { copiedEnvironment } from "./environment-copy.ts";
import { interpreterOf, withoutVersion } from "./interpreters.ts";
import { portsOf } from "./listening.ts";
import type { Pattern } from "./pattern.ts";
import { type ProcessContext, processContextOf } from "./process-context.ts";
import { programName } from "./program.ts";
import { MalformedMessage } from "./protobuf.ts";

export interface ProcessFacts {
  readonly pid: number;
  /** Start in clock ticks (10 ms) since boot on the kernel's clock, rounded down. */
  readonly startTicks: number;
  readonly comm: string;
  /** The executable's path; undefined for kernel threads and if reading it is refused. */
  readonly exe: string | undefined;
  /** The text of /proc/PID/cgroup: one line per hierarchy. */
  readonly cgroup: string;
  /** Undefined if reading is refused or the process has ended. */
  readonly environment: Environment | undefined;
  /** What its SDK publishes; undefined: nothing, or not readable. */
  readonly published: ProcessContext | undefined;
  /** Why what it publishes cannot be read. */
  readonly unpublishable: string | undefined;
  /** Reading the environment was refused. */
  readonly refused: boolean;
  /** Undefined if reading is refused or the process has ended. */
  readonly command: CommandLine | undefined;
  /** A name by which people know its program; undefined for kernel threads and if reading is refused. */
  readonly program: string | undefined;
}

export interface ProcReader {
  /**
   * Undefined if there is no such process, or it is not visible. `tid`: one of its threads that was seen to run,
   * because its first one may have ended. Never throws.
   */
  process(pid: number, tid?: number): ProcessFacts | undefined;
  /** The ports that it listens on. */
  ports(pid: number): ReadonlySet<number>;
}

/** Number of threads that are tried if the first one has ended. */
const mostThreads = 16;
/** Number of parents that are read at most: a worker's may be a server that forks, and that one's the program. */
const mostParents = 4;

/** What follows the path of an executable that was removed. */
const gone = / \(deleted\)$/;

export interface ProcOptions {
  /** What arguments are compared with. */
  readonly patterns?: readonly Pattern[];
  /** Offset of the boot clock of the agent's time namespace from the kernel's, nanoseconds. */
  readonly shiftNs?: number;
  /** The process's number in this /proc; undefined: none. */
  numberOf?(pid: number): number | undefined;
}

export class Proc implements ProcReader {
  readonly #root: string;
  readonly #patterns: readonly Pattern[];
  readonly #shiftTicks: number;
  readonly #numberOf: (pid: number) => number | undefined;

  constructor(
    root = "/proc",
    { patterns = [], shiftNs = 0, numberOf = (pid: number) => pid }: ProcOptions = {},
  ) {
    this.#root = root;
    this.#patterns = patterns;
    this.#shiftTicks = Math.round(shiftNs / 1e7);
    this.#numberOf = numberOf;
  }

  ports(pid: number): ReadonlySet<number> {
    const number = this.#numberOf(pid);
    return number === undefined ? new Set() : portsOf(`${this.#root}/${number}`);
  }

  process(pid: number, tid = pid): ProcessFacts | undefined {
    const number = this.#numberOf(pid);
    if (number === undefined) return undefined;
    const process = `${this.#root}/${number}`;
    const stat = attempt(() => parseStat(readFileSync(`${process}/stat`, "latin1")));
    if (!isRead(stat) || stat === undefined) return undefined;
    // Threads are only known by the kernel's number.
    const folder = stat.isGone ? this.#living(process, number === pid ? tid : number) : process;
    const cgroup = attempt(() => readFileSync(`${folder}/cgroup`, "utf8"));
    if (!isRead(cgroup)) return undefined;
    const exe = attempt(() => fileName(readlinkSync(`${folder}/exe`, { encoding: "buffer" })));
    const environment = attempt(() => this.#environment(folder, stat.stack));
    const published = attempt(() => processContextOf(folder));
    const path = isRead(exe) ? exe.replace(gone, "") : undefined;
    const command = this.#command(folder, path);
    return {
      pid,
      startTicks: stat.startTicks - this.#shiftTicks,
      comm: stat.comm,
      exe: path,
      cgroup,
      environment: isRead(environment) ? environment : undefined,
      published: isRead(published) ? published : undefined,
      unpublishable: isRead(published) ? undefined : published.malformed,
      refused: !isRead(environment) && (environment.code === "EACCES" || environment.code === "EPERM"),
      command: isRead(command) ? command : undefined,
      program: path && isRead(command) ? this.#program(path, command, folder, stat.parent) : undefined,
    };
  }

  #environment(folder: string, stack: number): Environment | undefined {
    const original = reading(`${folder}/environ`, scanEnvironment);
    if (!original?.isOverwritten) return original;
    const copied = attempt(() => copiedEnvironment(folder, stack));
    return isRead(copied) ? copied : {};
  }

  #command(folder: string, path: string | undefined): CommandLine | Refusal {
    return attempt(() =>
      reading(`${folder}/cmdline`, (fd) => readCommandLine(fd, basename(path ?? ""), this.#patterns)),
    );
  }

  /**
   * An interpreter that runs no script of its own is a part of its parent, if that is the same interpreter: the workers
   * of Python's multiprocessing (`python -c ...`), which uvicorn's are, too.
   */
  #program(path: string, command: CommandLine, folder: string, parent: number): string {
    const own = programName(path, command, folder);
    const bare = withoutVersion(basename(path));
    let name = own;
    for (let up = 0; up < mostParents && name === bare && interpreterOf(bare) && parent > 0; up++) {
      const above = `${this.#root}/${parent}`;
      const exe = attempt(() => fileName(readlinkSync(`${above}/exe`, { encoding: "buffer" })));
      const its = this.#command(above, path);
      const stat = attempt(() => parseStat(readFileSync(`${above}/stat`, "latin1")));
      if (!isRead(exe) || exe.replace(gone, "") !== path || !isRead(its) || !isRead(stat) || !stat)
        return own;
      name = programName(path, its, above);
      parent = stat.parent;
    }
    return name;
  }

  /** The folder of a living thread: /proc/PID shows the first one's, and nothing after that has ended. */
  #living(process: string, tid: number): string {
    const names = attempt(() => readdirSync(`${process}/task`));
    const tids = isRead(names) ? [`${tid}`, ...names.slice(0, mostThreads)] : [`${tid}`];
    const living = tids
      .map((name) => `${process}/task/${name}`)
      .find((folder) => {
        const exe = attempt(() => readlinkSync(`${folder}/exe`));
        return isRead(exe) || exe.code === "EACCES";
      });
    return living ?? process;
  }
}

/** Start of the process with this folder, in ticks as `startTicks`; undefined if there is none. */
export function startTicksOf(folder: string): number | undefined {
  const stat = attempt(() => parseStat(readFileSync(`${folder}/stat`, "latin1")));
  return isRead(stat) ? stat?.startTicks : undefined;
}

interface Stat {
  readonly comm: string;
  readonly startTicks: number;
  readonly parent: number;
  /** The address of its arguments; 0: it may not be read. */
  readonly stack: number;
  /** The first thread has ended, with the others or alone. */
  readonly isGone: boolean;
}

/** Field 2 may contain blanks and parentheses; 3 is the state, 4 the parent, 22 the start, 28 the stack. Undefined if it is not a stat line. */
function parseStat(text: string): Stat | undefined {
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  const fields = text.slice(close + 2).split(" ");
  const startTicks = Number(fields[22 - 3]);
  if (open < 0 || close < open || Number.isNaN(startTicks)) return undefined;
  return {
    comm: Buffer.from(text.slice(open + 1, close), "latin1").toString("utf8"),
    startTicks,
    parent: Number(fields[4 - 3]),
    stack: Number(fields[28 - 3] ?? 0),
    isGone: fields[0] === "Z",
  };
}

function reading<T>(path: string, read: (fd: number) => T): T {
  const fd = openSync(path, "r");
  try {
    return read(fd);
  } finally {
    closeSync(fd);
  }
}

class Refusal {
  readonly code: string | undefined;
  /** Why the content is invalid. */
  readonly malformed: string | undefined;

  constructor(error: unknown) {
    this.code = (error as NodeJS.ErrnoException).code;
    this.malformed = error instanceof MalformedMessage ? error.message : undefined;
  }
}

/** A process may end at any moment, so every read may fail: returns a value, not an exception. */
function attempt<T>(read: () => T): T | Refusal {
  try {
    return read();
  } catch (error) {
    return new Refusal(error);
  }
}

function isRead<T>(answer: T | Refusal): answer is T {
  return !(answer instanceof Refusal);
}
