// Turns declared signals into the calls that a plugin emits them with, and collects its metrics.
import type { Emit, EmittedEvent, EmittedSpan } from "./emit.ts";
import type {
  AnyAttributes,
  EventSpec,
  ExponentialHistogram,
  Metric,
  MetricSpec,
  Point,
  Resource,
  Scope,
  Signals,
  Sink,
  SpanSpec,
  Time,
} from "./signals.ts";

/** Adds what has no series of its own; both cumulative and of one scale. */
function merge(a: ExponentialHistogram, b: ExponentialHistogram): ExponentialHistogram {
  const offset = Math.min(a.offset, b.offset);
  const end = Math.max(a.offset + a.counts.length, b.offset + b.counts.length);
  const counts = new Float64Array(end - offset);
  for (const h of [a, b])
    for (let i = 0; i < h.counts.length; i++) counts[h.offset - offset + i]! += h.counts[i]!;
  const max = Math.max(a.max ?? 0, b.max ?? 0);
  return {
    ...a,
    count: a.count + b.count,
    sum: a.sum + b.sum,
    zeroCount: a.zeroCount + b.zeroCount,
    offset,
    counts,
    max,
  };
}

function sum(a: Point["value"], b: Point["value"]): Point["value"] {
  if (typeof a === "number") return a + (b as number);
  return merge(a, b as ExponentialHistogram);
}

const DIRECTION = "network.io.direction";

/** Bytes sent and received stay apart: their sum says nothing. */
function overflowOf(attributes: AnyAttributes): AnyAttributes {
  const direction = attributes[DIRECTION];
  return { "otel.metric.overflow": true, ...(direction !== undefined && { [DIRECTION]: direction }) };
}

/** One series as a text; attributes of one metric come in one order. */
function keyOf(attributes: AnyAttributes): string {
  return JSON.stringify(attributes);
}

function size(value: Point["value"]): number {
  return typeof value === "number" ? value : value.count;
}

/**
 * One metric, by resource. A series keeps its place once it has one, until it is not observed any more, or is
 * in the overflow for good.
 */
class Instrument {
  readonly spec: MetricSpec;
  readonly #limit: number;
  readonly #start: Time;
  readonly #host: Resource;
  readonly #observed = new Map<Resource, Map<string, Point>>();
  readonly #places = new Map<Resource, Set<string>>();
  /** Places that are kept for the overflow. */
  readonly #kept: number;
  #taken = 0;
  /** Series that the last collection found no place for. */
  #folded = new Map<Resource, Set<string>>();
  readonly #overflow = new Map<string, Point>();

  constructor(spec: MetricSpec, limit: number, start: Time, host: Resource) {
    this.spec = spec;
    this.#limit = limit;
    this.#start = start;
    this.#host = host;
    this.#kept = DIRECTION in spec.attributes ? 2 : 1;
  }

  observe(
    value: Point["value"],
    attributes: AnyAttributes,
    resource: Resource = this.#host,
    start: Time = this.#start,
  ): void {
    if (attributes["otel.metric.overflow"]) {
      this.#fold(value, attributes);
      return;
    }
    let points = this.#observed.get(resource);
    if (!points) {
      points = new Map();
      this.#observed.set(resource, points);
    }
    const key = keyOf(attributes);
    const before = this.spec.instrument === "gauge" ? undefined : points.get(key);
    // Two rows of a table may be one series: a process before and after its executable was known.
    if (before) points.set(key, { ...before, value: sum(before.value, value) });
    else points.set(key, { attributes, start, value });
  }

  take(scope: Scope, time: Time): Metric[] {
    this.#release();
    this.#admit();
    const folded = new Map<Resource, Set<string>>();
    const metrics = [...this.#observed].map(([resource, observed]) => {
      const places = this.#places.get(resource);
      const without = new Set<string>();
      const points: Point[] = [];
      for (const [key, point] of observed) {
        if (places?.has(key)) {
          points.push(point);
        } else {
          this.#fold(point.value, point.attributes);
          without.add(key);
        }
      }
      if (without.size) folded.set(resource, without);
      return { spec: this.spec, scope, resource, time, points };
    });
    const overflow = [...this.#overflow.values()];
    if (overflow.length)
      metrics.push({ spec: this.spec, scope, resource: this.#host, time, points: overflow });
    this.#observed.clear();
    this.#overflow.clear();
    this.#folded = folded;
    return metrics.filter(({ points }) => points.length > 0);
  }

  #release(): void {
    for (const [resource, places] of this.#places) {
      const observed = this.#observed.get(resource);
      for (const key of places) {
        if (observed?.has(key)) continue;
        places.delete(key);
        this.#taken--;
      }
      if (places.size === 0) this.#places.delete(resource);
    }
  }

  /** Gives new series the places that are left, the largest first. */
  #admit(): void {
    const free = this.#limit - this.#kept - this.#taken;
    if (free <= 0) return;
    const fresh: { resource: Resource; key: string; size: number }[] = [];
    for (const [resource, observed] of this.#observed) {
      const places = this.#places.get(resource);
      const folded = this.#folded.get(resource);
      for (const [key, point] of observed) {
        if (!places?.has(key) && !folded?.has(key)) fresh.push({ resource, key, size: size(point.value) });
      }
    }
    if (fresh.length > free) {
      fresh.sort((a, b) => b.size - a.size);
      fresh.length = free;
    }
    for (const { resource, key } of fresh) {
      const places = this.#places.get(resource);
      if (places) places.add(key);
      else this.#places.set(resource, new Set([key]));
    }
    this.#taken += fresh.length;
  }

  #fold(value: Point["value"], of: AnyAttributes): void {
    const attributes = overflowOf(of);
    const key = keyOf(attributes);
    const before = this.#overflow.get(key);
    this.#overflow.set(key, {
      attributes,
      start: this.#start,
      value: before ? sum(before.value, value) : value,
    });
  }
}

export interface EmissionOptions {
  readonly scope: Scope;
  readonly sink: Sink;
  /** The host's resource, for what no workload is named for. */
  readonly host: Resource;
  /** When the cumulative sums began. */
  readonly start: Time;
  /** Series of one metric, the overflow series included. */
  readonly maxSeries: number;
}

export interface Emission<S extends Signals> {
  readonly emit: Emit<S>;
  /** What was observed since the last call. */
  collect(time: Time): Metric[];
}

export function createEmission<S extends Signals>(signals: S, options: EmissionOptions): Emission<S> {
  const { scope, sink, host, start, maxSeries } = options;
  const instruments: Instrument[] = [];
  const emit: Record<string, unknown> = {};
  for (const [key, spec] of Object.entries(signals)) {
    if (spec.signal === "span") {
      emit[key] = (span: EmittedSpan<SpanSpec>) => sink.span({ spec, scope, ...span });
    } else if (spec.signal === "event") {
      emit[key] = (event: EmittedEvent<EventSpec>) => sink.event({ spec, scope, resource: host, ...event });
    } else {
      const instrument = new Instrument(spec, maxSeries, start, host);
      instruments.push(instrument);
      emit[key] = instrument;
    }
  }
  return {
    emit: emit as Emit<S>,
    collect: (time) => instruments.flatMap((i) => i.take(scope, time)),
  };
}
