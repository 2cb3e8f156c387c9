// What waits for one backend: a lane per signal, one bound in bytes over all of them. A spool on disk
// would stand behind the same methods.
import { SIGNALS, type Signal } from "../config.ts";
import type { Batch } from "./batch.ts";

/** What an entry costs besides its payload. */
const ENTRY_BYTES = 512;

/** One request that waits. */
export interface Entry {
  readonly signal: Signal;
  /** Spans, points or events inside. */
  readonly count: number;
  /** Place in the order of arrival over all signals. */
  readonly order: number;
  /** `raw` until its payload is ready; `sending` is not dropped; `gone` is in the queue no more. */
  state: "raw" | "ready" | "sending" | "gone";
  /** What the payload is made from; let go once it is made. */
  batch: Batch | undefined;
  /** The bytes to send. */
  payload: Buffer | undefined;
  /** Charged against the bound. */
  bytes: number;
}

export class Queue {
  readonly limit: number;
  #bytes = 0;
  #order = 0;
  readonly #lanes: Readonly<Record<Signal, Entry[]>> = { traces: [], metrics: [], logs: [] };

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Bytes that wait; above `limit` only where what is on its way already is. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Order that the next request will have. */
  get order(): number {
    return this.#order;
  }

  /** Spans, points or events of a signal that wait or are on their way. */
  count(signal: Signal): number {
    return this.#lanes[signal].reduce((sum, entry) => sum + entry.count, 0);
  }

  /** Whether nothing is left of what came before `order`. */
  settled(order: number): boolean {
    return SIGNALS.every((signal) => (this.#lanes[signal][0]?.order ?? order) >= order);
  }

  /**
   * Appends a batch and makes room for it by dropping the oldest ones. `dropped` is what was given up,
   * the new one included if it finds no room.
   */
  push(batch: Batch): { entry: Entry; dropped: readonly Entry[] } {
    const { signal, count } = batch;
    const bytes = batch.bytes.length + ENTRY_BYTES;
    const entry: Entry = {
      signal,
      count,
      order: this.#order++,
      state: "raw",
      batch,
      payload: undefined,
      bytes,
    };
    this.#lanes[signal].push(entry);
    this.#bytes += bytes;
    const dropped: Entry[] = [];
    while (this.#bytes > this.limit) {
      const oldest = this.#oldest();
      if (oldest === undefined) break;
      this.remove(oldest);
      dropped.push(oldest);
    }
    return { entry, dropped };
  }

  /** The bytes to send are known. */
  ready(entry: Entry, payload: Buffer): void {
    if (entry.state !== "raw") return;
    const bytes = payload.length + ENTRY_BYTES;
    this.#bytes += bytes - entry.bytes;
    entry.bytes = bytes;
    entry.payload = payload;
    entry.batch = undefined;
    entry.state = "ready";
  }

  /** The oldest request of a signal. */
  head(signal: Signal): Entry | undefined {
    return this.#lanes[signal][0];
  }

  /** Takes a request out, if it is still in. */
  remove(entry: Entry): void {
    if (entry.state === "gone") return;
    const lane = this.#lanes[entry.signal];
    lane.splice(lane.indexOf(entry), 1);
    this.#release(entry);
  }

  /** Takes everything out. */
  clear(): readonly Entry[] {
    const all = SIGNALS.flatMap((signal) => this.#lanes[signal].splice(0));
    for (const entry of all) this.#release(entry);
    return all;
  }

  #release(entry: Entry): void {
    this.#bytes -= entry.bytes;
    entry.state = "gone";
    entry.batch = undefined;
    entry.payload = undefined;
  }

  #oldest(): Entry | undefined {
    let oldest: Entry | undefined;
    for (const signal of SIGNALS) {
      const lane = this.#lanes[signal];
      const entry = lane[0]?.state === "sending" ? lane[1] : lane[0];
      if (entry !== undefined && (oldest === undefined || entry.order < oldest.order)) oldest = entry;
    }
    return oldest;
  }
}
