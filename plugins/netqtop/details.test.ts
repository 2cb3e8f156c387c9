import assert from "node:assert/strict";
import type { TableRows } from "../../core/plugin/skeleton.ts";
import { MovingRows } from "./details.ts";
import type { QueueId } from "./netqtop.skel.ts";

const place = (ifindex: number): QueueId => ({
  ...{ netnsCookie: 7, name: "eth0", ifindex, netns: 4026531840, queue: 0, padding: 0 },
});

/** A table with one number per interface. */
class Table implements TableRows<QueueId, number> {
  readonly rows: Map<number, number>;
  #at = 0;

  constructor(rows: Readonly<Record<number, number>>) {
    this.rows = new Map(Object.entries(rows).map(([ifindex, value]) => [Number(ifindex), value]));
  }

  *[Symbol.iterator](): Generator<readonly [QueueId, number]> {
    for (const [ifindex, value] of [...this.rows]) {
      this.#at = ifindex;
      yield [place(ifindex), value];
    }
  }

  remove(): void {
    this.rows.delete(this.#at);
  }

  perCpu(): never {
    throw new Error("not per CPU");
  }
}

describe("netqtop's rows of interfaces", () => {
  const minute = 60_000;
  const read = (moving: MovingRows, table: Table, now: number) =>
    [...moving.of(table, (value) => value, now)].map(([{ ifindex }]) => ifindex);

  it("are removed from the kernel's table after five minutes without change", () => {
    const moving = new MovingRows();
    const table = new Table({ 1: 10, 2: 20 });
    assert.deepEqual(read(moving, table, 0), [1, 2]);
    table.rows.set(2, 21);
    assert.deepEqual(read(moving, table, 4 * minute), [1, 2]);
    assert.deepEqual(read(moving, table, 5 * minute), [2]);
    assert.deepEqual([...table.rows.keys()], [2]);
    assert.deepEqual(read(moving, table, 9 * minute), []);
  });

  it("start over when they return", () => {
    const moving = new MovingRows();
    read(moving, new Table({ 1: 10 }), 0);
    read(moving, new Table({ 1: 10 }), 5 * minute);
    assert.deepEqual(read(moving, new Table({ 1: 10 }), 6 * minute), [1]);
  });
});
