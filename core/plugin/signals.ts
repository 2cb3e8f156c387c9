// Signals. Every span, metric and event is declared as data, once; the types of the emit calls, the tables in
// SIGNALS.md and the conformance check of exported data are derived from it. Tests: test/system/conformance.test.ts.

import type { Recorded } from "./values.ts";

export type AttributeType = "string" | "int" | "double" | "boolean" | "string[]";

/** OpenTelemetry's requirement levels (semconv, general/attribute-requirement-level). */
export type Requirement = "required" | "conditional" | "recommended" | "opt_in";

export interface AttributeSpec {
  readonly type: AttributeType;
  readonly requirement: Requirement;
  /** The closed set of a string attribute's values. */
  readonly enum?: readonly string[];
  /**
   * In a metric: how many values it usually has for one combination of the other attributes, if agent/cardinality.ts
   * cannot know.
   */
  readonly expectedValues?: number | "each";
  readonly description: string;
}

export type AttributeSpecs = Readonly<Record<string, AttributeSpec>>;

export interface SpanSpec {
  readonly signal: "span";
  readonly name: string;
  readonly description: string;
  readonly attributes: AttributeSpecs;
}

export interface MetricSpec {
  readonly signal: "metric";
  /** `counter`: monotonic sum; `updowncounter`: sum; `gauge`; `histogram`: exponential, scale 3. */
  readonly instrument: "counter" | "updowncounter" | "gauge" | "histogram";
  readonly name: string;
  /** UCUM: `s`, `By`, `{connection}`. */
  readonly unit: string;
  readonly description: string;
  readonly attributes: AttributeSpecs;
}

export interface EventSpec {
  readonly signal: "event";
  /** The log record's event_name. */
  readonly name: string;
  readonly severity: "DEBUG" | "INFO" | "WARN" | "ERROR";
  readonly description: string;
  readonly attributes: AttributeSpecs;
}

export type SignalSpec = SpanSpec | MetricSpec | EventSpec;
export type Signals = Readonly<Record<string, SignalSpec>>;

export type ValueOf<A extends AttributeSpec> = A extends { readonly enum: readonly (infer E)[] }
  ? E
  : A["type"] extends "string"
    ? string
    : A["type"] extends "boolean"
      ? boolean
      : A["type"] extends "string[]"
        ? readonly string[]
        : number;

export type RequiredKeys<A extends AttributeSpecs> = {
  [K in keyof A]: A[K]["requirement"] extends "required" ? K : never;
}[keyof A];

/** Values for declared attributes: required ones must be given, an undefined one is left out. */
export type Attributes<A extends AttributeSpecs> = { readonly [K in RequiredKeys<A>]: ValueOf<A[K]> } & {
  readonly [K in Exclude<keyof A, RequiredKeys<A>>]?: ValueOf<A[K]> | undefined;
};

export type AttributeValue = string | number | boolean | readonly string[];
export type AnyAttributes = Readonly<Record<string, AttributeValue | undefined>>;

/** A wall-clock instant since the Unix epoch; nsec in [0, 1e9). */
export interface Time {
  readonly sec: number;
  readonly nsec: number;
}

/** A time that is reused. */
export type MutableTime = { -readonly [K in keyof Time]: Time[K] };

/** A wall-clock instant, and the same on the boot clock, which is never stepped and thus can measure intervals. */
export interface Instant extends Time {
  /** Nanoseconds since boot. */
  readonly bootNs: number;
}

/** The instrumentation scope: `wirespan.<plugin>`. */
export interface Scope {
  readonly name: string;
  readonly version: string;
}

/** The entity that telemetry is about. Grouped by identity: the same workload is the same object. */
export interface Resource {
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

export interface SpanContext {
  /** 16 bytes. */
  readonly traceId: Uint8Array;
  /** 8 bytes. */
  readonly spanId: Uint8Array;
}

/** A finished span. `spec` is shared by all spans of its kind: encoders cache what they derive from it. */
export interface Span extends SpanContext {
  readonly spec: SpanSpec;
  readonly scope: Scope;
  readonly resource: Resource;
  /** 8 bytes; absent for a root. */
  readonly parentSpanId?: Uint8Array | undefined;
  /** The parent was created by another process or host (OTLP span flags). */
  readonly parentIsRemote?: boolean;
  /** W3C `tracestate`: how it was sampled. */
  readonly traceState?: string | undefined;
  readonly kind: "internal" | "client" | "server";
  readonly start: Time;
  readonly end: Time;
  readonly attributes: AnyAttributes;
  /** The record that holds the attributes, so that encoders need no object. Valid during the call only. */
  readonly recorded?: Recorded;
  readonly links?: readonly SpanContext[] | undefined;
  /** Status Error with this description; Unset when absent. */
  readonly error?: string | undefined;
}

export interface Event {
  readonly spec: EventSpec;
  readonly scope: Scope;
  readonly resource: Resource;
  readonly time: Time;
  readonly attributes: AnyAttributes;
  /** As for a span. */
  readonly recorded?: Recorded;
  readonly context?: SpanContext | undefined;
  readonly body?: string;
}

/** One of the values counted in a histogram, and the span that reports it. */
export interface Exemplar extends SpanContext {
  /** In the metric's unit. */
  readonly value: number;
  readonly time: Time;
}

/** OTLP exponential histogram buckets (base 2^(2^-scale)), cumulative. */
export interface ExponentialHistogram {
  readonly count: number;
  /** In the metric's unit. */
  readonly sum: number;
  readonly scale: number;
  readonly zeroCount: number;
  /** Values up to it are in the zero bucket. */
  readonly zeroThreshold?: number;
  /** Index of the first bucket in `counts`. */
  readonly offset: number;
  readonly counts: ArrayLike<number>;
  readonly min?: number;
  readonly max?: number;
  /** Exemplars of the values since the last collection. */
  readonly exemplar?: Exemplar;
}

export interface Point {
  readonly attributes: AnyAttributes;
  readonly start: Instant;
  /** A sum or gauge's value (cumulative for sums) or a histogram. */
  readonly value: number | ExponentialHistogram;
}

/** One metric of one resource at one collection; always cumulative, exporters convert. */
export interface Metric {
  readonly spec: MetricSpec;
  readonly scope: Scope;
  readonly resource: Resource;
  readonly time: Instant;
  readonly points: readonly Point[];
  /** Attributes of series that had a point in the last collection and have none in this one. */
  readonly ended?: readonly AnyAttributes[];
}

/**
 * Receives what the plugins emit. Calls never throw and never block; spans, their ids and times, and events are valid
 * during the call only.
 */
export interface Sink {
  span(span: Span): void;
  event(event: Event): void;
  /** All results of one collection. */
  metrics(metrics: readonly Metric[]): void;
}
