// Turns the agent's frames into sums, points and chunks. Tests: store/ingest.test.ts.
import { type Copied, IDS, linksOf, RowBuilder, type Rows } from "../exporters/local/columns.ts";
import {
  ColumnReader,
  type Head,
  type LivingHead,
  type MetricsHead,
  type RowsHead,
  rowsOf,
  type TokenHead,
} from "../exporters/local/frame.ts";
import { bloomOf, encodeChunk, ROWS } from "./chunk.ts";
import { type Class, type Database, LONGEST_TEXT } from "./database.ts";
import { Measures } from "./measure.ts";
import { Points } from "./points.ts";
import { Signal } from "./signal.ts";
import type { Edge } from "./sums/edge.ts";
import { Windows } from "./sums/windows.ts";

/** Seconds after which a chunk is written that is not full. */
const OLDEST = 10;

/** Seconds after which names that nothing refers to are removed. */
const CLEANING = 600;

const MOST_SERVED = 10_000;

/** Maximum declarations, of which the newest are kept: more than agents make, but a file from elsewhere may have any number. */
const DECLARED = `SELECT id, declaration FROM signal WHERE id IN
  (SELECT id FROM signal WHERE octet_length(declaration) <= ${LONGEST_TEXT} ORDER BY id DESC LIMIT 256) ORDER BY id`;

/** Rows of one signal and class that are not in the file yet. */
export interface OpenChunk {
  readonly signal: Signal;
  readonly class: Class;
  readonly rows: RowBuilder;
  /** The first frame that has rows here. */
  firstSeq: number;
  oneIn: number;
}

/** The sums of an edge for some time: seconds since the epoch. */
type Summed = ReturnType<Windows["at"]> & { readonly edge: Edge };

export class Ingest {
  readonly windows: Windows;
  readonly points: Points;
  /** The agent's state as it last reported it, and when (microseconds since the epoch). */
  state: { readonly time: number; readonly state: unknown } | undefined;
  /** Resources by the address and port at which they listen: `10.0.0.5 80`. */
  readonly served = new Map<string, number>();
  /** Addresses of this host from which connections were opened. */
  readonly openers = new Set<string>();
  readonly #db: Database;
  readonly #rate: number;
  /** By the file's number. */
  readonly #signals = new Map<number, Signal>();
  /** The file's numbers by the agent's. */
  #signalIds = new Map<number, Signal>();
  #metricIds = new Map<number, number>();
  #resourceIds = new Map<number, number>();
  readonly #open = new Map<string, OpenChunk>();
  #seq = 0;
  /** When the first frame arrived that is not in the file; milliseconds. */
  #since: number | undefined;
  /** When names were removed, seconds since the epoch. */
  #cleaned = Number.NEGATIVE_INFINITY;
  /** Resources of the rows that are being put into chunks. */
  #keeping: Iterable<number> = [];
  /** Uneventful rows of this second, and one in how many is stored. */
  #second = { at: 0, rows: 0 };
  #oneIn = 1;

  constructor(db: Database, rate: number) {
    this.#db = db;
    this.#rate = rate;
    this.windows = new Windows(db);
    this.points = new Points(db);
    for (const { id, declaration } of db.all(DECLARED))
      this.#signals.set(Number(id), new Signal(Number(id), JSON.parse(String(declaration))));
  }

  get signals(): readonly Signal[] {
    return [...this.#signals.values()];
  }

  get oneIn(): number {
    return this.#oneIn;
  }

  /** The file's number of a resource that the agent numbered. */
  resourceOf(id: number): number {
    return this.#resourceIds.get(id) ?? 0;
  }

  get openChunks(): readonly OpenChunk[] {
    return [...this.#open.values()];
  }

  /** The last frame whose rows are all in the file, as long as `commit` succeeds completely. */
  get committed(): number {
    let last = this.#seq;
    for (const { rows, firstSeq, class: of } of this.#open.values())
      if (rows.n > 0 && of !== "application") last = Math.min(last, firstSeq - 1);
    return last;
  }

  /** Accepts a frame; true: everything must be committed now. */
  take(head: Exclude<Head, TokenHead | LivingHead>, body: Uint8Array, now: number): boolean {
    this.#since ??= now;
    switch (head.type) {
      case "signal": {
        const id = this.#db.intern("signal", JSON.stringify(head.declaration));
        const signal = this.#signals.get(id) ?? new Signal(id, head.declaration);
        this.#signals.set(id, signal);
        this.#signalIds.set(head.id, signal);
        return false;
      }
      case "metric": {
        const { name, instrument, unit, description } = head.spec;
        const text = JSON.stringify({ name, instrument, unit, description, scope: head.scope });
        this.#metricIds.set(head.id, this.#db.intern("metric", text));
        return false;
      }
      case "resource":
        this.#resourceIds.set(head.id, this.#db.intern("resource", JSON.stringify(head.attributes)));
        return false;
      case "forget":
        this.#resourceIds.clear();
        return false;
      case "state":
        this.state = head;
        return false;
      case "rows":
        return this.#rows(head, body, now);
      case "metrics":
        this.#metrics(head, body);
        return false;
      case "flush":
        this.#seq = head.seq;
        return true;
    }
  }

  /** Accepts rows that applications sent. `signal`: that of the file. */
  application(signal: Signal, rows: RowBuilder, now: number): void {
    this.#since ??= now;
    this.#signals.set(signal.id, signal);
    const copied = { rows, resources: rows.resource, linksAt: linksOf(rows) };
    this.#keep(
      signal,
      "application",
      copied,
      Uint32Array.from({ length: rows.n }, (_, i) => i),
      now,
    );
  }

  /** Whether a chunk must be written. */
  isDue(now: number): boolean {
    // The clock may have been set back.
    return this.#since !== undefined && Math.abs(now - this.#since) > OLDEST * 1000;
  }

  /** Writes every open chunk, the sums and the points. Throws what SQLite throws; then everything is still open. */
  commit(nowSeconds: number): void {
    this.#db.transaction(() => {
      const isFull = this.#db.boundSums();
      for (const open of this.#open.values()) if (open.rows.n > 0) this.#write(open);
      this.windows.commit(nowSeconds);
      this.points.commit(nowSeconds);
      if (isFull || Math.abs(nowSeconds - this.#cleaned) >= CLEANING) this.#clean(nowSeconds);
    });
    for (const { rows } of this.#open.values()) rows.clear();
    this.#since = undefined;
  }

  /** Removes names that nothing refers to any more. */
  #clean(nowSeconds: number): void {
    this.#cleaned = nowSeconds;
    this.#db.removeUnused([...this.#resourceIds.values(), ...this.served.values(), ...this.#keeping]);
    this.windows.forget();
    this.points.forget();
  }

  #rows(head: RowsHead, body: Uint8Array, now: number): boolean {
    this.#seq = head.seq;
    const signal = this.#signalIds.get(head.signal);
    if (signal === undefined) throw new RangeError("rows of a signal that was not declared");
    const rows = rowsOf(head, signal.declaration.attributes, body);
    const measures = new Measures(signal, rows);
    const resources = rows.resource.map((id) => this.#resourceIds.get(id) ?? 0);
    // New edges get their numbers in one transaction.
    this.#db.transaction(() => this.#sum(signal, rows, measures, resources));
    const kept: Record<"calm" | "notable", number[]> = { calm: [], notable: [] };
    for (let i = 0; i < rows.n; i++) {
      if (measures.isNotable(i)) kept.notable.push(i);
      else if (this.#keeps(rows.ids, i * IDS, now)) kept.calm.push(i);
    }
    const copied = { rows, resources, linksAt: linksOf(rows) };
    const isFull = this.#keep(signal, "notable", copied, Uint32Array.from(kept.notable), now);
    return this.#keep(signal, "calm", copied, Uint32Array.from(kept.calm), now) || isFull;
  }

  /** Adds rows to the sums of their edges. */
  #sum(signal: Signal, rows: Rows, measures: Measures, resources: Uint32Array): void {
    const byResource = new Map<number, Map<number, Summed>>();
    const learned = new Set<number>();
    for (let i = 0; i < rows.n; i++) {
      if (!measures.isSummed(i)) continue;
      const resource = resources[i]!;
      let edges = byResource.get(resource);
      if (edges === undefined) {
        edges = new Map();
        byResource.set(resource, edges);
      }
      const key = measures.edgeKey(i);
      const seconds = (rows.start[i]! + Math.max(0, rows.duration[i]!) / 1000) / 1e6;
      let summed = edges.get(key);
      if (summed === undefined || seconds < summed.from || seconds >= summed.to) {
        const edge = measures.edge(i, resource);
        summed = { ...this.windows.at(seconds, edge), edge };
        edges.set(key, summed);
      }
      measures.sumInto(summed.sums, i);
      const local = measures.localKey(i);
      if (learned.has(local)) continue;
      learned.add(local);
      this.#learn(summed.edge.direction, signal, rows, i, resource);
    }
  }

  /** Adds rows of a class to its open chunk, and writes those that are full. Returns whether one was. */
  #keep(signal: Signal, of: Class, copied: Copied, at: Uint32Array, now: number): boolean {
    let isFull = false;
    this.#keeping = copied.resources;
    for (let from = 0; from < at.length; ) {
      const { rows } = this.#openChunk(signal, of, this.#seq);
      const to = Math.min(at.length, from + rows.capacity - rows.n);
      rows.copy(copied, at, from, to);
      from = to;
      if (!rows.isFull) continue;
      isFull = true;
      this.commit(now / 1000);
    }
    return isFull;
  }

  /** Learns this host's addresses from the local address of an end. */
  #learn(direction: Edge["direction"], signal: Signal, rows: Rows, i: number, resource: number): void {
    const address = signal.text(rows, i, "network.local.address");
    if (address === undefined) return;
    if (direction === "outbound") {
      if (this.openers.size < MOST_SERVED) this.openers.add(address);
      return;
    }
    const at = `${address} ${signal.number(rows, i, "network.local.port")}`;
    if (this.served.size < MOST_SERVED || this.served.has(at)) this.served.set(at, resource);
  }

  /** Whether an uneventful row is stored individually: by its trace id, so that both ends are. */
  #keeps(ids: Uint8Array, at: number, now: number): boolean {
    const second = Math.floor(now / 1000);
    if (second !== this.#second.at) {
      const perSecond = this.#second.rows / Math.max(1, second - this.#second.at);
      this.#oneIn = Math.max(1, 2 ** Math.ceil(Math.log2(Math.max(1, perSecond) / this.#rate)));
      this.#second = { at: second, rows: 0 };
    }
    this.#second.rows++;
    return this.#oneIn === 1 || (ids[at]! | (ids[at + 1]! << 8)) % this.#oneIn === 0;
  }

  #metrics(head: MetricsHead, body: Uint8Array): void {
    this.#seq = head.seq;
    const numbers = new ColumnReader(body).next(Float64Array, Math.floor(body.length / 8));
    const metricOf = (id: number) => this.#metricIds.get(id) ?? 0;
    // New series get their numbers in one transaction.
    this.#db.transaction(() => this.points.add(head, numbers, metricOf, (id) => this.resourceOf(id)));
  }

  #openChunk(signal: Signal, of: Class, seq: number): OpenChunk {
    const key = `${of} ${signal.id}`;
    let open = this.#open.get(key);
    if (open === undefined) {
      const rows = new RowBuilder(signal.declaration.attributes, ROWS);
      open = { signal, class: of, rows, firstSeq: seq, oneIn: 1 };
      this.#open.set(key, open);
    }
    if (open.rows.n === 0) {
      open.firstSeq = seq;
      open.oneIn = 1;
    }
    if (of === "calm") open.oneIn = Math.max(open.oneIn, this.#oneIn);
    return open;
  }

  #write({ signal, class: of, rows, oneIn }: OpenChunk): void {
    const { n, start, duration } = rows;
    let t0 = Number.POSITIVE_INFINITY;
    let t1 = 0;
    let longest = 0;
    for (let i = 0; i < n; i++) {
      const end = start[i]! + Math.max(0, duration[i]!) / 1000;
      t0 = Math.min(t0, end);
      t1 = Math.max(t1, end);
      longest = Math.max(longest, duration[i]!);
    }
    const resources = new Set(rows.resource.subarray(0, n));
    const { head, data } = encodeChunk(rows);
    const ids = bloomOf(rows.ids, n);
    this.#db.addChunk(
      { signal: signal.id, class: of, t0, t1, n, oneIn, longest, ids, head, data },
      resources,
    );
  }
}
