// Creates spans with the SDK's tracers and events with its loggers, with its samplers and limits (OTEL_TRACES_SAMPLER,
// OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT and so on). Metrics are already summed and are passed to the SDK's exporters like
// those of a MetricProducer.
import {
  type Attributes,
  type Context,
  context,
  createTraceState,
  type Logger,
  logs,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { resourceFromAttributes, type Resource as SdkResource } from "@opentelemetry/resources";
import type { LogRecordProcessor, ReadableLogRecord } from "@opentelemetry/sdk-logs";
import { NodeSDK } from "@opentelemetry/sdk-node";
import { AlwaysOnSampler, type ReadableSpan, type SpanProcessor } from "@opentelemetry/sdk-trace";
import type { Event, Metric, Resource, Scope, Sink, Span } from "../../core/plugin/signals.ts";
import { type MetricPreferences, SIGNALS, type Signal } from "../config.ts";
import type { Kind } from "../exporter.ts";
import type { Source } from "../otlp/deliver/otlp-exporter.ts";
import type { Packable } from "../otlp/deliver/queue.ts";
import { SCHEMA_URL } from "../otlp/encode/export-request.ts";
import { type ExportMetric, MetricConverter } from "../temporality.ts";
import { defined, hex, hrTime, resourceMetrics } from "./convert.ts";
import type { SdkPayload } from "./exporter-factory.ts";

const MAX_ITEMS = 512;
const MAX_AGE_MS = 1000;

/** The SDK's data points have no flags, so the end of a series cannot be sent. */
function withPoints(metrics: readonly ExportMetric[]): readonly ExportMetric[] {
  return metrics.filter(({ points }) => points.length > 0);
}

/** Heap of the SDK's objects (deliver/memory.test.ts measures it), in addition to their attributes. */
const BYTES = { traces: 950, logs: 280, metrics: 220 } as const satisfies Record<Signal, number>;
const ATTRIBUTE_BYTES = 32;

const KINDS = { internal: SpanKind.INTERNAL, client: SpanKind.CLIENT, server: SpanKind.SERVER } as const;
const SEVERITIES = { DEBUG: 5, INFO: 9, WARN: 13, ERROR: 17 } as const;

/** Receivers of batches. */
export interface SdkReceiver {
  accept(batch: Packable<SdkPayload>): void;
  unencodable(kind: Kind, count: number, error: unknown): void;
}

/** Spans or events on their way into batches. */
class SignalBatcher<T extends ReadableSpan | ReadableLogRecord> {
  readonly receivers: SdkReceiver[] = [];
  readonly #signal: "traces" | "logs";
  #items: T[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(signal: "traces" | "logs") {
    this.#signal = signal;
  }

  get open(): number {
    return this.#items.length;
  }

  add(item: T): void {
    this.#items.push(item);
    this.#bytes += BYTES[this.#signal] + sizeOf(item.attributes);
    if (this.#items.length >= MAX_ITEMS) this.cut();
    else this.#timer ??= setTimeout(() => this.cut(), MAX_AGE_MS).unref();
  }

  cut(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const items = this.#items;
    if (items.length === 0) return;
    const packed = { payload: items as SdkPayload, size: this.#bytes };
    const batch = {
      signal: this.#signal,
      count: items.length,
      bytes: this.#bytes,
      pack: () => packed,
      packNow: () => packed,
    };
    this.#items = [];
    this.#bytes = 0;
    for (const receiver of this.receivers) receiver.accept(batch);
  }
}

/** Metrics with the same preferences. */
interface MetricBatcher {
  readonly converter: MetricConverter;
  readonly receivers: SdkReceiver[];
}

export class SdkSource implements Sink, Source {
  static #live = false;
  readonly #sdk: NodeSDK;
  readonly #spans = new SignalBatcher<ReadableSpan>("traces");
  readonly #events = new SignalBatcher<ReadableLogRecord>("logs");
  readonly #metrics = new Map<string, MetricBatcher>();
  readonly #tracers = new WeakMap<Scope, Tracer>();
  readonly #loggers = new WeakMap<Scope, Logger>();
  readonly #resources = new WeakMap<Resource, SdkResource>();
  /** The span that the SDK is processing right now. */
  #current!: Span;
  #resource!: SdkResource;
  #users = 0;

  /** Starts a NodeSDK; throws if another one made here is still running. */
  constructor() {
    if (SdkSource.#live) throw new Error("the SDK's providers are global: one source at a time");
    SdkSource.#live = true;
    const none = async (): Promise<void> => {};
    const spanProcessor: SpanProcessor = {
      onStart() {},
      onEnd: (span) => this.#spans.add(spanOf(this.#resource, span, this.#current.traceState)),
      forceFlush: none,
      shutdown: none,
    };
    const logRecordProcessor: LogRecordProcessor = {
      onEmit: (record) => this.#events.add(recordOf(this.#resource, record)),
      forceFlush: none,
      shutdown: none,
    };
    this.#sdk = new NodeSDK({
      autoDetectResources: false,
      textMapPropagator: null,
      // The kernel's programs have already excluded the rest (sampling.ratio): everything that they kept is kept.
      ...(/traceidratio$/.test(process.env.OTEL_TRACES_SAMPLER ?? "") && { sampler: new AlwaysOnSampler() }),
      metricReaders: [],
      spanProcessors: [spanProcessor],
      logRecordProcessors: [logRecordProcessor],
      idGenerator: {
        generateTraceId: () => hex(this.#current.traceId),
        generateSpanId: () => hex(this.#current.spanId),
      },
    });
    this.#sdk.start();
  }

  /** Adds a receiver of `signals`, with its preferences for metrics. */
  add(receiver: SdkReceiver, signals: readonly Signal[] = SIGNALS, form: MetricPreferences = {}): void {
    this.#users++;
    if (signals.includes("traces")) this.#spans.receivers.push(receiver);
    if (signals.includes("logs")) this.#events.receivers.push(receiver);
    if (!signals.includes("metrics")) return;
    const key = JSON.stringify([form.temporality, form.histograms, form.boundaries]);
    const batcher = this.#metrics.get(key) ?? { converter: new MetricConverter(form), receivers: [] };
    this.#metrics.set(key, batcher);
    batcher.receivers.push(receiver);
  }

  /** A receiver is closed; with the last one the SDK shuts down. */
  leave(): void {
    if (--this.#users > 0) return;
    void this.#sdk.shutdown();
    trace.disable();
    logs.disable();
    context.disable();
    SdkSource.#live = false;
  }

  span(span: Span): void {
    if (this.#spans.receivers.length === 0) return;
    try {
      this.#span(span);
    } catch (error) {
      for (const receiver of this.#spans.receivers) receiver.unencodable("span", 1, error);
    }
  }

  #span(span: Span): void {
    const { spec, parentSpanId, parentIsRemote, error } = span;
    this.#current = span;
    this.#resource = this.#resourceOf(span.resource);
    const made = this.#tracerOf(span.scope).startSpan(
      spec.name,
      {
        kind: KINDS[span.kind],
        startTime: hrTime(span.start),
        // The SDK copies them, and omits undefined ones.
        attributes: span.attributes as Attributes,
        links: (span.links ?? []).map(({ traceId, spanId }) => ({
          context: {
            traceId: hex(traceId),
            spanId: hex(spanId),
            traceFlags: TraceFlags.SAMPLED,
            isRemote: true,
          },
        })),
      },
      parentSpanId === undefined
        ? ROOT_CONTEXT
        : contextOf({ traceId: span.traceId, spanId: parentSpanId }, parentIsRemote === true),
    );
    if (error !== undefined) made.setStatus({ code: SpanStatusCode.ERROR, message: error });
    made.end(hrTime(span.end));
  }

  event(event: Event): void {
    if (this.#events.receivers.length === 0) return;
    const { spec, time, body } = event;
    this.#resource = this.#resourceOf(event.resource);
    try {
      this.#loggerOf(event.scope).emit({
        eventName: spec.name,
        timestamp: hrTime(time),
        observedTimestamp: hrTime(time),
        severityNumber: SEVERITIES[spec.severity],
        attributes: defined(event.attributes),
        context: event.context === undefined ? ROOT_CONTEXT : contextOf(event.context, false),
        ...(body !== undefined && { body }),
      });
    } catch (error) {
      for (const receiver of this.#events.receivers) receiver.unencodable("event", 1, error);
    }
  }

  /** One request for each resource, in the form that PushMetricExporter accepts. */
  metrics(metrics: readonly Metric[]): void {
    for (const { converter, receivers } of this.#metrics.values()) {
      const byResource = Map.groupBy(withPoints(converter.convert(metrics)), ({ resource }) => resource);
      for (const [resource, formed] of byResource) {
        const points = formed.flatMap((metric) => metric.points);
        const items = resourceMetrics(this.#resourceOf(resource), formed);
        const bytes = points.reduce((sum, { attributes, value }) => {
          const counts = typeof value === "number" ? 0 : value.counts.length;
          return sum + BYTES.metrics + sizeOf(attributes) + counts * 8;
        }, 0);
        const packed = { payload: items, size: bytes };
        const pack = () => packed;
        const batch = { signal: "metrics", count: points.length, bytes, pack, packNow: pack } as const;
        if (points.length > 0) for (const receiver of receivers) receiver.accept(batch);
      }
    }
  }

  /** How many are in batches that are still open; metrics never do. */
  open(kind: Kind): number {
    if (kind === "point") return 0;
    return (kind === "span" ? this.#spans : this.#events).open;
  }

  /** Closes all open batches. */
  cut(): void {
    this.#spans.cut();
    this.#events.cut();
  }

  #tracerOf(scope: Scope): Tracer {
    let tracer = this.#tracers.get(scope);
    if (tracer === undefined) {
      tracer = trace.getTracerProvider().getTracer(scope.name, scope.version, { schemaUrl: SCHEMA_URL });
      this.#tracers.set(scope, tracer);
    }
    return tracer;
  }

  #loggerOf(scope: Scope): Logger {
    let logger = this.#loggers.get(scope);
    if (logger === undefined) {
      logger = logs.getLogger(scope.name, scope.version, { schemaUrl: SCHEMA_URL });
      this.#loggers.set(scope, logger);
    }
    return logger;
  }

  #resourceOf(resource: Resource): SdkResource {
    let made = this.#resources.get(resource);
    if (made === undefined) {
      made = resourceFromAttributes(defined(resource.attributes), { schemaUrl: SCHEMA_URL });
      this.#resources.set(resource, made);
    }
    return made;
  }
}

/**
 * The same, but with this resource: a NodeSDK has one, and ours are the workloads'. And with this `tracestate`: the
 * SDK's would be its sampler's.
 */
function spanOf(resource: SdkResource, span: ReadableSpan, traceState: string | undefined): ReadableSpan {
  const made = span.spanContext();
  const ids = traceState === undefined ? made : { ...made, traceState: createTraceState(traceState) };
  return {
    name: span.name,
    kind: span.kind,
    spanContext: () => ids,
    ...(span.parentSpanContext && { parentSpanContext: span.parentSpanContext }),
    startTime: span.startTime,
    endTime: span.endTime,
    duration: span.duration,
    ended: true,
    status: span.status,
    attributes: span.attributes,
    links: span.links,
    events: span.events,
    resource,
    instrumentationScope: span.instrumentationScope,
    droppedAttributesCount: span.droppedAttributesCount,
    droppedEventsCount: span.droppedEventsCount,
    droppedLinksCount: span.droppedLinksCount,
  };
}

/** The same for an event. */
function recordOf(resource: SdkResource, record: ReadableLogRecord): ReadableLogRecord {
  const { spanContext, severityNumber, body, eventName } = record;
  return {
    hrTime: record.hrTime,
    hrTimeObserved: record.hrTimeObserved,
    ...(spanContext && { spanContext }),
    ...(severityNumber !== undefined && { severityNumber }),
    ...(body !== undefined && { body }),
    ...(eventName !== undefined && { eventName }),
    attributes: record.attributes,
    resource,
    instrumentationScope: record.instrumentationScope,
    droppedAttributesCount: record.droppedAttributesCount,
  };
}

function contextOf(ids: { traceId: Uint8Array; spanId: Uint8Array }, isRemote: boolean): Context {
  const { SAMPLED: traceFlags } = TraceFlags;
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId: hex(ids.traceId),
    spanId: hex(ids.spanId),
    traceFlags,
    isRemote,
  });
}

function sizeOf(attributes: Readonly<Record<string, unknown>>): number {
  let bytes = 0;
  for (const key in attributes) {
    const value = attributes[key];
    bytes += ATTRIBUTE_BYTES + (typeof value === "string" ? value.length : 0);
  }
  return bytes;
}
