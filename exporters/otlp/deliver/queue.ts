// What waits for one backend: a lane per signal, one bound in bytes over all of them. A spool on disk
// would stand behind the same methods.
import { SIGNALS, type Signal } from "../../config.ts";

/** What an entry costs besides its payload. */
const ENTRY_BYTES = 512;

/** One request, as it comes to an exporter. */
export interface Parcel<P> {
  readonly signal: Signal;
  /** Spans, points or events inside. */
  readonly count: number;
  /** What it takes until its payload is made. */
  readonly bytes: number;
  /** What a transport sends. */
  payload(): P | Promise<P>;
}

/** A piece of a request, ready to be sent. */
export interface Part<P> {
  readonly payload: P;
  readonly count: number;
  /** Bytes that the payload takes, and before it was compressed. */
  readonly size: number;
  readonly plainSize: number;
}

/** One request that waits. */
export interface Entry<P> {
  readonly signal: Signal;
  readonly count: number;
  /** Place in the order of arrival over all signals. */
  readonly order: number;
  /** `raw` until its payload is ready; `sending` is not dropped; `gone` is in the queue no more. */
  state: "raw" | "ready" | "sending" | "gone";
  /** What the payload is made from; let go once it is made. */
  parcel: Parcel<P> | undefined;
  payload: P | undefined;
  /** Charged against the bound. */
  bytes: number;
}

export class Queue<P> {
  readonly limit: number;
  #bytes = 0;
  #order = 0;
  readonly #lanes: Readonly<Record<Signal, Entry<P>[]>> = { traces: [], metrics: [], logs: [] };

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
   * Appends a parcel and makes room for it by dropping the oldest ones. `dropped` is what was given up,
   * the new one included if it finds no room.
   */
  push(parcel: Parcel<P>): { entry: Entry<P>; dropped: readonly Entry<P>[] } {
    const { signal, count } = parcel;
    const bytes = parcel.bytes + ENTRY_BYTES;
    const entry: Entry<P> = {
      signal,
      count,
      order: this.#order++,
      state: "raw",
      parcel,
      payload: undefined,
      bytes,
    };
    this.#lanes[signal].push(entry);
    this.#bytes += bytes;
    const dropped: Entry<P>[] = [];
    while (this.#bytes > this.limit) {
      const oldest = this.#oldest();
      if (oldest === undefined) break;
      this.remove(oldest);
      dropped.push(oldest);
    }
    return { entry, dropped };
  }

  /** What to send is known, and how many bytes it takes. */
  ready(entry: Entry<P>, payload: P, size: number): void {
    if (entry.state !== "raw") return;
    const bytes = size + ENTRY_BYTES;
    this.#bytes += bytes - entry.bytes;
    entry.bytes = bytes;
    entry.payload = payload;
    entry.parcel = undefined;
    entry.state = "ready";
  }

  /** The oldest request of a signal. */
  head(signal: Signal): Entry<P> | undefined {
    return this.#lanes[signal][0];
  }

  /** Puts parts in the place of a request: ready, and of its order. */
  replace(entry: Entry<P>, parts: readonly Part<P>[]): void {
    const lane = this.#lanes[entry.signal];
    const { signal, order } = entry;
    const made = parts.map(({ payload, count, size }): Entry<P> => {
      return { signal, count, order, state: "ready", parcel: undefined, payload, bytes: size + ENTRY_BYTES };
    });
    lane.splice(lane.indexOf(entry), 1, ...made);
    this.#release(entry);
    for (const { bytes } of made) this.#bytes += bytes;
  }

  /** Takes a request out, if it is still in. */
  remove(entry: Entry<P>): void {
    if (entry.state === "gone") return;
    const lane = this.#lanes[entry.signal];
    lane.splice(lane.indexOf(entry), 1);
    this.#release(entry);
  }

  /** Takes everything out. */
  clear(): readonly Entry<P>[] {
    const all = SIGNALS.flatMap((signal) => this.#lanes[signal].splice(0));
    for (const entry of all) this.#release(entry);
    return all;
  }

  #release(entry: Entry<P>): void {
    this.#bytes -= entry.bytes;
    entry.state = "gone";
    entry.parcel = undefined;
    entry.payload = undefined;
  }

  #oldest(): Entry<P> | undefined {
    let oldest: Entry<P> | undefined;
    for (const signal of SIGNALS) {
      const lane = this.#lanes[signal];
      const entry = lane[0]?.state === "sending" ? lane[1] : lane[0];
      if (entry !== undefined && (oldest === undefined || entry.order < oldest.order)) oldest = entry;
    }
    return oldest;
  }
}
