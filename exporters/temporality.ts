// Converts metrics to the temporality and the buckets that a backend requires. Plugins emit cumulative sums and
// exponential histograms.
import type {
  AnyAttributes,
  Exemplar,
  ExponentialHistogram,
  Metric,
  MetricSpec,
  Resource,
  Scope,
  Time,
} from "../core/plugin/signals.ts";
import type { MetricPreferences } from "./config.ts";
import { Deltas, isCumulative } from "./deltas.ts";

/** Bucket `i` counts what is above `bounds[i - 1]` and at most `bounds[i]`; one more than there are bounds. */
export interface ExplicitHistogram {
  readonly count: number;
  readonly sum: number;
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly min?: number;
  readonly max?: number;
  readonly exemplar?: Exemplar;
}

export interface ExportPoint {
  readonly attributes: AnyAttributes;
  readonly start: Time;
  readonly value: number | ExponentialHistogram | ExplicitHistogram;
}

export interface ExportMetric {
  readonly spec: MetricSpec;
  readonly scope: Scope;
  readonly resource: Resource;
  readonly time: Time;
  readonly data: "gauge" | "sum" | "exponential" | "explicit";
  readonly delta: boolean;
  readonly points: readonly ExportPoint[];
  /** Attributes of series that have ended; empty for deltas, which need no end. */
  readonly ended: readonly AnyAttributes[];
}

/** Whether a metric's values are integers: items and bytes are counted, anything else is measured. */
export function isWhole({ unit }: MetricSpec): boolean {
  return unit.startsWith("{") || unit === "By";
}

const powers = (first: number, last: number): readonly number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => 2 ** (first + i));

/** Edges of exponential buckets of every scale from 0, so that no value is counted on the wrong side. */
const SECONDS = powers(-20, 6);
const OTHERS = powers(0, 20);

/** Converts all metrics once for those exporters that have the same preferences. */
export class MetricConverter {
  readonly #preferences: MetricPreferences;
  readonly #deltas = new Deltas();

  constructor(preferences: MetricPreferences) {
    this.#preferences = preferences;
  }

  /** One collection's metrics; unchanged points are kept, as zeros if they are deltas. */
  convert(metrics: readonly Metric[]): readonly ExportMetric[] {
    const isDelta = (spec: MetricSpec): boolean => this.#isDelta(spec);
    return this.#deltas.next(metrics, isDelta).map((metric) => this.#metric(metric, isDelta(metric.spec)));
  }

  #metric({ spec, scope, resource, time, points, ended = [] }: Metric, delta: boolean): ExportMetric {
    const common = { spec, scope, resource, time, delta, ended: delta ? [] : ended };
    if (spec.instrument !== "histogram") {
      return { ...common, data: spec.instrument === "gauge" ? "gauge" : "sum", points };
    }
    const isExplicit = this.#preferences.histograms === "explicit";
    if (!isExplicit && !delta) return { ...common, data: "exponential", points };
    const bounds = spec.unit === "s" ? (this.#preferences.boundaries ?? SECONDS) : OTHERS;
    const convert = (value: ExponentialHistogram): ExportPoint["value"] => {
      const kept = delta ? withoutExtremes(value) : value;
      return isExplicit ? explicit(kept, bounds) : kept;
    };
    return {
      ...common,
      data: isExplicit ? "explicit" : "exponential",
      points: points.map((point) => ({ ...point, value: convert(point.value as ExponentialHistogram) })),
    };
  }

  /** As OpenTelemetry defines the preferences; our counters are asynchronous. */
  #isDelta(spec: MetricSpec): boolean {
    const { temporality } = this.#preferences;
    if (temporality === "delta") return isCumulative(spec);
    return temporality === "lowmemory" && spec.instrument === "histogram";
  }
}

/** Extremes since the start are meaningless for an interval. */
function withoutExtremes({ min: _, max: __, ...rest }: ExponentialHistogram): ExponentialHistogram {
  return rest;
}

/**
 * A bound is rounded to the nearest edge of the exponential buckets, so that every bucket is moved as a whole: exact
 * if the bound is an edge (powers of two are), otherwise off by at most 4.5 % (2^(1/16)) at scale 3. Interpolated
 * buckets would be fractions, and rounded ones could decrease over time.
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
  const { count, sum, min, max, exemplar } = from;
  const extremes = { ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
  return { count, sum, bounds, counts, ...extremes, ...(exemplar && { exemplar }) };
}
