// Files that contain the functions with which applications hand requests to OpenSSL (bpf/context/tls.h): libraries that
// a process has mapped, and executables that export them. Each is traced once, in all processes that map it now or
// later. Tests: core/engine/tls-libraries.kernel.test.ts.
import { readdirSync, readlinkSync, statSync } from "node:fs";
import type { NativeError } from "../../native/index.ts";
import { readPrivileges } from "../bridge/refusal.ts";
import { mapsOf } from "../identity/address-space.ts";
import type { Log } from "../plugin/log.ts";

const FUNCTIONS = ["SSL_write", "SSL_write_ex"];
/** Maximum number of files: each slows down its processes, and takes descriptors. */
const mostFiles = 64;
/** Maximum number of files that are remembered because they have no such functions. */
const mostOthers = 4096;
/** Processes examined per second, kernel threads aside. */
const mostLooks = 100;
/** Longest pause between two looks at one process, which may load a library at any time; seconds. */
const longestPause = 64;

/** At a process. */
interface Look {
  /** 0: it has not been examined yet. */
  pause: number;
  due: number;
  /** Traced files that it had mapped. */
  maps: readonly string[];
}

/** A traced file. */
interface Watched {
  readonly path: string;
  readonly links: readonly number[];
  /** Seconds for which no examined process has mapped it. */
  unmapped: number;
}

/** A file in a process's memory. */
interface Mapped {
  /** Its device and inode. */
  readonly key: string;
  readonly inode: number;
  readonly path: string;
  /** Its paths; the agent may be allowed to open one of them. */
  readonly names: readonly string[];
  readonly isLibrary: boolean;
}

const isLibrary = (path: string): boolean => /\/libssl(-[^/]+)?\.so[^/]*$/.test(path);

function mappedBy(folder: string): readonly Mapped[] {
  const lines = /^([0-9a-f]+)-([0-9a-f]+) ..x. \S+ (\S+) (\d+) +(\/.*)$/gm;
  return Array.from(mapsOf(folder).matchAll(lines), ([, start, end, device, inode, name]) => {
    const path = name!.replace(/ \(deleted\)$/, "");
    const range = [start, end].map((at) => Number.parseInt(at!, 16).toString(16)).join("-");
    return {
      key: `${device} ${inode}`,
      inode: Number(inode),
      path,
      names: [`${folder}/map_files/${range}`, `${folder}/root${path}`, path],
      isLibrary: isLibrary(path),
    };
  });
}

/** Undefined: it is not there, or not this agent's to open, as /proc/PID/map_files without CAP_CHECKPOINT_RESTORE. */
function inodeOf(path: string): number | undefined {
  try {
    return statSync(path).ino;
  } catch {
    return undefined;
  }
}

export interface TlsLibrariesOptions {
  /** Attaches the programs for a function's entry and return; throws NativeError. */
  attach(path: string, symbol: string): readonly number[];
  detach(links: readonly number[]): void;
  readonly log: Log;
}

export class TlsLibraries {
  readonly #options: TlsLibrariesOptions;
  readonly #looks = new Map<string, Look>();
  /** By device and inode. */
  readonly #watched = new Map<string, Watched>();
  readonly #others = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  #refusal: string | undefined;
  /** Whatever the file. */
  #isForbidden = false;

  constructor(options: TlsLibrariesOptions) {
    this.#options = options;
    this.#look();
    this.#timer = setInterval(() => this.#look(), 1000).unref();
  }

  get paths(): readonly string[] {
    return Array.from(this.#watched.values(), ({ path }) => path);
  }

  /** Number of processes that are still to be examined for the first time. */
  get unexamined(): number {
    return [...this.#looks.values()].filter(({ pause }) => pause === 0).length;
  }

  /** Examines them, for at most that time in milliseconds. */
  examineRest(mostMs: number): void {
    const end = performance.now() + mostMs;
    for (const [pid, look] of this.#looks)
      if (look.pause === 0 && !this.#isForbidden && performance.now() < end) this.#examine(pid, look);
  }

  /** The reasons why files are not traced. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const pids = new Set(readdirSync("/proc").filter((name) => /^\d+$/.test(name)));
    for (const pid of this.#looks.keys()) if (!pids.has(pid)) this.#looks.delete(pid);
    let left = mostLooks;
    for (const pid of pids) {
      const look = this.#looks.get(pid) ?? { pause: 0, due: 0, maps: [] };
      this.#looks.set(pid, look);
      if (--look.due > 0 || left === 0 || this.#isForbidden) continue;
      if (this.#examine(pid, look)) left--;
    }
    this.#releaseUnmapped();
  }

  get #mapped(): ReadonlySet<string> {
    return new Set([...this.#looks.values()].flatMap(({ maps }) => maps));
  }

  /** A traced file cannot be deleted from its disk, nor its file system unmounted. */
  #releaseUnmapped(): void {
    const mapped = this.#mapped;
    for (const [key, file] of this.#watched) {
      file.unmapped = mapped.has(key) ? 0 : file.unmapped + 1;
      // By then, each process has been examined since.
      if (file.unmapped > longestPause) this.#release(key, file);
    }
  }

  /** Releases the file that has been unmapped for the longest time; false if all are mapped. */
  #makeRoom(): boolean {
    const mapped = this.#mapped;
    const unmapped = [...this.#watched].filter(([key]) => !mapped.has(key));
    const [first] = unmapped.toSorted(([, a], [, b]) => b.unmapped - a.unmapped);
    if (first) this.#release(...first);
    return first !== undefined;
  }

  #release(key: string, { path, links }: Watched): void {
    this.#watched.delete(key);
    this.#options.detach(links);
    this.#options.log.info({ path }, "a TLS library that no process maps is no longer traced");
  }

  /** Whether it could be read: a process may end at any time, and may not be this agent's to read. */
  #examine(pid: string, look: Look): boolean {
    look.due = look.pause || 1;
    look.pause = Math.min(look.due * 2, longestPause);
    const folder = `/proc/${pid}`;
    try {
      const program = readlinkSync(`${folder}/exe`).replace(/ \(deleted\)$/, "");
      const files = mappedBy(folder);
      // None of them is released for another one.
      look.maps = files.map(({ key }) => key).filter((key) => this.#watched.has(key));
      for (const file of files) {
        if (this.#isForbidden || this.#watched.has(file.key) || this.#others.has(file.key)) continue;
        if (!file.isLibrary && file.path !== program) continue;
        this.#watch(file);
        if (this.#watched.has(file.key)) look.maps = [...look.maps, file.key];
      }
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" || code === "ESRCH") return false;
      if (code !== "EACCES" && code !== "EPERM") throw error;
      this.#refusal ??= `${code}: other users' processes require CAP_SYS_PTRACE`;
      return false;
    }
  }

  #watch(file: Mapped): void {
    if (this.#watched.size >= mostFiles && !this.#makeRoom()) {
      this.#say(file, `no more than ${mostFiles} files are watched`);
      return;
    }
    const name = file.names.find((one) => inodeOf(one) === file.inode);
    if (name === undefined) {
      if (file.isLibrary) this.#refuse(file, "it cannot be opened");
      return;
    }
    const links = FUNCTIONS.flatMap((symbol) => this.#attach(file, name, symbol));
    if (links.length > 0) {
      this.#watched.set(file.key, { path: file.path, links, unmapped: 0 });
      this.#options.log.info({ path: file.path }, "requests in a TLS library are read");
    } else this.#forget(file);
  }

  /** Links to the function; none if the file does not have it. */
  #attach(file: Mapped, name: string, symbol: string): readonly number[] {
    if (this.#isForbidden) return [];
    try {
      return this.#options.attach(name, symbol);
    } catch (error) {
      const { code, message } = error as NativeError;
      this.#isForbidden = code === "EACCES" && !readPrivileges()?.capabilities.has("CAP_SYS_ADMIN");
      if (this.#isForbidden) this.#refuse(file, `${code}: uprobes require CAP_SYS_ADMIN`);
      else if (code !== "ENOENT") this.#refuse(file, message);
      return [];
    }
  }

  #refuse(file: Mapped, why: string): void {
    this.#forget(file);
    this.#say(file, why);
  }

  #say({ path }: Mapped, why: string): void {
    const refusal = `${path}: ${why}`;
    if (refusal === this.#refusal) return;
    this.#refusal = refusal;
    this.#options.log.warn({ path }, `requests in a TLS library are not read: ${why}`);
  }

  #forget({ key }: Mapped): void {
    const [oldest] = this.#others;
    if (this.#others.size >= mostOthers) this.#others.delete(oldest!);
    this.#others.add(key);
  }
}
