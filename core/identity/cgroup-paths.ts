// Paths of cgroups by the kernel's id, for processes that end before /proc is read.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { LruCache } from "../plugin/lru.ts";

export interface CgroupPathsOptions {
  /** Maximum number of directories that one walk visits (default 8192). */
  readonly directories?: number;
  /**
   * Pause before the next walk, as a multiple of the last one's duration (default 20: at most a twentieth of one CPU).
   */
  readonly pause?: number;
}

/** Average bytes of a path, and the overhead of each in addition to its text. */
const BYTES = 512;
const OVERHEAD = 64;

/** In cgroup v2 a directory's inode number is the id that BPF programs see. */
export class CgroupPaths {
  readonly #mount: string | undefined;
  readonly #directories: number;
  readonly #pause: number;
  readonly #paths: LruCache<number, string>;
  // The kernel never reuses an id: what one walk did not find, none will.
  readonly #missing: LruCache<number, true>;
  #nextWalk = 0;

  /** `mount`: the mount point of cgroup v2; undefined if it is not mounted, and then nothing is found. */
  constructor(mount: string | undefined, { directories = 8192, pause = 20 }: CgroupPathsOptions = {}) {
    this.#mount = mount;
    this.#directories = directories;
    this.#pause = pause;
    // Twice, because half of an LruCache may be dropped at once. A path may have 4,096 bytes, a container's in
    // Kubernetes has 200.
    this.#paths = new LruCache(2 * directories * BYTES, (_, path) => OVERHEAD + path.length);
    this.#missing = new LruCache(2 * directories);
  }

  /** Stores a process's path if it really belongs to the id, because processes move. */
  learn(id: number, path: string): void {
    if (this.#mount === undefined || this.#paths.get(id) !== undefined) return;
    // Inside a cgroup namespace, cgroups outside of it are above the root.
    const below = `/${path
      .split("/")
      .filter((name) => name !== "" && name !== "..")
      .join("/")}`;
    if (inode(join(this.#mount, below)) === id) this.#paths.set(id, below);
  }

  /** The path below the mount point, `/` for the root; undefined for an unknown or removed cgroup. */
  path(id: number): string | undefined {
    const known = this.#paths.get(id);
    if (known !== undefined || this.#mount === undefined || this.#missing.get(id)) return known;
    const start = performance.now();
    if (start < this.#nextWalk) return undefined;
    this.#walk(this.#mount, id);
    const end = performance.now();
    this.#nextWalk = end + this.#pause * (end - start);
    const found = this.#paths.get(id);
    if (found === undefined) this.#missing.set(id, true);
    return found;
  }

  /** Breadth first, until the id is found; all visited paths are stored. */
  #walk(mount: string, wanted: number): void {
    const waiting = ["/"];
    for (let i = 0; i < waiting.length && i < this.#directories; i++) {
      const path = waiting[i]!;
      const id = inode(join(mount, path));
      if (id === undefined) continue;
      this.#paths.set(id, path);
      if (id === wanted) return;
      for (const name of directoriesIn(join(mount, path))) waiting.push(join(path, name));
    }
  }
}

/**
 * Where this process sees cgroup v2, the whole hierarchy rather than a part of it; undefined if it is not mounted.
 * Inside a cgroup namespace the host's root is further up (`/../..`), and `/` is the agent's own subtree.
 */
export function cgroup2Mount(mountinfo = "/proc/self/mountinfo"): string | undefined {
  const mounts = readFileSync(mountinfo, "utf8")
    .split("\n")
    .map((line) => line.split(" "))
    .filter((fields) => fields[fields.indexOf("-") + 1] === "cgroup2");
  const mount =
    mounts.find((fields) => /^(\/\.\.)+$/.test(fields[3] ?? "")) ??
    mounts.find((fields) => fields[3] === "/") ??
    mounts[0];
  return mount?.[4]?.replace(/\\(\d{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}

function inode(path: string): number | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })?.ino;
  } catch {
    return undefined;
  }
}

function directoriesIn(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    // Removed since its parent was read, or not readable.
    return [];
  }
}
