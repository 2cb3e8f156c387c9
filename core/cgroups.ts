// Cgroups that filters name: each path once, as an id and a level, in a list that the kernel side watches.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { WirespanError } from "./errors.ts";

const MOST = 16;

export interface WatchedCgroup {
  readonly id: number;
  /** Below the root of the hierarchy, which is 0. */
  readonly level: number;
}

function unifiedMount(): string {
  const line = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .find((l) => l.split(" ")[2] === "cgroup2");
  return line?.split(" ")[1] ?? "/sys/fs/cgroup";
}

export class WatchedCgroups {
  readonly #paths: string[] = [];
  readonly #cgroups: WatchedCgroup[] = [];
  readonly #mount: string;

  constructor(mount: string = unifiedMount()) {
    this.#mount = mount;
  }

  /** Where in the list a path stands; throws CONFIG_INVALID where there is no such cgroup, or no room. */
  index(path: string): number {
    const parts = path.split("/").filter(Boolean);
    const clean = parts.join("/");
    const known = this.#paths.indexOf(clean);
    if (known >= 0) return known;
    if (this.#paths.length === MOST) {
      throw new WirespanError("CONFIG_INVALID", `filter: more than ${MOST} different cgroups`);
    }
    const folder = join(this.#mount, clean);
    try {
      this.#cgroups.push({ id: statSync(folder).ino, level: parts.length });
    } catch (cause) {
      throw new WirespanError(
        "CONFIG_INVALID",
        `filter: no cgroup ${folder}; name one by its path below ${this.#mount}`,
        { cause },
      );
    }
    return this.#paths.push(clean) - 1;
  }

  /** The ids of the one that stands there, and of all that is below it now. */
  below(index: number): readonly number[] {
    const found: number[] = [];
    const folders = [join(this.#mount, this.#paths[index]!)];
    for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
      try {
        found.push(statSync(folder).ino);
        for (const entry of readdirSync(folder, { withFileTypes: true }))
          if (entry.isDirectory()) folders.push(join(folder, entry.name));
      } catch {
        // removed a moment ago
      }
    }
    return found;
  }

  get all(): readonly WatchedCgroup[] {
    return this.#cgroups;
  }
}
