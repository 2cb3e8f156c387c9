// What each collection added: cumulative counters and histograms minus those of the previous collection. Tests: also
// temporality.test.ts, cli/trace/sink.test.ts.
import { beginningOf } from "../core/bridge/clock.ts";
import { filledRange } from "../core/plugin/histogram.ts";
import type {
  AnyAttributes,
  ExponentialHistogram,
  Instant,
  Metric,
  MetricSpec,
  Point,
  Resource,
} from "../core/plugin/signals.ts";

/** Collections after which a series that is no longer reported is forgotten. */
const FORGOTTEN_AFTER = 30;

/** A series as it was last reported. */
interface Seen {
  /** Nanoseconds since boot. */
  readonly startNs: number;
  readonly time: Instant;
  readonly value: Point["value"];
  readonly collection: number;
}

/** Whether a metric's values only grow from a start on. */
export function isCumulative({ instrument }: MetricSpec): boolean {
  return instrument === "counter" || instrument === "histogram";
}

/** Identifies resources by their attributes: a workload's resource may be another object each time. */
export class ResourceNames {
  readonly #names = new WeakMap<Resource, string>();

  of(resource: Resource): string {
    let name = this.#names.get(resource);
    if (name === undefined) {
      name = JSON.stringify(resource.attributes);
      this.#names.set(resource, name);
    }
    return name;
  }
}

export class Deltas {
  readonly #resources = new ResourceNames();
  /** By metric, scope and resource, then by attributes. */
  readonly #seen = new Map<string, Map<string, Seen>>();
  #collection = 0;

  /**
   * The same metrics over the time since the last call, or since their start if they are new; unchanged points stay
   * in as zeros. Metrics that `converts` excludes are left as they are.
   */
  next(metrics: readonly Metric[], converts = isCumulative): readonly Metric[] {
    this.#collection++;
    const deltas = metrics.map((metric) =>
      converts(metric.spec) ? { ...metric, points: this.#points(metric) } : metric,
    );
    if (this.#collection % FORGOTTEN_AFTER === 0) this.#forget();
    return deltas;
  }

  #points(metric: Metric): readonly Point[] {
    const { time } = metric;
    const series = this.#seriesOf(metric);
    return metric.points.map((point) => {
      const { attributes, start, value } = point;
      const key = attributesKey(attributes);
      const before = series.get(key);
      series.set(key, { startNs: start.bootNs, time, value: copied(value), collection: this.#collection });
      // A new series may have begun before the wall clock was stepped.
      if (before?.startNs !== start.bootNs) return { ...point, start: beginningOf(start, time) };
      return { attributes, start: beginningOf(before.time, time), value: difference(value, before.value) };
    });
  }

  #seriesOf({ resource, scope, spec }: Metric): Map<string, Seen> {
    const key = `${scope.name}\n${spec.name}\n${this.#resources.of(resource)}`;
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

/** The same for the same attributes, in any order. */
export function attributesKey(attributes: AnyAttributes): string {
  return JSON.stringify(attributes, Object.keys(attributes).sort());
}

/** The buckets may be in a buffer that the next collection overwrites. */
function copied(value: Point["value"]): Point["value"] {
  return typeof value === "number" ? value : { ...value, counts: Float64Array.from(value.counts) };
}

/**
 * Never negative: no cumulative sum with the same start decreases. The maximum is known only if it is a new one, the
 * minimum never.
 */
function difference(now: Point["value"], before: Point["value"]): Point["value"] {
  if (typeof now === "number" || typeof before === "number") return Math.max(0, Number(now) - Number(before));
  const counts = Float64Array.from(now.counts);
  for (let i = 0; i < before.counts.length; i++) {
    const at = before.offset - now.offset + i;
    if (at >= 0 && at < counts.length) counts[at] = Math.max(0, counts[at]! - before.counts[i]!);
  }
  const [first, end] = filledRange(counts);
  const delta = {
    count: Math.max(0, now.count - before.count),
    sum: Math.max(0, now.sum - before.sum),
    scale: now.scale,
    zeroCount: Math.max(0, now.zeroCount - before.zeroCount),
    ...(now.zeroThreshold !== undefined && { zeroThreshold: now.zeroThreshold }),
    offset: now.offset + first,
    counts: counts.subarray(first, end),
    ...(now.max !== undefined && now.max > (before.max ?? 0) && { max: now.max }),
  };
  const { exemplar } = now;
  return exemplar && holds(delta, exemplar.value) ? { ...delta, exemplar } : delta;
}

/** Whether a value's bucket is not empty: a value counted just before the window began may have its span in it. */
function holds(
  { scale, zeroCount, zeroThreshold = 0, offset, counts }: ExponentialHistogram,
  value: number,
): boolean {
  if (value <= zeroThreshold) return zeroCount > 0;
  return (counts[Math.ceil(Math.log2(value) * 2 ** scale) - 1 - offset] ?? 0) > 0;
}
