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

const OVERFLOW: AnyAttributes = { "otel.metric.overflow": true };

/** One series as a text; attributes of one metric come in one order. */
function keyOf(attributes: AnyAttributes): string {
  return JSON.stringify(attributes);
}

function size(value: Point["value"]): number {
  return typeof value === "number" ? value : value.count;
}

/** One metric, by resource. A series keeps its place once it has one, or is in the overflow for good. */
class Instrument {
  readonly spec: MetricSpec;
  readonly #limit: number;
  readonly #start: Time;
  readonly #host: Resource;
  readonly #observed = new Map<Resource, Map<string, Point>>();
  readonly #places = new Map<Resource, Set<string>>();
  #taken = 0;
  #overflow: Point | undefined;

  constructor(spec: MetricSpec, limit: number, start: Time, host: Resource) {
    this.spec = spec;
    this.#limit = limit;
    this.#start = start;
    this.#host = host;
  }

  observe(value: Point["value"], attributes: AnyAttributes, resource: Resource = this.#host): void {
    if (attributes["otel.metric.overflow"]) {
      this.#fold(value);
      return;
    }
    let points = this.#observed.get(resource);
    if (!points) {
      points = new Map();
      this.#observed.set(resource, points);
    }
    points.set(keyOf(attributes), { attributes, start: this.#start, value });
  }

  take(scope: Scope, time: Time): Metric[] {
    this.#admit();
    const metrics = [...this.#observed].map(([resource, observed]) => {
      const places = this.#places.get(resource);
      const points: Point[] = [];
      for (const [key, point] of observed) {
        if (places?.has(key)) points.push(point);
        else this.#fold(point.value);
      }
      return { spec: this.spec, scope, resource, time, points };
    });
    if (this.#overflow) {
      metrics.push({ spec: this.spec, scope, resource: this.#host, time, points: [this.#overflow] });
    }
    this.#observed.clear();
    this.#overflow = undefined;
    return metrics.filter(({ points }) => points.length > 0);
  }

  /** Gives new series the places that are left, the largest first; one is kept for the overflow. */
  #admit(): void {
    const free = this.#limit - 1 - this.#taken;
    if (free <= 0) return;
    const fresh: { resource: Resource; key: string; size: number }[] = [];
    for (const [resource, observed] of this.#observed) {
      const places = this.#places.get(resource);
      for (const [key, point] of observed) {
        if (!places?.has(key)) fresh.push({ resource, key, size: size(point.value) });
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

  #fold(value: Point["value"]): void {
    const before = this.#overflow;
    this.#overflow = {
      attributes: OVERFLOW,
      start: this.#start,
      value: before ? sum(before.value, value) : value,
    };
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
