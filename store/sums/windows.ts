// Sums by edge in windows of 10 seconds for two hours and of a minute for a day. Tests: store/sums/windows.test.ts.
import type { Database } from "../database.ts";
import type { Histogram } from "../histogram.ts";
import { ByteReader, ByteWriter } from "../varint.ts";
import { type Count, type Edge, keyOf, type Measured, OTHER, type Summed, Sums } from "./edge.ts";

/** Length of a window and how long it is kept, seconds; the finest first. */
export const LEVELS = [
  { seconds: 10, kept: 7200 },
  { seconds: 60, kept: 86_400 },
] as const;

/** Maximum edges of one window; more are summed together. */
const MOST_EDGES = 2048;

/** Edges by the number that the file gives them. */
type Window = Map<number, Sums>;

export class Windows {
  readonly #db: Database;
  readonly #ids = new Map<string, number>();
  readonly #edges = new Map<number, Edge>();
  /** By level: windows that are not final, by their start in seconds. */
  readonly #open = LEVELS.map(() => new Map<number, Window>());
  /** Windows that differ from what is in the file. */
  readonly #changed = new Set<Window>();
  /** Connections that were summed as "other", since the start. */
  overflow = 0;

  constructor(db: Database) {
    this.#db = db;
  }

  /** The sums of an edge for what happened in [from, to), seconds. */
  at(
    seconds: number,
    edge: Edge,
  ): { readonly from: number; readonly to: number; readonly sums: readonly Sums[] } {
    const [{ seconds: length }] = LEVELS;
    const from = Math.floor(seconds / length) * length;
    const windows = LEVELS.map((level, i) => {
      const begin = Math.floor(seconds / level.seconds) * level.seconds;
      const open = this.#open[i]!;
      let window = open.get(begin);
      if (window === undefined) {
        window = this.#stored(i, begin);
        open.set(begin, window);
      }
      this.#changed.add(window);
      return window;
    });
    const id = this.#id(
      edge,
      windows.some(({ size }) => size < MOST_EDGES),
    );
    const coarsest = windows.at(-1)!;
    if (id !== undefined && !coarsest.has(id)) this.#db.use("edge", id, seconds);
    return { from, to: from + length, sums: windows.map((window) => this.#in(window, id)) };
  }

  edge(id: number): Edge {
    let edge = this.#edges.get(id);
    if (edge === undefined) {
      const text = this.#db.get("SELECT edge FROM edge WHERE id = ?", id)?.edge;
      edge = text === undefined ? OTHER : (JSON.parse(String(text)) as Edge);
      this.#edges.set(id, edge);
    }
    return edge;
  }

  /** Writes the open windows, forgets those that ended before `seconds`, and removes the old ones. */
  commit(seconds: number): void {
    for (const [i, { seconds: length, kept }] of LEVELS.entries()) {
      const open = this.#open[i]!;
      for (const [begin, window] of open) {
        if (this.#changed.delete(window))
          this.#db.run(
            "INSERT INTO sum VALUES (?, ?, ?) ON CONFLICT (level, t) DO UPDATE SET data = excluded.data",
            ...[i, begin, encode(window)],
          );
        // Spans of a window arrive until the agent's next flush.
        if (begin + length + 5 >= seconds && begin <= seconds) continue;
        open.delete(begin);
      }
      this.#db.run("DELETE FROM sum WHERE level = ? AND t < ?", i, seconds - kept);
    }
    if (this.#ids.size > 16 * MOST_EDGES) this.forget();
  }

  /** Forgets the cached content of the file. */
  forget(): void {
    this.#ids.clear();
    this.#edges.clear();
  }

  /** The finest level that reaches back to `from` (seconds) and has at most `most` windows. */
  levelFor(from: number, to: number, now: number, most = 1000): number {
    const level = LEVELS.findIndex(
      ({ seconds, kept }) => from >= now - kept - seconds && (to - from) / seconds <= most,
    );
    return level < 0 ? LEVELS.length - 1 : level;
  }

  /** The windows of a level that begin in [from, to), seconds, the oldest first. */
  *between(
    level: number,
    from: number,
    to: number,
  ): Generator<readonly [begin: number, window: Iterable<readonly [edge: number, sums: Summed]>]> {
    const open = this.#open[level]!;
    const { seconds } = LEVELS[level]!;
    const first = Math.floor(from / seconds) * seconds;
    for (const [begin, data] of this.#db.windows("sum", level, first, to))
      if (!open.has(begin)) yield [begin, entries(data)];
    for (const [begin, window] of [...open].sort(([a], [b]) => a - b))
      if (begin >= first && begin < to) yield [begin, window];
  }

  #stored(level: number, begin: number): Window {
    const row = this.#db.get("SELECT data FROM sum WHERE level = ? AND t = ?", level, begin);
    return row ? decode(row.data as Uint8Array) : new Map();
  }

  /** Undefined: the edge has no number, because there are too many. */
  #in(window: Window, id: number | undefined): Sums {
    const known = id && window.get(id);
    if (known) return known;
    if (id === undefined || window.size >= MOST_EDGES) {
      this.overflow++;
      const other = this.#id(OTHER, true)!;
      const sums = window.get(other) ?? new Sums();
      window.set(other, sums);
      return sums;
    }
    const sums = new Sums();
    window.set(id, sums);
    return sums;
  }

  /** The file's number of an edge. `isNew`: it gets one if it has none. */
  #id(edge: Edge, isNew: boolean): number | undefined {
    const key = keyOf(edge);
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const text = JSON.stringify(edge);
    const id = isNew ? this.#db.intern("edge", text) : this.#db.interned("edge", text);
    if (id === undefined) return undefined;
    this.#ids.set(key, id);
    this.#edges.set(id, edge);
    return id;
  }
}

function encode(window: Window): Uint8Array {
  const to = new ByteWriter();
  for (const [id, sums] of window) {
    to.uint(id);
    sums.write(to);
  }
  return to.take();
}

/** Sums in the file's format. */
class StoredSums implements Summed {
  readonly #data: Uint8Array;
  readonly #at: number;

  constructor(data: Uint8Array, at: number) {
    this.#data = data;
    this.#at = at;
  }

  get(count: Count): number {
    return Sums.get(this.#reader, count);
  }

  addHistogram(of: Measured, total: Histogram): void {
    Sums.addHistogram(this.#reader, of, total);
  }

  addTo(total: Sums): void {
    total.mergeFrom(this.#reader);
  }

  get #reader(): ByteReader {
    return new ByteReader(this.#data, this.#at);
  }
}

function* entries(data: Uint8Array): Generator<readonly [edge: number, sums: StoredSums]> {
  const from = new ByteReader(data);
  while (!from.isAtEnd) {
    const id = from.uint();
    yield [id, new StoredSums(data, from.at)];
    Sums.skip(from);
  }
}

function decode(data: Uint8Array): Window {
  const window: Window = new Map();
  for (const [id, stored] of entries(data)) {
    const sums = new Sums();
    stored.addTo(sums);
    window.set(id, sums);
  }
  return window;
}
