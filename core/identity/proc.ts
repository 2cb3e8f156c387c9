// What /proc says of one process, behind one interface: the reader may one day be a privileged helper.
import { closeSync, openSync, readFileSync, readlinkSync } from "node:fs";
import { fileName } from "../text.ts";
import { type Environment, scanEnvironment } from "./environment.ts";

export interface ProcessFacts {
  readonly pid: number;
  /** Start in clock ticks (10 ms) since boot, rounded down. */
  readonly startTicks: number;
  readonly comm: string;
  /** The executable's path; undefined for kernel threads and where reading it is refused. */
  readonly exe: string | undefined;
  /** The text of /proc/PID/cgroup: one line per hierarchy. */
  readonly cgroup: string;
  /** Undefined where it is refused or no longer there. */
  readonly environment: Environment | undefined;
  /** Our privileges did not reach to the environment. */
  readonly refused: boolean;
}

export interface ProcReader {
  /** Undefined where there is no such process, or none that we may see. Never throws. */
  process(pid: number): ProcessFacts | undefined;
}

export class Proc implements ProcReader {
  readonly #root: string;

  constructor(root = "/proc") {
    this.#root = root;
  }

  process(pid: number): ProcessFacts | undefined {
    const folder = `${this.#root}/${pid}`;
    const stat = attempt(() => parseStat(readFileSync(`${folder}/stat`, "latin1")));
    const cgroup = attempt(() => readFileSync(`${folder}/cgroup`, "utf8"));
    if (!isRead(stat) || stat === undefined || !isRead(cgroup)) return undefined;
    const exe = attempt(() => fileName(readlinkSync(`${folder}/exe`, { encoding: "buffer" })));
    const environment = attempt(() => readEnvironment(`${folder}/environ`));
    return {
      pid,
      startTicks: stat.startTicks,
      comm: stat.comm,
      exe: isRead(exe) ? exe.replace(/ \(deleted\)$/, "") : undefined,
      cgroup,
      environment: isRead(environment) ? environment : undefined,
      refused: !isRead(environment) && (environment.code === "EACCES" || environment.code === "EPERM"),
    };
  }
}

/** Field 2 may hold blanks and parentheses; field 22 is the start. Undefined for what is no stat line. */
function parseStat(text: string): { comm: string; startTicks: number } | undefined {
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  const startTicks = Number(text.slice(close + 2).split(" ")[22 - 3]);
  if (open < 0 || close < open || Number.isNaN(startTicks)) return undefined;
  return { comm: Buffer.from(text.slice(open + 1, close), "latin1").toString("utf8"), startTicks };
}

function readEnvironment(path: string): Environment | undefined {
  const fd = openSync(path, "r");
  try {
    return scanEnvironment(fd);
  } finally {
    closeSync(fd);
  }
}

class Refusal {
  readonly code: string | undefined;

  constructor(error: unknown) {
    this.code = (error as NodeJS.ErrnoException).code;
  }
}

/** A process may go at any moment, so that every read may fail: a value, not an exception. */
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
