// The form in which a backend wants metrics: since the start or since the last time, exponential or explicit
// buckets. What the plugins emit is cumulative and exponential.
import { beginningOf } from "../core/bridge/clock.ts";
import type {
  AnyAttributes,
  ExponentialHistogram,
  Instant,
  Metric,
  MetricSpec,
  Point,
  Resource,
  Scope,
  Time,
} from "../core/plugin/signals.ts";
import type { MetricForm } from "./config.ts";

/** Bucket `i` counts what is above `bounds[i - 1]` and at most `bounds[i]`; one more than there are bounds. */
export interface ExplicitHistogram {
  readonly count: number;
  readonly sum: number;
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly min?: number;
  readonly max?: number;
}

export interface FormedPoint {
  readonly attributes: AnyAttributes;
  readonly start: Time;
  readonly value: number | ExponentialHistogram | ExplicitHistogram;
}

export interface FormedMetric {
  readonly spec: MetricSpec;
  readonly scope: Scope;
  readonly resource: Resource;
  readonly time: Time;
  readonly data: "gauge" | "sum" | "exponential" | "explicit";
  readonly delta: boolean;
  readonly points: readonly FormedPoint[];
}

/** Whether a metric's numbers are whole: things and bytes are counted, anything else is measured. */
export function isWhole({ unit }: MetricSpec): boolean {
  return unit.startsWith("{") || unit === "By";
}

const powers = (first: number, last: number): readonly number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => 2 ** (first + i));

/** Edges of exponential buckets of every scale from 0, so that nothing is counted on the wrong side. */
const SECONDS = powers(-20, 6);
const OTHERS = powers(0, 20);

/** Collections after which a series that is seen no more is forgotten. */
const FORGOTTEN_AFTER = 30;

/** What a series said last. */
interface Seen {
  /** Nanoseconds since boot. */
  readonly startNs: number;
  readonly time: Instant;
  readonly value: Point["value"];
  readonly collection: number;
}

/** The one form of all metrics for those exporters that want the same. */
export class Former {
  readonly #form: MetricForm;
  readonly #resources = new WeakMap<Resource, string>();
  /** By resource, scope and metric, then by attributes. */
  readonly #seen = new Map<string, Map<string, Seen>>();
  #collection = 0;

  constructor(form: MetricForm) {
    this.#form = form;
  }

  /** One collection's metrics; points without change stay in, as zeros. */
  form(metrics: readonly Metric[]): readonly FormedMetric[] {
    this.#collection++;
    const formed = metrics.map((metric) => this.#metric(metric));
    if (this.#collection % FORGOTTEN_AFTER === 0) this.#forget();
    return formed;
  }

  #metric(metric: Metric): FormedMetric {
    const { spec, scope, resource, time } = metric;
    const delta = this.#isDelta(spec);
    const points = delta ? this.#deltas(metric) : metric.points;
    const common = { spec, scope, resource, time, delta };
    if (spec.instrument !== "histogram") {
      return { ...common, data: spec.instrument === "gauge" ? "gauge" : "sum", points };
    }
    if (this.#form.histograms !== "explicit") return { ...common, data: "exponential", points };
    const bounds = spec.unit === "s" ? (this.#form.boundaries ?? SECONDS) : OTHERS;
    return {
      ...common,
      data: "explicit",
      points: points.map((p) => ({ ...p, value: explicit(p.value as ExponentialHistogram, bounds) })),
    };
  }

  /** The specification's preferences; a counter here is read, not added to: an asynchronous one. */
  #isDelta({ instrument }: MetricSpec): boolean {
    const { temporality } = this.#form;
    if (temporality === "delta") return instrument === "counter" || instrument === "histogram";
    return temporality === "lowmemory" && instrument === "histogram";
  }

  #deltas(metric: Metric): readonly Point[] {
    const { time } = metric;
    const series = this.#seriesOf(metric);
    return metric.points.map((point) => {
      const { attributes, start, value } = point;
      const key = JSON.stringify(attributes);
      const before = series.get(key);
      series.set(key, { startNs: start.bootNs, time, value: kept(value), collection: this.#collection });
      // New, or begun anew: all of it came since its own start.
      if (before === undefined || before.startNs !== start.bootNs)
        return { attributes, start, value: without(value) };
      return { attributes, start: beginningOf(before.time, time), value: difference(value, before.value) };
    });
  }

  /** A workload's resource may be made again as another object: its attributes name it. */
  #seriesOf({ resource, scope, spec }: Metric): Map<string, Seen> {
    let name = this.#resources.get(resource);
    if (name === undefined) {
      name = JSON.stringify(resource.attributes);
      this.#resources.set(resource, name);
    }
    const key = `${scope.name}\n${spec.name}\n${name}`;
    let series = this.#seen.get(key);
    if (series === undefined) {
      series = new Map();
      this.#seen.set(key, series);
    }
    return series;
  }

  #forget(): void {
    for (const [name, series] of this.#seen) {
      for (const [key, { collection }] of series) {
        if (collection <= this.#collection - FORGOTTEN_AFTER) series.delete(key);
      }
      if (series.size === 0) this.#seen.delete(name);
    }
  }
}

/** The buckets may lie in a buffer that the next collection writes to. */
function kept(value: Point["value"]): Point["value"] {
  return typeof value === "number" ? value : { ...value, counts: Float64Array.from(value.counts) };
}

/** Extremes since the start say nothing about an interval. */
function without(value: Point["value"]): Point["value"] {
  if (typeof value === "number") return value;
  const { min: _, max: __, ...rest } = value;
  return rest;
}

/** What came since; never negative, as no cumulative sum of one start falls. */
function difference(now: Point["value"], before: Point["value"]): Point["value"] {
  if (typeof now === "number") return Math.max(0, now - (before as number));
  const was = before as ExponentialHistogram;
  const counts = Float64Array.from(now.counts);
  for (let i = 0; i < was.counts.length; i++) {
    const at = was.offset - now.offset + i;
    if (at >= 0 && at < counts.length) counts[at] = Math.max(0, counts[at]! - was.counts[i]!);
  }
  let first = 0;
  let end = counts.length;
  while (first < end && counts[first] === 0) first++;
  while (end > first && counts[end - 1] === 0) end--;
  return {
    count: Math.max(0, now.count - was.count),
    sum: Math.max(0, now.sum - was.sum),
    scale: now.scale,
    zeroCount: Math.max(0, now.zeroCount - was.zeroCount),
    ...(now.zeroThreshold !== undefined && { zeroThreshold: now.zeroThreshold }),
    offset: now.offset + first,
    counts: counts.subarray(first, end),
  };
}

/**
 * A bound counts as the nearest edge of the exponential buckets, so every bucket goes over whole: exact where
 * a bound is an edge (powers of two are), else as if the bound were off by at most 4.5 % (2^(1/16)) at
 * scale 3. Buckets split by interpolation would be fractions, and rounded ones could fall over time.
 */
function explicit(from: ExponentialHistogram, bounds: readonly number[]): ExplicitHistogram {
  const perOctave = 2 ** from.scale;
  const counts = new Array<number>(bounds.length + 1).fill(0);
  const zeros = bounds.findIndex((bound) => bound >= (from.zeroThreshold ?? 0));
  counts[zeros < 0 ? bounds.length : zeros]! += from.zeroCount;
  const edges = bounds.map((bound) => Math.round(Math.log2(bound) * perOctave));
  let bucket = 0;
  for (let i = 0; i < from.counts.length; i++) {
    const index = from.offset + i;
    while (bucket < bounds.length && index >= edges[bucket]!) bucket++;
    counts[bucket]! += from.counts[i]!;
  }
  const { count, sum, min, max } = from;
  return { count, sum, bounds, counts, ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
}
