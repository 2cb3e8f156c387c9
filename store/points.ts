// Metric points by series, in collections of 10 seconds for two hours and sums of a minute for a day.
// Tests: store/points.test.ts.
import type { MetricSpec } from "../core/plugin/signals.ts";
import type { MetricsHead } from "../exporters/local/frame.ts";
import type { Database } from "./database.ts";
import { Histogram } from "./histogram.ts";
import { LEVELS } from "./sums/windows.ts";
import { ByteReader, ByteWriter } from "./varint.ts";

/** The stored part of a metric's declaration. */
export type MetricDeclaration = Pick<MetricSpec, "name" | "instrument" | "unit" | "description"> & {
  readonly scope: string;
};

export interface Series {
  readonly id: number;
  readonly metric: MetricDeclaration;
  readonly resource: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
}

/** A series in a window: a counter's increase, a gauge's last value, or a histogram's increase. */
export type Value = number | Histogram;

/** The number under which a window holds how many seconds its counters cover; no series has it. */
export const COVERED = 0;

const NUMBER = 0;
const HISTOGRAM = 1;

export class Points {
  readonly #db: Database;
  readonly #ids = new Map<string, Series>();
  readonly #series = new Map<number, Series>();
  readonly #metrics = new Map<number, MetricDeclaration>();
  /** By level, the open window and its values by series. */
  readonly #open: { begin: number; values: Map<number, Value> }[] = LEVELS.map(() => ({
    begin: 0,
    values: new Map(),
  }));

  constructor(db: Database) {
    this.#db = db;
  }

  /** Adds a collection. `metricOf`, `resourceOf`: the file's numbers for those of the frame. */
  add(
    head: MetricsHead,
    numbers: Float64Array,
    metricOf: (id: number) => number,
    resourceOf: (id: number) => number,
  ): void {
    const seconds = head.time / 1e6;
    this.#turn(seconds);
    for (const { values } of this.#open) values.set(COVERED, Number(values.get(COVERED) ?? 0) + head.seconds);
    let at = 0;
    for (const { metric, resource, points } of head.metrics) {
      const declared = metricOf(metric);
      for (const attributes of points) {
        const series = this.#intern(declared, resourceOf(resource), attributes as Series["attributes"]);
        const isHistogram = series.metric.instrument === "histogram";
        const value = isHistogram ? histogramAt(numbers, at) : numbers[at]!;
        at += isHistogram ? 6 + numbers[at + 5]! : 1;
        if (!this.#open.at(-1)!.values.has(series.id)) this.#db.use("series", series.id, seconds);
        for (const { values } of this.#open) merge(values, series, value);
      }
    }
  }

  series(id: number): Series | undefined {
    const known = this.#series.get(id);
    if (known) return known;
    const row = this.#db.get("SELECT metric, resource, attributes FROM series WHERE id = ?", id);
    return row && this.#remember(id, Number(row.metric), Number(row.resource), String(row.attributes));
  }

  /** Forgets the cached content of the file. */
  forget(): void {
    this.#ids.clear();
    this.#series.clear();
  }

  /** Writes the open windows and removes the old ones. */
  commit(seconds: number): void {
    for (const [i, { begin, values }] of this.#open.entries()) {
      if (values.size > 0) this.#write(i, begin, values);
      this.#db.run("DELETE FROM point WHERE level = ? AND t < ?", i, seconds - LEVELS[i]!.kept);
    }
  }

  /** Windows of a level that begin in [from, to), seconds, the oldest first. */
  *between(
    level: number,
    from: number,
    to: number,
  ): Generator<readonly [begin: number, values: ReadonlyMap<number, Value>]> {
    const open = this.#open[level]!;
    const first = Math.floor(from / LEVELS[level]!.seconds) * LEVELS[level]!.seconds;
    for (const [begin, data] of this.#db.windows("point", level, first, to))
      if (begin !== open.begin) yield [begin, decode(data)];
    if (open.values.size > 0 && open.begin >= first && open.begin < to) yield [open.begin, open.values];
  }

  /** Begins new windows for a collection at `seconds`. */
  #turn(seconds: number): void {
    for (const [i, open] of this.#open.entries()) {
      const begin = Math.floor(seconds / LEVELS[i]!.seconds) * LEVELS[i]!.seconds;
      if (begin === open.begin) continue;
      if (open.values.size > 0) this.#write(i, open.begin, open.values);
      open.begin = begin;
      open.values = new Map();
      // After a restart of the store the window may have begun already.
      const stored = this.#db.get("SELECT data FROM point WHERE level = ? AND t = ?", i, begin);
      if (stored) for (const [id, value] of decode(stored.data as Uint8Array)) open.values.set(id, value);
    }
  }

  #write(level: number, begin: number, values: ReadonlyMap<number, Value>): void {
    this.#db.run(
      "INSERT INTO point VALUES (?, ?, ?) ON CONFLICT (level, t) DO UPDATE SET data = excluded.data",
      ...[level, begin, encode(values)],
    );
  }

  #intern(metric: number, resource: number, attributes: Series["attributes"]): Series {
    const text = JSON.stringify(attributes);
    const key = `${metric} ${resource} ${text}`;
    const known = this.#ids.get(key);
    if (known) return known;
    const row = this.#db.get(
      "SELECT id FROM series WHERE metric = ? AND resource = ? AND attributes = ?",
      ...[metric, resource, text],
    );
    const id = row
      ? Number(row.id)
      : this.#db.run(
          "INSERT INTO series (metric, resource, attributes) VALUES (?, ?, ?)",
          metric,
          resource,
          text,
        );
    const series = this.#remember(id, metric, resource, text);
    if (this.#ids.size > 20_000) this.#ids.clear();
    this.#ids.set(key, series);
    return series;
  }

  #remember(id: number, metric: number, resource: number, attributes: string): Series {
    let declaration = this.#metrics.get(metric);
    if (declaration === undefined) {
      const text = this.#db.get("SELECT declaration FROM metric WHERE id = ?", metric)?.declaration;
      declaration = JSON.parse(String(text)) as MetricDeclaration;
      this.#metrics.set(metric, declaration);
    }
    const series = {
      id,
      metric: declaration,
      resource,
      attributes: JSON.parse(attributes) as Series["attributes"],
    };
    if (this.#series.size > 20_000) this.#series.clear();
    this.#series.set(id, series);
    return series;
  }
}

function merge(values: Map<number, Value>, { id, metric }: Series, value: Value): void {
  const before = values.get(id);
  if (before === undefined) values.set(id, value instanceof Histogram ? copy(value) : value);
  else if (before instanceof Histogram && value instanceof Histogram) before.merge(value);
  else values.set(id, metric.instrument === "counter" ? Number(before) + Number(value) : value);
}

function copy(histogram: Histogram): Histogram {
  const same = new Histogram();
  same.merge(histogram);
  return same;
}

/** The histogram whose numbers begin at `at`: MetricsHead says in which order. */
function histogramAt(numbers: Float64Array, at: number): Histogram {
  const histogram = new Histogram();
  const [count, sum, scale, zeros, offset, n] = numbers.subarray(at, at + 6) as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  histogram.count = count;
  histogram.sum = sum;
  histogram.zeros = zeros;
  for (let i = 0; i < n; i++) {
    const bucket = numbers[at + 6 + i]!;
    // Of a coarser scale: all in the bucket that holds the upper bound.
    if (bucket > 0)
      histogram.bump(scale === 3 ? offset + i : (offset + i + 1) * 2 ** (3 - scale) - 1, bucket);
  }
  return histogram;
}

function encode(values: ReadonlyMap<number, Value>): Uint8Array {
  const to = new ByteWriter();
  for (const [id, value] of values) {
    to.uint(id);
    if (typeof value === "number") {
      to.uint(NUMBER);
      to.double(value);
    } else {
      to.uint(HISTOGRAM);
      value.write(to);
    }
  }
  return to.take();
}

function decode(data: Uint8Array): Map<number, Value> {
  const values = new Map<number, Value>();
  const from = new ByteReader(data);
  while (!from.isAtEnd) {
    const id = from.uint();
    if (from.uint() === NUMBER) values.set(id, from.double());
    else {
      const histogram = new Histogram();
      histogram.mergeFrom(from);
      values.set(id, histogram);
    }
  }
  return values;
}
