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

/** One metric's points of one collection, by resource. */
class Instrument {
  readonly spec: MetricSpec;
  readonly #limit: number;
  readonly #start: Time;
  readonly #host: Resource;
  readonly #points = new Map<Resource, Point[]>();
  #series = 0;
  #overflow: Point | undefined;

  constructor(spec: MetricSpec, limit: number, start: Time, host: Resource) {
    this.spec = spec;
    this.#limit = limit;
    this.#start = start;
    this.#host = host;
  }

  observe(value: Point["value"], attributes: AnyAttributes, resource: Resource = this.#host): void {
    if (this.#series >= this.#limit - 1 || attributes["otel.metric.overflow"]) {
      const before = this.#overflow;
      this.#overflow = {
        attributes: OVERFLOW,
        start: this.#start,
        value: before ? sum(before.value, value) : value,
      };
      return;
    }
    this.#series++;
    const points = this.#points.get(resource);
    const point: Point = { attributes, start: this.#start, value };
    if (points) points.push(point);
    else this.#points.set(resource, [point]);
  }

  take(scope: Scope, time: Time): Metric[] {
    if (this.#overflow) {
      const host = this.#points.get(this.#host);
      if (host) host.push(this.#overflow);
      else this.#points.set(this.#host, [this.#overflow]);
    }
    const metrics = [...this.#points].map(([resource, points]) => ({
      spec: this.spec,
      scope,
      resource,
      time,
      points,
    }));
    this.#points.clear();
    this.#series = 0;
    this.#overflow = undefined;
    return metrics;
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
