// A plugin's table, read from its map and passed on row by row.
import type { BpfMap } from "../../native/index.ts";
import type { Cursor, TableRecords, TableRows } from "../plugin/skeleton.ts";
import { type Images, isOfImage, type Rows, WorkloadRows } from "./workload-rows.ts";

/** Size of the first buffer for values, in bytes. */
const FIRST_BYTES = 256 * 1024;

/** A map, completely read into buffers that grow with its content. */
class Snapshot {
  readonly #map: BpfMap;
  readonly #stride: number;
  #room: number;
  #keys!: Uint8Array;
  #values!: Uint8Array;
  #keyWords!: Uint32Array;
  #valueWords!: Uint32Array;

  /** `stride`: bytes of one entry's values. */
  constructor(map: BpfMap, stride: number) {
    this.#map = map;
    this.#stride = stride;
    // With many CPUs a row may be 100 kB or more.
    this.#room = Math.min(map.maxEntries, Math.max(1, Math.min(64, Math.floor(FIRST_BYTES / stride))));
    this.#allocate();
  }

  #allocate(): void {
    this.#keys = new Uint8Array(this.#room * this.#map.keySize);
    this.#values = new Uint8Array(this.#room * this.#stride);
    this.#keyWords = new Uint32Array(this.#keys.buffer, 0, this.#keys.length >> 2);
    this.#valueWords = new Uint32Array(this.#values.buffer, 0, this.#values.length >> 2);
  }

  /** Calls `read` with enough space; returns its result, the number of entries. */
  fill(read: (keys: Uint8Array, values: Uint8Array) => number): number {
    for (;;) {
      try {
        return read(this.#keys, this.#values);
      } catch (error) {
        const full = (error as NodeJS.ErrnoException).code === "ENOSPC";
        if (!full || this.#room >= this.#map.maxEntries) throw error;
        this.#room = Math.min(this.#map.maxEntries, this.#room * 4);
        this.#allocate();
      }
    }
  }

  /** Points a cursor at an entry's key. */
  key(cursor: Cursor, entry: number): void {
    cursor.at(this.#keyWords, this.#keys, entry * this.#map.keySize);
  }

  /** The first `count` entries. */
  rows(count: number): Rows {
    const { keySize } = this.#map;
    return { keys: this.#keys, values: this.#values, count, keySize, valueSize: this.#map.valueSize };
  }

  /** The entry's key, as the map expects it; valid until the next read. */
  keyBytes(entry: number): Uint8Array {
    return this.#keys.subarray(entry * this.#map.keySize, (entry + 1) * this.#map.keySize);
  }

  /** Points a cursor at this byte of the values. */
  value(cursor: Cursor, offset: number): void {
    cursor.at(this.#valueWords, this.#values, offset);
  }
}

/** A table's rows, summed over CPUs or not. */
export class TableReader implements TableRows<unknown, unknown> {
  readonly #map: BpfMap;
  readonly #handle: (rows: unknown) => void;
  readonly #maxWords: Uint32Array;
  readonly #cpus: number;
  /** A map's value may have more fields after the exported ones, which are private to the programs. */
  readonly #stride: number;
  readonly #key: Cursor;
  readonly #value: Cursor;
  readonly #sums: Snapshot;
  #shares: Snapshot | undefined;
  #row: Uint8Array | undefined;
  readonly #workloads: WorkloadRows | undefined;

  /** `images`: those whose sums a table by workload may hold. */
  constructor(
    map: BpfMap,
    table: TableRecords<unknown, unknown>,
    cpus: number,
    handle: (rows: unknown) => void,
    images?: Images,
  ) {
    this.#map = map;
    this.#handle = handle;
    this.#maxWords = Uint32Array.from(table.maxWords);
    this.#cpus = cpus;
    this.#stride = map.valueSize;
    this.#key = new table.key() as Cursor;
    this.#value = new table.value() as Cursor;
    this.#sums = new Snapshot(map, this.#stride);
    if (table.byWorkload && images)
      this.#workloads = new WorkloadRows(images, table.maxWords, map.maxEntries);
  }

  read(): void {
    this.#handle(this);
  }

  *[Symbol.iterator](): Generator<readonly [unknown, unknown]> {
    const sums = this.#sums;
    const count = sums.fill((keys, values) => this.#map.read(keys, values, this.#maxWords));
    const row = [this.#key, this.#value] as const;
    const rows = sums.rows(count);
    const more = this.#workloads?.fold(rows, (key) => void this.#map.delete(key)) ?? [];
    for (let i = 0; i < count; i++) {
      if (this.#workloads && isOfImage(rows, i)) continue;
      sums.key(this.#key, i);
      sums.value(this.#value, i * this.#stride);
      this.#row = sums.keyBytes(i);
      yield row;
    }
    this.#row = undefined;
    for (const { key, value } of more) {
      const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
      this.#key.at(new Uint32Array(key.buffer, key.byteOffset, key.length >> 2), key, 0);
      this.#value.at(value, bytes, 0);
      yield row;
    }
  }

  remove(): void {
    if (this.#row) this.#map.delete(this.#row);
  }

  *perCpu(): Generator<readonly [unknown, unknown, number]> {
    this.#shares ??= new Snapshot(this.#map, this.#stride * this.#cpus);
    const shares = this.#shares;
    const count = shares.fill((keys, values) => this.#map.readPerCpu(keys, values));
    for (let i = 0; i < count; i++) {
      shares.key(this.#key, i);
      for (let cpu = 0; cpu < this.#cpus; cpu++) {
        shares.value(this.#value, (i * this.#cpus + cpu) * this.#stride);
        yield [this.#key, this.#value, cpu];
      }
    }
  }
}
