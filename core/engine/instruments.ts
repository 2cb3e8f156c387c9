// Turns declared signals into the calls with which a plugin emits them, and collects its metrics.
import { isLater } from "../bridge/clock.ts";
import type { Emit, EmittedEvent, EmittedSpan } from "../plugin/emit.ts";
import type { Clock } from "../plugin/services.ts";
import type {
  AnyAttributes,
  EventSpec,
  Exemplar,
  ExponentialHistogram,
  Instant,
  Metric,
  MetricSpec,
  Point,
  Resource,
  Scope,
  Signals,
  Sink,
  SpanSpec,
} from "../plugin/signals.ts";
import { Recorded, RecordedEvent } from "../plugin/values.ts";

/** Merges values that have no series of their own; both are cumulative and have the same scale. */
function merge(a: ExponentialHistogram, b: ExponentialHistogram): ExponentialHistogram {
  const offset = Math.min(a.offset, b.offset);
  const end = Math.max(a.offset + a.counts.length, b.offset + b.counts.length);
  const counts = new Float64Array(end - offset);
  for (const h of [a, b])
    for (let i = 0; i < h.counts.length; i++) counts[h.offset - offset + i]! += h.counts[i]!;
  const max = Math.max(a.max ?? 0, b.max ?? 0);
  const exemplar = larger(a.exemplar, b.exemplar);
  return {
    ...a,
    count: a.count + b.count,
    sum: a.sum + b.sum,
    zeroCount: a.zeroCount + b.zeroCount,
    offset,
    counts,
    max,
    ...(exemplar && { exemplar }),
  };
}

function larger(a: Exemplar | undefined, b: Exemplar | undefined): Exemplar | undefined {
  return a && b ? (a.value > b.value ? a : b) : (a ?? b);
}

function sum(a: Point["value"], b: Point["value"]): Point["value"] {
  if (typeof a === "number") return a + (b as number);
  return merge(a, b as ExponentialHistogram);
}

const DIRECTION = "network.io.direction";

/** Bytes sent and received stay separate: their sum has no meaning. */
function overflowOf(direction: AnyAttributes[string]): AnyAttributes {
  return { "otel.metric.overflow": true, ...(direction !== undefined && { [DIRECTION]: direction }) };
}

/** Identifies a series; attributes of one metric always have the same order. */
function keyOf(attributes: AnyAttributes): string {
  return JSON.stringify(attributes);
}

function size(value: Point["value"]): number {
  return typeof value === "number" ? value : value.count;
}

/** An observed series. */
interface Observed {
  readonly attributes: AnyAttributes;
  /** Start of the sum, nanoseconds since boot, if the plugin knows it. */
  readonly startNs?: number | undefined;
  readonly value: Point["value"];
}

/**
 * When sums began, by the wall clock. A reported start does not change, because another start would mean another sum;
 * but if the clock was set back, no sum may begin after its own time.
 */
class Beginnings {
  readonly #clock: Pick<Clock, "instant">;
  #before = new Map<number, Instant>();
  #now = new Map<number, Instant>();

  constructor(clock: Pick<Clock, "instant">) {
    this.#clock = clock;
  }

  /** The start of a sum at a collection. */
  of(startNs: number, time: Instant): Instant {
    const known = this.#now.get(startNs) ?? this.#before.get(startNs);
    let start = known && !isLater(known, time) ? known : this.#clock.instant(startNs);
    if (isLater(start, time)) start = { ...time, bootNs: startNs };
    this.#now.set(startNs, start);
    return start;
  }

  /** Ends a collection: those that it did not use are forgotten. */
  settle(): void {
    this.#before = this.#now;
    this.#now = new Map();
  }
}

/** By resource, then by key. */
type Starts = Map<Resource, Map<string, number>>;

/**
 * One metric, by resource. A series keeps its slot until it is no longer observed, or is in the overflow permanently.
 */
class Instrument {
  readonly spec: MetricSpec;
  readonly #limit: number;
  readonly #startNs: number;
  readonly #host: Resource;
  readonly #observed = new Map<Resource, Map<string, Observed>>();
  readonly #places = new Map<Resource, Set<string>>();
  /** Start of sums that were observed without one, nanoseconds since boot. It never changes: another start is another sum. */
  readonly #starts: Starts = new Map();
  /** Slots that are reserved for the overflow. */
  readonly #kept: number;
  #taken = 0;
  /** Series for which the last collection had no slot. */
  #folded = new Map<Resource, Set<string>>();
  readonly #overflow = new Map<string, Observed>();

  constructor(spec: MetricSpec, limit: number, startNs: number, host: Resource) {
    this.spec = spec;
    this.#limit = limit;
    this.#startNs = startNs;
    this.#host = host;
    this.#kept = DIRECTION in spec.attributes ? 2 : 1;
  }

  /** `startNs`: start of the sum, nanoseconds since boot; default: the last collection in which it did not exist. */
  observe(
    value: Point["value"],
    attributes: AnyAttributes,
    resource: Resource = this.#host,
    startNs?: number,
  ): void {
    // The workload of a sum that has no number of its own.
    if (attributes["otel.metric.overflow"]) {
      this.overflow(value, attributes[DIRECTION]);
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
    else points.set(key, { attributes, startNs, value });
  }

  /** `newSince`: new series have counted nothing before this time, nanoseconds since boot. */
  take(scope: Scope, time: Instant, beginnings: Beginnings, newSince: number): Metric[] {
    const pointOf = ({ attributes, value }: Observed, startNs: number): Point => {
      return { attributes, start: beginnings.of(startNs, time), value };
    };
    const ended = this.#release();
    this.#admit();
    const folded = new Map<Resource, Set<string>>();
    const metrics = [...this.#observed].map(([resource, observed]) => {
      const places = this.#places.get(resource);
      const without = new Set<string>();
      const points: Point[] = [];
      for (const [key, point] of observed) {
        if (places?.has(key)) {
          points.push(pointOf(point, point.startNs ?? this.#startOf(resource, key, newSince)));
        } else {
          this.overflow(point.value, point.attributes[DIRECTION]);
          without.add(key);
        }
      }
      if (without.size) folded.set(resource, without);
      const gone = ended.get(resource);
      ended.delete(resource);
      return { spec: this.spec, scope, resource, time, points, ...(gone && { ended: gone }) };
    });
    for (const [resource, gone] of ended)
      metrics.push({ spec: this.spec, scope, resource, time, points: [], ended: gone });
    const overflow = [...this.#overflow.values()].map((point) => pointOf(point, this.#startNs));
    if (overflow.length)
      metrics.push({ spec: this.spec, scope, resource: this.#host, time, points: overflow });
    this.#observed.clear();
    this.#overflow.clear();
    this.#folded = folded;
    return metrics.filter((metric) => metric.points.length > 0 || "ended" in metric);
  }

  #startOf(resource: Resource, key: string, newSince: number): number {
    if (this.spec.instrument === "gauge") return newSince;
    let starts = this.#starts.get(resource);
    if (!starts) {
      starts = new Map();
      this.#starts.set(resource, starts);
    }
    const start = starts.get(key) ?? newSince;
    starts.set(key, start);
    return start;
  }

  /** Frees the slots of series that are no longer observed; returns their attributes. */
  #release(): Map<Resource, AnyAttributes[]> {
    const released = new Map<Resource, AnyAttributes[]>();
    for (const [resource, places] of this.#places) {
      const observed = this.#observed.get(resource);
      const gone = [...places].filter((key) => !observed?.has(key));
      for (const key of gone) places.delete(key);
      this.#taken -= gone.length;
      if (places.size === 0) this.#places.delete(resource);
      if (gone.length > 0)
        released.set(
          resource,
          gone.map((key) => JSON.parse(key) as AnyAttributes),
        );
    }
    return released;
  }

  /** Gives the remaining slots to new series, largest first. */
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

  overflow(value: Point["value"], direction?: AnyAttributes[string]): void {
    const attributes = overflowOf(direction);
    const key = keyOf(attributes);
    const before = this.#overflow.get(key);
    this.#overflow.set(key, {
      attributes,
      value: before ? sum(before.value, value) : value,
    });
  }
}

export interface InstrumentOptions {
  readonly scope: Scope;
  readonly sink: Sink;
  /** The host's resource, for sums without a workload. */
  readonly host: Resource;
  readonly clock: Pick<Clock, "instant">;
  /** When the cumulative sums began, nanoseconds since boot. */
  readonly startNs: number;
  /** Series of one metric, the overflow series included. */
  readonly maxSeries: number;
}

export interface Instruments<S extends Signals> {
  readonly emit: Emit<S>;
  /**
   * The series observed since the last call, at `nowNs` nanoseconds since boot. `isComplete`: no earlier event is held
   * back for a later call.
   */
  collect(nowNs: number, isComplete?: boolean): Metric[];
}

export function createInstruments<S extends Signals>(signals: S, options: InstrumentOptions): Instruments<S> {
  const { scope, sink, host, clock, startNs, maxSeries } = options;
  const beginnings = new Beginnings(clock);
  const instruments: Instrument[] = [];
  const emit: Record<string, unknown> = {};
  let newSince = startNs;
  for (const [key, spec] of Object.entries(signals)) {
    if (spec.signal === "span") {
      emit[key] = ({ attributes, ...span }: EmittedSpan<SpanSpec>) => {
        const of = { spec, scope, ...span };
        if (attributes instanceof Recorded)
          sink.span({ ...of, attributes: attributes.object, recorded: attributes });
        else sink.span({ ...of, attributes });
      };
    } else if (spec.signal === "event") {
      emit[key] = ({ attributes, resource = host, ...event }: EmittedEvent<EventSpec>) => {
        const of = { spec, scope, resource, ...event };
        if (attributes instanceof Recorded) sink.event(new RecordedEvent({ ...of, recorded: attributes }));
        else sink.event({ ...of, attributes });
      };
    } else {
      const instrument = new Instrument(spec, maxSeries, startNs, host);
      instruments.push(instrument);
      emit[key] = instrument;
    }
  }
  return {
    emit: emit as Emit<S>,
    collect(nowNs, isComplete = true) {
      const time = clock.instant(nowNs);
      const metrics = instruments.flatMap((i) => i.take(scope, time, beginnings, newSince));
      beginnings.settle();
      if (isComplete) newSince = nowNs;
      return metrics;
    },
  };
}
