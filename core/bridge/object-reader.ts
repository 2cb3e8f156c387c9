// All records of a loaded object: passes them to the handlers of the same names. Tests: the kernel test of each plugin.
import type { BpfMap, BpfObject, Native, Ring } from "../../native/index.ts";
import type { Cursor, RowRecords, Skeleton } from "../plugin/skeleton.ts";
import { RingReader, type RingReaderOptions } from "./ring-reader.ts";
import { readU64Array } from "./runtime.ts";
import { TableReader } from "./table-reader.ts";
import type { Images } from "./workload-rows.ts";

/** Handlers by the name of what they receive; a plugin's are typed by its skeleton. */
export type AnyHandlers = Readonly<Record<string, (given: unknown) => void>>;

/** Bytes of struct row_header (bpf/include/wirespan/sweep.h): the owner's bit, and the length of the row after it. */
const HEADER = 8;

/** The rows of one owner among those that a sweep has written. */
function* rowsOf(bytes: Uint8Array, owner: number, records: RowRecords<unknown>): Generator<unknown> {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  const record = new records.record() as Cursor;
  for (let at = 0; at < bytes.length; at += HEADER + words[(at >> 2) + 1]!) {
    if (words[at >> 2] !== owner) continue;
    record.at(words, bytes, at + HEADER);
    yield record;
  }
}

export interface ObjectReaderOptions extends RingReaderOptions {
  /** The images whose rows tables by workload may hold. */
  readonly images?: Images;
}

/** Reads all records of one object. */
export class ObjectReader {
  readonly rings: readonly Ring[];
  readonly #object: BpfObject;
  readonly #rings: RingReader[] = [];
  readonly #tables: TableReader[] = [];
  readonly #takeRows: ((bytes: Uint8Array, owner: number) => void)[] = [];
  readonly #counters: BpfMap | undefined;
  readonly #names: readonly string[];
  readonly #collected: (() => void) | undefined;

  constructor(
    native: Native,
    object: BpfObject,
    skeleton: Skeleton,
    handlers: AnyHandlers,
    { images, ...ofRings }: ObjectReaderOptions = {},
  ) {
    this.#object = object;
    this.#names = skeleton.counters;
    this.#collected = handlers.collected as (() => void) | undefined;
    this.#counters = skeleton.counters.length ? object.map("counters") : undefined;
    const { cpus } = native.features();
    for (const [name, records] of Object.entries(skeleton.records)) {
      const handle = handlers[name]!;
      if (records.kind === "ring")
        this.#rings.push(new RingReader(native.openRing(object.map(name)), records, handle, ofRings));
      else if (records.kind === "table")
        this.#tables.push(new TableReader(object.map(name), records, cpus, handle, images));
      else this.#takeRows.push((bytes, owner) => handle(rowsOf(bytes, owner, records)));
    }
    this.rings = this.#rings.map(({ ring }) => ring);
  }

  /** Passes on the records in the rings; returns their number. */
  drain(): number {
    return this.#rings.reduce((sum, ring) => sum + ring.drain(), 0);
  }

  /** Passes on the rows that a sweep has written for this owner: the plugin's bit, or 0. */
  takeRows(bytes: Uint8Array, owner: number): void {
    for (const take of this.#takeRows) take(bytes, owner);
  }

  /** Passes on the tables, which ends a collection. */
  readTables(): void {
    for (const table of this.#tables) table.read();
    this.#collected?.();
  }

  /** The object's own counters, summed over CPUs, and `unhandled_records` if there are any. */
  counters(): Readonly<Record<string, number>> {
    const unhandled = this.#rings.reduce((sum, ring) => sum + ring.unhandled, 0);
    return { ...this.#counted(), ...(unhandled > 0 && { unhandled_records: unhandled }) };
  }

  #counted(): Readonly<Record<string, number>> {
    if (!this.#counters) return {};
    const words = new Uint32Array(this.#names.length * 2);
    this.#counters.read(new Uint8Array(4), new Uint8Array(words.buffer));
    const values = readU64Array(words, 0, this.#names.length);
    return Object.fromEntries(this.#names.map((name, i) => [name, values[i]!]));
  }

  close(): void {
    for (const ring of this.rings) ring.close();
    this.#object.close();
  }
}
