// What waits for one backend: a lane per signal, one limit in bytes over all of them. Batches are packed as they arrive
// and handed out in order. A spool on disk could implement the same methods.
import { SIGNALS, type Signal } from "../../config.ts";
import type { LossCause } from "../../exporter.ts";

/** Overhead of an item in addition to its payload. */
const ITEM_BYTES = 512;
/**
 * Batches packed at once. A single one would wait for its thread and for the event loop each time, and fall behind on
 * a busy machine; more would let a flood pile up in zlib, and leave no thread to read files.
 */
const PACKED_AT_ONCE = 3;
/**
 * If more are not packed, the event loop is too busy to pack in other threads: large and uncompressed, they would fill
 * the queue.
 */
const MOST_UNPACKED = 8;

/** A payload as a transport sends it, and its size. */
export interface Packed<P> {
  readonly payload: P;
  readonly size: number;
  /** Called once when the payload is no longer used. */
  readonly release?: () => void;
}

/** A batch as an exporter receives it. */
export interface Packable<P> {
  readonly signal: Signal;
  /** Spans, points or events inside. */
  readonly count: number;
  /** Its size until it is packed. */
  readonly bytes: number;
  pack(): Packed<P> | Promise<Packed<P>>;
  /** The same, synchronously on this thread. */
  packNow(): Packed<P>;
}

/** A piece of a batch. */
export interface Part<P> extends Packed<P> {
  readonly count: number;
  /** Bytes before compression. */
  readonly plainSize: number;
}

/** A batch that waits or is in flight. */
export interface QueueItem<P> {
  readonly signal: Signal;
  readonly count: number;
  /** Position in the order of arrival over all signals. */
  readonly order: number;
  /** What the payload is made from; released once it is made. */
  batch: Packable<P> | undefined;
  /** Undefined until it is made. */
  payload: P | undefined;
  release: (() => void) | undefined;
  /** Counted against the limit. */
  bytes: number;
  /** In flight to the backend: not dropped to make room. */
  sending: boolean;
}

const UNPACKED = { batch: undefined, payload: undefined, release: undefined, sending: false };

export interface QueueEvents {
  /** Items will not be sent; `error` says why no payload could be made. */
  lost(signal: Signal, count: number, cause: LossCause, error?: unknown): void;
}

export class Queue<P> {
  readonly limit: number;
  readonly #events: QueueEvents;
  readonly #lanes: Readonly<Record<Signal, QueueItem<P>[]>> = { traces: [], metrics: [], logs: [] };
  /** Items without a payload, in order; some may have been dropped. */
  readonly #unpacked: QueueItem<P>[] = [];
  /** Called at the next change. */
  readonly #waiters: (() => void)[] = [];
  #bytes = 0;
  #order = 0;
  #packing = 0;
  #closed = false;

  constructor(limit: number, events: QueueEvents) {
    this.limit = limit;
    this.#events = events;
  }

  /** Bytes that wait; above `limit` only if what is in flight exceeds it. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Spans, points or events of a signal that wait or are in flight. */
  count(signal: Signal): number {
    return this.#lanes[signal].reduce((sum, { count }) => sum + count, 0);
  }

  /** Appends a batch and makes room for it by dropping the oldest ones, or itself if it is too large. */
  add(batch: Packable<P>): void {
    const { signal, count } = batch;
    if (this.#closed) {
      this.#events.lost(signal, count, "shutdown_timeout");
      return;
    }
    const bytes = batch.bytes + ITEM_BYTES;
    const item: QueueItem<P> = { ...UNPACKED, signal, count, order: this.#order++, batch, bytes };
    this.#lanes[signal].push(item);
    this.#unpacked.push(item);
    this.#bytes += bytes;
    this.#makeRoom();
    if (this.#packing < PACKED_AT_ONCE) void this.#pack();
    if (this.#unpacked.length > MOST_UNPACKED) this.#packNow(this.#unpacked.shift()!);
  }

  /**
   * The oldest batch of a signal, as soon as there is one and its payload is ready; undefined once the queue is
   * closed.
   */
  async next(signal: Signal): Promise<(QueueItem<P> & { readonly payload: P }) | undefined> {
    for (;;) {
      const [item] = this.#lanes[signal];
      if (item !== undefined && hasPayload(item)) {
        item.sending = true;
        return item;
      }
      if (this.#closed) return undefined;
      await this.#change();
    }
  }

  /** The item is to be retried, unless it is dropped first. */
  putBack(item: QueueItem<P>): void {
    item.sending = false;
  }

  /** Replaces an item by its parts, in its place. */
  replace(item: QueueItem<P>, parts: readonly Part<P>[]): void {
    const { signal, order } = item;
    const lane = this.#lanes[signal];
    const at = lane.indexOf(item);
    if (at < 0) return;
    const items = parts.map(({ payload, count, size }): QueueItem<P> => {
      return { ...UNPACKED, signal, count, order, payload, bytes: size + ITEM_BYTES };
    });
    lane.splice(at, 1, ...items);
    for (const { bytes } of items) this.#bytes += bytes;
    this.#release(item);
  }

  /** The backend has accepted an item, or rejected it permanently. */
  done(item: QueueItem<P>): void {
    this.#remove(item);
  }

  /** Resolves when nothing is left of what waits now, or after `deadlineMs`. */
  async settled(deadlineMs: number): Promise<void> {
    const order = this.#order;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#changed();
    }, deadlineMs);
    while (!late && SIGNALS.some((signal) => (this.#lanes[signal][0]?.order ?? order) < order)) {
      await this.#change();
    }
    clearTimeout(timer);
  }

  /** Accepts nothing more; what is left is lost. */
  close(): void {
    this.#closed = true;
    for (const signal of SIGNALS) {
      const count = this.count(signal);
      for (const item of this.#lanes[signal].splice(0)) this.#release(item);
      if (count > 0) this.#events.lost(signal, count, "shutdown_timeout");
    }
    this.#changed();
  }

  /** What is dropped before its turn is never compressed. */
  async #pack(): Promise<void> {
    this.#packing++;
    for (let item = this.#unpacked.shift(); item !== undefined; item = this.#unpacked.shift()) {
      const { batch, signal, count } = item;
      if (batch === undefined) continue;
      try {
        const made = batch.pack();
        this.#packed(item, made instanceof Promise ? await made : made);
      } catch (error) {
        if (this.#remove(item)) this.#events.lost(signal, count, "encode", error);
      }
    }
    this.#packing--;
  }

  #packNow(item: QueueItem<P>): void {
    try {
      if (item.batch !== undefined) this.#packed(item, item.batch.packNow());
    } catch (error) {
      if (this.#remove(item)) this.#events.lost(item.signal, item.count, "encode", error);
    }
  }

  #packed(item: QueueItem<P>, { payload, size, release }: Packed<P>): void {
    if (item.batch === undefined) {
      release?.();
      return;
    }
    item.batch = undefined;
    item.payload = payload;
    item.release = release;
    this.#bytes += size + ITEM_BYTES - item.bytes;
    item.bytes = size + ITEM_BYTES;
    this.#changed();
  }

  #makeRoom(): void {
    while (this.#bytes > this.limit) {
      const droppable = SIGNALS.flatMap(
        (signal) => this.#lanes[signal].find(({ sending }) => !sending) ?? [],
      );
      if (droppable.length === 0) return;
      const oldest = droppable.reduce((a, b) => (a.order < b.order ? a : b));
      this.#remove(oldest);
      this.#events.lost(oldest.signal, oldest.count, "queue_full");
    }
  }

  /** False if the item is no longer in the queue. */
  #remove(item: QueueItem<P>): boolean {
    const lane = this.#lanes[item.signal];
    const at = lane.indexOf(item);
    if (at < 0) return false;
    lane.splice(at, 1);
    this.#release(item);
    this.#changed();
    return true;
  }

  #release(item: QueueItem<P>): void {
    this.#bytes -= item.bytes;
    item.batch = undefined;
    item.payload = undefined;
    item.release?.();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
    });
  }

  #changed(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}

function hasPayload<P>(item: QueueItem<P>): item is QueueItem<P> & { readonly payload: P } {
  return item.payload !== undefined;
}
