// The emit calls that a plugin gets, typed from what it declared. Tests: core/engine/instruments.test.ts.
import type {
  AttributeSpecs,
  Attributes,
  EventSpec,
  ExponentialHistogram,
  MetricSpec,
  RequiredKeys,
  Resource,
  Signals,
  SpanContext,
  SpanSpec,
  Time,
} from "./signals.ts";
import type { Recorded } from "./values.ts";

/** Attributes as an object, or in a record that has at least the required ones. */
type Given<A extends AttributeSpecs> = Attributes<A> | Recorded<Pick<A, RequiredKeys<A>>>;

export interface EmittedSpan<S extends SpanSpec> extends SpanContext {
  readonly resource: Resource;
  readonly parentSpanId?: Uint8Array | undefined;
  readonly parentIsRemote?: boolean;
  readonly kind: "internal" | "client" | "server";
  readonly start: Time;
  readonly end: Time;
  readonly attributes: Given<S["attributes"]>;
  readonly error?: string | undefined;
}

export interface EmittedEvent<S extends EventSpec> {
  /** Absent: the host's. */
  readonly resource?: Resource;
  readonly time: Time;
  readonly attributes: Given<S["attributes"]>;
  readonly context?: SpanContext | undefined;
}

/** A metric whose value since the start is reported at each collection; for a gauge the last value counts. */
export interface Observed<S extends MetricSpec> {
  observe(
    value: Value<S>,
    attributes: Attributes<S["attributes"]>,
    /** Absent: the host's. */
    resource?: Resource,
    /** When the sum began, if that is later than the agent's own start: nanoseconds since boot. */
    startNs?: number,
  ): void;
  /**
   * Adds to the series that sums up everything without a series of its own (`otel.metric.overflow`). Bytes sent and
   * received stay separate, so a metric with `network.io.direction` takes the direction; absent: it is unknown.
   */
  overflow(value: Value<S>, ...direction: Direction<S["attributes"]>): void;
}

type Value<S extends MetricSpec> = S["instrument"] extends "histogram" ? ExponentialHistogram : number;

type Direction<A extends AttributeSpecs> = A extends { readonly "network.io.direction": unknown }
  ? [direction?: "transmit" | "receive"]
  : [];

/** The declared signals, ready to be emitted. */
export type Emit<S extends Signals> = {
  readonly [K in keyof S]: S[K] extends SpanSpec
    ? (span: EmittedSpan<S[K]>) => void
    : S[K] extends EventSpec
      ? (event: EmittedEvent<S[K]>) => void
      : S[K] extends MetricSpec
        ? Observed<S[K]>
        : never;
};
