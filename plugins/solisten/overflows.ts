// How often a namespace's accept queues were full. No socket keeps that number: a listener's own drops hold
// more (plugins/tcpdrop/README.md). The namespace's ListenOverflows is exact.
import { readFileSync, statSync } from "node:fs";

/** ListenOverflows out of /proc/PID/net/netstat; undefined where it is not there. */
export function parseOverflows(netstat: string): number | undefined {
  const [names, values] = netstat.split("\n").filter((line) => line.startsWith("TcpExt:"));
  const at = names?.split(" ").indexOf("ListenOverflows") ?? -1;
  return at < 0 ? undefined : Number(values?.split(" ")[at]);
}

/** What is read through a process that lives in the namespace; undefined where none can be read through. */
function read(netns: number, pids: Iterable<number>): number | undefined {
  for (const pid of pids) {
    try {
      if (statSync(`/proc/${pid}/ns/net`).ino !== netns) continue;
      return parseOverflows(readFileSync(`/proc/${pid}/net/netstat`, "latin1"));
    } catch {
      // It has ended, or is not ours to look at; another may do.
    }
  }
  return undefined;
}

/** Overflows since the agent started, by namespace. */
export class Overflows {
  readonly #before = new Map<number, number>();
  readonly #now = new Map<number, number>();
  #first = true;

  /** `listeners`: for each namespace that has any, the processes they belong to. */
  collect(listeners: ReadonlyMap<number, ReadonlySet<number>>): Iterable<readonly [number, number]> {
    for (const [netns, pids] of listeners) {
      const count = read(netns, pids);
      if (count === undefined) continue;
      // A namespace that had no listener when the agent started has had no overflow until then.
      if (!this.#before.has(netns)) this.#before.set(netns, this.#first ? count : 0);
      this.#now.set(netns, count - this.#before.get(netns)!);
    }
    this.#first = false;
    return this.#now;
  }
}
