// The kernel's rows of processes, of which only the difference to the last collection counts.
import type { TableRows } from "../../core/plugin/skeleton.ts";
import type { ProcessKey, Task, Usage } from "./tcptop.skel.ts";
import type { Bytes, Top } from "./top.ts";

/** Reads the table, and removes rows that are no longer written. */
export class ProcessRows {
  readonly #top: Top<Task>;
  #read = new Map<string, Bytes>();
  #rest: Bytes = { sent: 0, received: 0 };
  /** The latest time unit in which a row was created, as of the last collection. */
  #newest = 0;

  constructor(top: Top<Task>) {
    this.#top = top;
  }

  read(table: TableRows<ProcessKey, Usage>): void {
    const read = new Map<string, Bytes>();
    const settled = this.#newest - 1;
    for (const [{ pid, startedAt, exe, span }, { sentBytes, receivedBytes, task }] of table) {
      const id = `${pid} ${startedAt} ${exe}`;
      const row = `${span} ${id}`;
      const all = { sent: sentBytes, received: receivedBytes };
      this.#top.add(id, copyOf(task), less(all, this.#read.get(row)));
      this.#newest = Math.max(this.#newest, span);
      if (span < settled) table.remove();
      else read.set(row, all);
    }
    this.#read = read;
  }

  /** What did not fit in a row, since the start. */
  readRest(all: Bytes): void {
    this.#top.addToRest(less(all, this.#rest));
    this.#rest = all;
  }
}

export function less(all: Bytes, before: Bytes | undefined): Bytes {
  if (!before) return all;
  return { sent: all.sent - before.sent, received: all.received - before.received };
}

/** A copy that outlives the table that it is read from. */
function copyOf({ pid, tid, uid, cgroups, cgroupId, mntns, workload, startedAt, comm, exe }: Task): Task {
  return { pid, tid, uid, cgroups, cgroupId, mntns, workload, startedAt, comm, exe };
}
