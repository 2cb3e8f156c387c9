import assert from "node:assert/strict";
import { type Images, REST, type Rows, WorkloadRows } from "./workload-rows.ts";

const IMAGE = 0x8000_0000;
/** Of two words: a sum, and a maximum. */
const VALUE = 16;

type Row = readonly [number: number, other: number, sum: bigint, max: bigint];

/** A kernel table, whose keys have a number and another field. */
class Table {
  #rows: Row[] = [];

  set(...rows: readonly Row[]): void {
    this.#rows = [...rows];
  }

  remove = (key: Uint8Array): void => {
    const [number, other] = new Uint32Array(key.slice().buffer);
    this.#rows = this.#rows.filter((row) => row[0] !== number || row[1] !== other);
  };

  get left(): readonly number[] {
    return this.#rows.map(([number]) => number);
  }

  /** What is passed on: workloads' rows after folding, then the others. */
  fold(folding: WorkloadRows): Row[] {
    const count = this.#rows.length;
    const keys = new Uint8Array(Uint32Array.from(this.#rows.flatMap(([n, o]) => [n, o] as const)).buffer);
    const values = new Uint8Array(BigUint64Array.from(this.#rows.flatMap(([, , s, m]) => [s, m])).buffer);
    const rows: Rows = { keys, values, count, keySize: 8, valueSize: VALUE };
    const own = this.#rows;
    const more = folding.fold(rows, this.remove);
    const words = new BigUint64Array(values.buffer);
    return [
      ...own.flatMap(([n, o], i): Row[] => (n >= IMAGE ? [] : [[n, o, words[2 * i]!, words[2 * i + 1]!]])),
      ...more.map(({ key, value }): Row => {
        const [n, o] = new Uint32Array(key.slice().buffer);
        const [sum, max] = new BigUint64Array(value.slice().buffer);
        return [n!, o!, sum!, max!];
      }),
    ];
  }
}

describe("workload rows", () => {
  let settled: Set<number>;
  let undecided: Set<number>;
  let table: Table;
  const images: Images = {
    workloadOf: (image) => {
      if (undecided.has(image)) return undefined;
      return image === IMAGE + 9 ? REST : 10 + ((image - IMAGE) % 2);
    },
    isSettled: (image) => settled.has(image),
  };
  const folding = (limit = 100) => new WorkloadRows(images, [1], limit);

  beforeEach(() => {
    settled = new Set();
    undecided = new Set();
    table = new Table();
  });

  it("are unchanged if no image has rows", () => {
    table.set([10, 1, 5n, 2n], [11, 1, 6n, 3n]);
    assert.deepEqual(table.fold(folding()), [
      [10, 1, 5n, 2n],
      [11, 1, 6n, 3n],
    ]);
  });

  it("include their images' rows, with carries and maxima", () => {
    const rows = folding();
    table.set(
      [10, 1, 0xffff_fffen, 2n],
      [IMAGE + 2, 1, 3n, 7n],
      [IMAGE + 4, 1, 1n, 1n],
      [IMAGE + 1, 1, 4n, 4n],
    );
    const expected = [
      [10, 1, 0x1_0000_0002n, 7n],
      [11, 1, 4n, 4n],
    ];
    assert.deepEqual(table.fold(rows), expected);
    assert.deepEqual(table.fold(rows), expected, "the next time, too");
  });

  it("of an image whose workload is not decided yet are held back, and nothing is lost", () => {
    const rows = folding();
    undecided.add(IMAGE + 2);
    table.set([10, 1, 5n, 2n], [IMAGE + 2, 1, 3n, 7n], [IMAGE + 2, 2, 1n, 1n]);
    assert.deepEqual(table.fold(rows), [[10, 1, 5n, 2n]]);
    undecided.clear();
    assert.deepEqual(table.fold(rows), [
      [10, 1, 8n, 7n],
      [10, 2, 1n, 1n],
    ]);
  });

  it("keep the sums of settled images, whose rows are removed from the table", () => {
    const rows = folding();
    settled.add(IMAGE + 2);
    table.set([IMAGE + 2, 1, 3n, 7n], [IMAGE + 2, 2, 1n, 1n]);
    const expected = [
      [10, 1, 3n, 7n],
      [10, 2, 1n, 1n],
    ];
    assert.deepEqual(table.fold(rows), expected);
    assert.deepEqual(table.left, []);
    assert.deepEqual(table.fold(rows), expected, "although the table is empty");
    table.set([10, 1, 100n, 1n], [IMAGE + 2, 1, 10n, 9n]);
    assert.deepEqual(table.fold(rows), [
      [10, 1, 113n, 9n],
      [10, 2, 1n, 1n],
    ]);
    table.set([10, 1, 100n, 1n]);
    assert.deepEqual(table.fold(rows)[0], [10, 1, 113n, 9n], "a row that came again is added once");
  });

  it("have the same sum, however many keys are remembered", () => {
    const rows = folding(2);
    let made = 0n;
    for (let i = 0; i < 50; i++) {
      settled.add(IMAGE + 2);
      table.set([IMAGE + 2, i, 3n, 1n]);
      made += 3n;
      const all = table.fold(rows);
      assert.equal(
        all.reduce((sum, row) => sum + row[2], 0n),
        made,
      );
    }
    assert.equal(table.fold(rows).filter(([number]) => number === 10).length, 2);
  });
});
