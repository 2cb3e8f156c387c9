// How often a namespace's accept queues were full. Sockets do not count this: a listener's own drops include more
// (plugins/tcpdrop/README.md). The namespace's ListenOverflows is exact.
import { readFileSync, statSync } from "node:fs";
import { LruCache } from "../../core/plugin/lru.ts";

/** ListenOverflows from /proc/PID/net/netstat; undefined if absent. */
export function parseOverflows(netstat: string): number | undefined {
  const [names, values] = netstat.split("\n").filter((line) => line.startsWith("TcpExt:"));
  const at = names?.split(" ").indexOf("ListenOverflows") ?? -1;
  return at < 0 ? undefined : Number(values?.split(" ")[at]);
}

/** A network namespace with listeners. */
export interface Listening {
  readonly cookie: number;
  readonly inode: number;
  /** The processes that own the listeners. */
  readonly pids: Set<number>;
}

/** Number of namespaces whose first counts are remembered. */
const REMEMBERED = 4096;

/** Overflows since the agent started, by namespace. */
export class Overflows {
  readonly #numberOf: (pid: number) => number | undefined;
  /** By cookie. */
  readonly #before = new LruCache<number, number>(REMEMBERED);
  #first = true;

  /** `numberOf`: the process's number in /proc; undefined: none. */
  constructor(numberOf: (pid: number) => number | undefined) {
    this.#numberOf = numberOf;
  }

  /** Overflows of each namespace that can be read. */
  *collect(namespaces: Iterable<Listening>): Generator<readonly [Listening, number]> {
    for (const namespace of namespaces) {
      const count = this.#read(namespace);
      if (count === undefined) continue;
      // A namespace that had no listener when the agent started has had no overflow until then.
      const before = this.#before.get(namespace.cookie) ?? (this.#first ? count : 0);
      this.#before.set(namespace.cookie, before);
      yield [namespace, count - before];
    }
    this.#first = false;
  }

  /** Read through a process that lives in the namespace; undefined if none can be read. */
  #read({ inode, pids }: Listening): number | undefined {
    for (const pid of pids) {
      const number = this.#numberOf(pid);
      if (number === undefined) continue;
      try {
        if (statSync(`/proc/${number}/ns/net`).ino !== inode) continue;
        return parseOverflows(readFileSync(`/proc/${number}/net/netstat`, "latin1"));
      } catch {
        // It has exited, or may not be read; another may work.
      }
    }
    return undefined;
  }
}
