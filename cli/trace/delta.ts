// What an interval added: cumulative metrics less what they were at the collection before.
import { beginningOf } from "../../core/bridge/clock.ts";
import type {
  AnyAttributes,
  ExponentialHistogram,
  Instant,
  Metric,
  Point,
  Resource,
} from "../../core/plugin/signals.ts";

interface Before {
  /** Nanoseconds since boot. */
  readonly startNs: number;
  readonly time: Instant;
  readonly value: Point["value"];
}

/** Remembers one collection. Counters and histograms become differences, levels stay as they are. */
export class Deltas {
  #before = new Map<string, Before>();
  readonly #resources = new WeakMap<Resource, number>();
  #resourceCount = 0;

  /** The same metrics over the time since the last call; the first call gives the time since the start. */
  next(metrics: readonly Metric[]): readonly Metric[] {
    const now = new Map<string, Before>();
    const deltas = metrics.map((metric): Metric => {
      const { instrument, name } = metric.spec;
      const level = instrument === "gauge" || instrument === "updowncounter";
      const points = metric.points.map((point): Point => {
        const key = `${name} ${this.#id(metric.resource)} ${keyOf(point.attributes)}`;
        const before = this.#before.get(key);
        now.set(key, { startNs: point.start.bootNs, time: metric.time, value: point.value });
        // A series that began anew has lost what it was.
        if (level || before === undefined || before.startNs !== point.start.bootNs) return point;
        return {
          attributes: point.attributes,
          start: beginningOf(before.time, metric.time),
          value: subtract(point.value, before.value),
        };
      });
      return { ...metric, points };
    });
    this.#before = now;
    return deltas;
  }

  #id(resource: Resource): number {
    let id = this.#resources.get(resource);
    if (id === undefined) {
      id = this.#resourceCount++;
      this.#resources.set(resource, id);
    }
    return id;
  }
}

function keyOf(attributes: AnyAttributes): string {
  const given = Object.entries(attributes).filter(([, value]) => value !== undefined);
  return JSON.stringify(given.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function subtract(now: Point["value"], before: Point["value"]): Point["value"] {
  if (typeof now === "number") return typeof before === "number" ? now - before : now;
  return typeof before === "number" || now.scale !== before.scale ? now : subtractHistogram(now, before);
}

/** The greatest of the difference alone is known only where it is greater than all before, the least never. */
function subtractHistogram(now: ExponentialHistogram, before: ExponentialHistogram): ExponentialHistogram {
  const counts = Array.from(
    now.counts,
    (count, i) => count - (before.counts[now.offset + i - before.offset] ?? 0),
  );
  return {
    count: now.count - before.count,
    sum: now.sum - before.sum,
    scale: now.scale,
    zeroCount: now.zeroCount - before.zeroCount,
    offset: now.offset,
    counts,
    ...(now.max !== undefined && now.max > (before.max ?? 0) && { max: now.max }),
  };
}
