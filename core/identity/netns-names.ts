// Names of network namespaces, as `ip netns` and container runtimes bind them to files.
import { closeSync, openSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { LruCache } from "../plugin/lru.ts";
import type { Namespaces, NetnsAttributes } from "../plugin/services.ts";

/** Folders with files that are bound to namespaces: ip netns, CNI and containerd; Docker. */
const FOLDERS = ["/run/netns", "/run/docker/netns"];

/** Number of namespaces that are remembered. */
const REMEMBERED = 4096;

export class NetnsNames implements Namespaces {
  readonly #cookieOf: (fd: number) => number;
  readonly #folders: readonly string[];
  /** By cookie; empty: it had no name. */
  readonly #names = new LruCache<number, string>(REMEMBERED);

  /** `cookieOf`: the cookie of a descriptor's namespace; throws if it may not be entered. */
  constructor(cookieOf: (fd: number) => number, folders = FOLDERS) {
    this.#cookieOf = cookieOf;
    this.#folders = folders;
  }

  /**
   * The name that it had when it was first looked up: a series must not become another one because its namespace has
   * got a name. Undefined: it had none, or none that is visible from here.
   */
  of(cookie: number, inode: number): string | undefined {
    let name = this.#names.get(cookie);
    if (name === undefined) {
      name = this.#find(cookie, inode) ?? "";
      this.#names.set(cookie, name);
    }
    return name || undefined;
  }

  /** Distinguishes it from all others, and its name. */
  attributes(cookie: number, inode: number): NetnsAttributes {
    return {
      "wirespan.netns.cookie": cookie || undefined,
      "wirespan.netns.inode": inode || undefined,
      "wirespan.netns.name": cookie ? this.of(cookie, inode) : undefined,
    };
  }

  #find(cookie: number, inode: number): string | undefined {
    for (const folder of this.#folders) {
      for (const name of filesIn(folder)) {
        if (this.#is(join(folder, name), cookie, inode)) return name;
      }
    }
    return undefined;
  }

  /** The inode may have belonged to another namespace a moment ago: the cookie decides, if it can be read. */
  #is(path: string, cookie: number, inode: number): boolean {
    let fd: number;
    try {
      if (statSync(path).ino !== inode) return false;
      fd = openSync(path, "r");
    } catch {
      return false; // it has just ended
    }
    try {
      return this.#cookieOf(fd) === cookie;
    } catch {
      return true;
    } finally {
      closeSync(fd);
    }
  }
}

function filesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
