// From a loaded object's maps to the handlers of its records.
import type { BpfMap, BpfObject, Native, Ring } from "../../native/index.ts";
import type { Cursor, RingRecords, RowRecords, Skeleton } from "../plugin/skeleton.ts";
import { TableFeed } from "./table-reader.ts";
import type { Images } from "./workload-rows.ts";

type AnyHandlers = Readonly<Record<string, (fed: never) => void>>;

const HEADER = 8;

class RingFeed {
  readonly ring: Ring;
  /** Records whose handler threw. */
  unhandled = 0;
  readonly #record: Cursor;
  readonly #handle: (record: never) => void;
  readonly #each: (words: Uint32Array, bytes: Uint8Array, length: number) => void;

  constructor(
    ring: Ring,
    records: RingRecords<unknown>,
    handle: (record: never) => void,
    before: () => void = () => {},
  ) {
    this.ring = ring;
    this.#record = new records.record() as Cursor;
    this.#handle = handle;
    this.#each = (words, bytes, length) => {
      before();
      this.#walk(words, bytes, length);
    };
  }

  /** One pass over a batch, each record behind the kernel's 8-byte header. Throws what the first handler threw. */
  #walk(words: Uint32Array, bytes: Uint8Array, length: number): void {
    const record = this.#record;
    const errors: unknown[] = [];
    for (let at = 0; at < length; ) {
      const size = words[at >> 2]! & 0x3fffffff;
      record.at(words, bytes, at + HEADER);
      try {
        this.#handle(record as never);
      } catch (error) {
        errors.push(error);
      }
      at += HEADER + ((size + 7) & ~7);
    }
    if (errors.length === 0) return;
    this.unhandled += errors.length;
    throw errors[0];
  }

  drain(): number {
    return this.ring.drain(this.#each);
  }
}

function* rowsOf(bytes: Uint8Array, records: RowRecords<unknown>): Generator<unknown> {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  const record = new records.record() as Cursor;
  for (let at = 0; at + records.size <= bytes.length; at += records.size) {
    record.at(words, bytes, at);
    yield record;
  }
}

export interface FeedOptions {
  /** Called when records have been read, and before they are handed over. */
  readonly before?: () => void;
  /** Whose sums tables by workload may hold. */
  readonly images?: Images;
}

/** All records of one object. */
export class Feed {
  readonly rings: readonly Ring[];
  readonly #object: BpfObject;
  readonly #feeds: RingFeed[] = [];
  readonly #tables: TableFeed[] = [];
  readonly #sweeps: (() => Promise<void>)[] = [];
  readonly #counters: BpfMap | undefined;
  readonly #names: readonly string[];
  readonly #collected: (() => void) | undefined;

  constructor(
    native: Native,
    object: BpfObject,
    skeleton: Skeleton,
    handlers: AnyHandlers,
    { before, images }: FeedOptions = {},
  ) {
    this.#object = object;
    this.#names = skeleton.counters;
    this.#collected = handlers.collected as (() => void) | undefined;
    this.#counters = skeleton.counters.length ? object.map("counters") : undefined;
    const { cpus } = native.features();
    for (const [name, records] of Object.entries(skeleton.records)) {
      const handle = handlers[name]!;
      if (records.kind === "ring")
        this.#feeds.push(new RingFeed(native.openRing(object.map(name)), records, handle, before));
      else if (records.kind === "table")
        this.#tables.push(new TableFeed(object.map(name), records, cpus, handle, images));
      else {
        const map = skeleton.programs[name] === "iter/bpf_sk_storage_map" ? "conns" : undefined;
        this.#sweeps.push(async () => {
          const bytes = await object.iterate(name, map);
          handle(rowsOf(bytes, records) as never);
        });
      }
    }
    this.rings = this.#feeds.map((f) => f.ring);
  }

  /** Hands over what waits in the rings; the number of records. */
  drain(): number {
    return this.#feeds.reduce((sum, feed) => sum + feed.drain(), 0);
  }

  /** Runs the iterators, whose sums the tables hold afterwards. */
  async sweep(): Promise<void> {
    for (const sweep of this.#sweeps) await sweep();
  }

  /** Hands over the tables, which ends a collection. */
  readTables(): void {
    for (const table of this.#tables) table.read();
    this.#collected?.();
  }

  /** The object's own account, summed over CPUs, and `unhandled_records` where there are some. */
  counters(): Readonly<Record<string, number>> {
    const unhandled = this.#feeds.reduce((sum, feed) => sum + feed.unhandled, 0);
    return { ...this.#counted(), ...(unhandled > 0 && { unhandled_records: unhandled }) };
  }

  #counted(): Readonly<Record<string, number>> {
    if (!this.#counters) return {};
    const values = new Uint8Array(this.#names.length * 8);
    this.#counters.read(new Uint8Array(4), values);
    const view = new DataView(values.buffer);
    return Object.fromEntries(this.#names.map((name, i) => [name, Number(view.getBigUint64(i * 8, true))]));
  }

  close(): void {
    for (const ring of this.rings) ring.close();
    this.#object.close();
  }
}
