// Cgroups that filters name: each path has a slot, which is a bit in each owner for the programs.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { skeleton } from "../../bpf/tracker/tracker.skel.ts";
import { cgroup2Mount } from "../identity/cgroup-paths.ts";
import { WirespanError } from "../plugin/errors.ts";
import { fieldOf } from "../plugin/skeleton.ts";

/** The size of `runtime_config.cgroups` in the tracker. */
const capacity = fieldOf(skeleton.runtimeConfig, "cgroups");
const MOST = capacity?.kind === "array" ? capacity.length : 0;

export interface WatchedCgroup {
  readonly path: string;
  readonly id: number;
  /** Levels below the root of the hierarchy, which is 0. */
  readonly level: number;
}

/** `/a//b/` and `a/b` are the same path. */
const cleaned = (path: string): string => path.split("/").filter(Boolean).join("/");

export class WatchedCgroups {
  readonly #mount: string;
  #places: readonly WatchedCgroup[] = [];

  constructor(mount: string = cgroup2Mount() ?? "/sys/fs/cgroup") {
    this.#mount = mount;
  }

  /**
   * Assigns a slot to each of these paths, if necessary one whose path is not in `held`, which programs still use. Returns
   * the slots that belong to another cgroup than before; a re-created cgroup counts as another. Throws CONFIG_INVALID,
   * without changing anything, if there is no such cgroup or no free slot.
   */
  watch(paths: readonly string[], held: readonly string[] = []): readonly number[] {
    const wanted = new Map(paths.map((path) => [cleaned(path), this.#read(path)]));
    const places = this.#places.map((before) => wanted.get(before.path) ?? before);
    const kept = new Set([...wanted.keys(), ...held.map(cleaned)]);
    for (const [path, cgroup] of wanted) {
      if (places.some((place) => place.path === path)) continue;
      const free = places.findIndex((place) => !kept.has(place.path));
      if (free < 0 && places.length === MOST)
        throw new WirespanError("CONFIG_INVALID", `filter: more than ${MOST} different cgroups`);
      places[free < 0 ? places.length : free] = cgroup;
    }
    const changed = [...places.keys()].filter((i) => places[i]!.id !== this.#places[i]?.id);
    this.#places = places;
    return changed;
  }

  /** The slot of a watched path. */
  index(path: string): number {
    return this.#places.findIndex((place) => place.path === cleaned(path));
  }

  #read(path: string): WatchedCgroup {
    const clean = cleaned(path);
    const folder = join(this.#mount, clean);
    try {
      return { path: clean, id: statSync(folder).ino, level: clean === "" ? 0 : clean.split("/").length };
    } catch (cause) {
      throw new WirespanError(
        "CONFIG_INVALID",
        `filter: no cgroup ${folder}; name one by its path below ${this.#mount}`,
        { cause },
      );
    }
  }

  /** The ids of the current cgroup, and of all below it. */
  below(index: number): readonly number[] {
    const found: number[] = [];
    const folders = [join(this.#mount, this.#places[index]!.path)];
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
    return this.#places;
  }
}
