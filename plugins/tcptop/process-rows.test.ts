import assert from "node:assert/strict";
import type { TableRows } from "../../core/plugin/skeleton.ts";
import { ProcessRows } from "./process-rows.ts";
import type { ProcessKey, Task, Usage } from "./tcptop.skel.ts";
import { Top } from "./top.ts";

/** Content of the kernel's table: bytes sent by pid and time unit. */
class Table implements TableRows<ProcessKey, Usage> {
  readonly rows = new Map<string, number>();
  #at: string | undefined;

  *[Symbol.iterator](): Generator<readonly [ProcessKey, Usage]> {
    for (const [row, sentBytes] of this.rows) {
      const [pid = 0, span = 0] = row.split("/").map(Number);
      const task: Task = {
        ...{ pid, tid: pid, uid: 0, cgroups: 0, cgroupId: 1, mntns: 2 },
        ...{ workload: 0, startedAt: 5, comm: "worker", exe: 3 },
      };
      this.#at = row;
      yield [
        { pid, span, startedAt: 5, exe: 3 },
        { sentBytes, receivedBytes: 0, task },
      ];
    }
  }

  perCpu(): never {
    throw new Error("not of this table");
  }

  remove(): void {
    if (this.#at !== undefined) this.rows.delete(this.#at);
  }
}

describe("tcptop's rows of processes", () => {
  it("count for the difference to the last read, and are removed when they are written no more", () => {
    const top = new Top<Task>(10);
    const rows = new ProcessRows(top);
    const table = new Table();
    const sent = () => {
      rows.read(table);
      top.settle(0);
      return top.shares.map((share) => [share.who.pid, share.sent]);
    };
    table.rows.set("1/7", 100);
    assert.deepEqual(sent(), [[1, 100]]);
    table.rows.set("1/7", 130).set("2/7", 5);
    assert.deepEqual(sent(), [
      [1, 130],
      [2, 5],
    ]);
    table.rows.set("1/8", 20);
    sent();
    // A program that began in unit 7 may still be running.
    table.rows.set("1/7", 131).set("2/9", 1);
    assert.deepEqual(sent(), [
      [1, 151],
      [2, 6],
    ]);
    assert.deepEqual([...table.rows.keys()], ["1/7", "2/7", "1/8", "2/9"]);
    assert.deepEqual(sent(), [
      [1, 151],
      [2, 6],
    ]);
    assert.deepEqual([...table.rows.keys()], ["1/8", "2/9"]);
    assert.deepEqual(sent(), [
      [1, 151],
      [2, 6],
    ]);
  });

  it("add traffic without a row to the rest, once", () => {
    const top = new Top<Task>(10);
    const rows = new ProcessRows(top);
    rows.readRest({ sent: 10, received: 4 });
    rows.readRest({ sent: 10, received: 4 });
    rows.readRest({ sent: 15, received: 4 });
    assert.deepEqual(top.rest, { sent: 15, received: 4 });
  });
});
