import assert from "node:assert/strict";
import type { LinkedRecord } from "../../bpf/tracker/tracker.skel.ts";
import { skeleton } from "../../bpf/tracker/tracker.skel.ts";
import type { Ring } from "../../native/index.ts";
import { RingReader } from "./ring-reader.ts";

const HEADER = 8;
/** Bytes of struct linked_record. */
const { size } = skeleton.records.spans;

/** A ring with records of the tracker. */
class Filled implements Ring {
  readonly pending = 0;
  readonly capacity = 0;
  #records: Uint8Array[] = [];

  add(owner: number, cookie: number): void {
    const bytes = new Uint8Array(HEADER + size);
    const words = new Uint32Array(bytes.buffer);
    words[0] = size;
    words[(HEADER + CONN + COOKIE) >> 2] = cookie;
    words[(HEADER + CONN + OWNER_WORKLOAD) >> 2] = owner;
    this.#records.push(bytes);
  }

  drain(onBatch: (words: Uint32Array, bytes: Uint8Array, length: number) => void): number {
    const records = this.#records.splice(0);
    if (records.length === 0) return 0;
    const bytes = new Uint8Array(Buffer.concat(records));
    onBatch(new Uint32Array(bytes.buffer), bytes, bytes.length);
    // The real buffer is reused.
    bytes.fill(0xff);
    return records.length;
  }

  close(): void {}
}

/** Offsets of fields in a record, from the generated cursors. */
const placed = new skeleton.records.spans.record();
const fields = (cursor: object) =>
  (cursor.constructor as unknown as { readonly fields: Record<string, { readonly at: number }> }).fields;
const zeroes = new Uint32Array(size >> 2);
placed.at(zeroes, new Uint8Array(zeroes.buffer), 0);
const CONN = fields(placed).connection!.at + fields(placed.connection).conn!.at;
const COOKIE = fields(placed.connection.conn).cookie!.at;
const OWNER_WORKLOAD =
  fields(placed.connection.conn).owner!.at + fields(placed.connection.conn.owner).workload!.at;

describe("records of processes whose workload is not decided yet", () => {
  let ring: Filled;
  let waiting: Set<number>;
  let handed: string[];
  let reader: RingReader;

  beforeEach(() => {
    ring = new Filled();
    waiting = new Set();
    handed = [];
    reader = new RingReader(
      ring,
      skeleton.records.spans,
      (record) => {
        const { cookie, owner } = (record as LinkedRecord).connection.conn;
        handed.push(`${owner.workload}:${cookie}`);
      },
      {
        before: () => handed.push("before"),
        waiting: {
          waits: ({ workload }) => waiting.has(workload),
          stopWaiting: () => waiting.clear(),
        },
      },
    );
  });

  it("are passed on in order when it is decided, and others' at once", () => {
    waiting.add(2).add(3);
    for (const [owner, cookie] of [
      [1, 10],
      [2, 20],
      [3, 30],
      [2, 21],
      [1, 11],
    ] as const)
      ring.add(owner, cookie);
    assert.equal(reader.drain(), 5);
    assert.deepEqual(handed.splice(0), ["before", "1:10", "1:11"]);
    reader.drain();
    assert.deepEqual(
      handed.splice(0).filter((each) => each !== "before"),
      [],
    );
    waiting.delete(2);
    ring.add(2, 22);
    reader.drain();
    assert.deepEqual(handed.splice(0), ["before", "2:20", "2:21", "before", "2:22"]);
    waiting.clear();
    reader.drain();
    assert.deepEqual(handed, ["before", "3:30"]);
  });

  it("are passed on at once if they exceed 4 MB", () => {
    waiting.add(2);
    const most = Math.floor((4 * 1024 * 1024) / size);
    for (let i = 1; i <= most + 1; i++) ring.add(2, i);
    reader.drain();
    assert.deepEqual([waiting.size, handed], [0, ["before", `2:${most + 1}`]]);
    reader.drain();
    assert.equal(handed.length, most + 3, "the others, behind what comes before");
  });
});
