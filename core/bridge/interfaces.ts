// Network interfaces' own statistics, in every network namespace that this process can enter.
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Native } from "../../native/index.ts";
import type { FoundLinks, Interfaces, NetnsLinks } from "../plugin/services.ts";

/** Errors of namespaces and processes that have just ended, which are ignored. */
const GONE = new Set(["ENOENT", "ESRCH"]);

const inodeOf = (link: string): number => Number(/^net:\[(\d+)\]$/.exec(link)?.[1] ?? 0);

/** Paths of namespaces by inode: mounted ones, and those of processes. */
class Namespaces {
  readonly paths = new Map<number, string>();
  refused: NodeJS.ErrnoException | undefined;

  constructor() {
    for (const line of readFileSync("/proc/self/mountinfo", "utf8").split("\n")) {
      const [, root = "", path = ""] = / (net:\[\d+\]) (\S+) .* - nsfs /.exec(line) ?? [];
      if (root)
        this.#add(
          inodeOf(root),
          path.replace(/\\(\d{3})/g, (_, code) => octal(code)),
        );
    }
    for (const name of readdirSync("/proc")) {
      const path = `/proc/${name}/ns/net`;
      if (/^\d+$/.test(name)) this.attempt(() => this.#add(inodeOf(readlinkSync(path)), path));
    }
  }

  attempt<T>(what: () => T): T | undefined {
    try {
      return what();
    } catch (error) {
      if (!GONE.has((error as NodeJS.ErrnoException).code ?? ""))
        this.refused ??= error as NodeJS.ErrnoException;
      return undefined;
    }
  }

  #add(inode: number, path: string): void {
    if (inode && !this.paths.has(inode)) this.paths.set(inode, path);
  }
}

const octal = (code: string): string => String.fromCharCode(Number.parseInt(code, 8));

/** The interfaces of the namespaces that a filter lets pass. */
export class FilteredInterfaces implements Interfaces {
  readonly #native: Pick<Native, "netnsLinks">;
  readonly #passes: (netns: number) => boolean;

  constructor(native: Pick<Native, "netnsLinks">, passes: (netns: number) => boolean) {
    this.#native = native;
    this.#passes = passes;
  }

  read(): FoundLinks {
    const all = new Namespaces();
    const namespaces: NetnsLinks[] = [];
    for (const [netns, path] of all.paths) {
      if (!this.#passes(netns)) continue;
      const found = all.attempt(() => this.#enter(netns, path));
      if (found) namespaces.push(found);
    }
    return { namespaces, refused: all.refused };
  }

  /** Nothing if the path now belongs to another namespace. */
  #enter(netns: number, path: string): NetnsLinks | undefined {
    const fd = openSync(path, "r");
    try {
      return fstatSync(fd).ino === netns ? { netns, ...this.#native.netnsLinks(fd) } : undefined;
    } finally {
      closeSync(fd);
    }
  }
}
