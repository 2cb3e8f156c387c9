// Compares what was exported over OTLP with declarations and the semantic conventions.
import * as semconv from "@opentelemetry/semantic-conventions/incubating";
import type {
  AttributeSpecs,
  EventSpec,
  MetricSpec,
  SignalSpec,
  Signals,
  SpanSpec,
} from "../../core/plugin/signals.ts";
import type {
  Attributed,
  DecodedExemplar,
  DecodedHistogramPoint,
  DecodedLog,
  DecodedMetric,
  DecodedNumberPoint,
  DecodedResource,
  DecodedSpan,
} from "./otlp-decode.ts";
import type { Export } from "./otlp-sink.ts";

/** What one instrumentation scope declares. */
export interface Declared {
  /** `wirespan.<plugin>`. */
  readonly scope: string;
  readonly signals: Signals;
}

export type Rule =
  | "undeclared scope"
  | "undeclared name"
  | "undeclared attribute"
  | "unregistered attribute"
  | "attribute type"
  | "attribute repeated"
  | "required attribute missing"
  | "value outside enum"
  | "unit"
  | "description"
  | "kind of data"
  | "temporality"
  | "scale"
  | "count"
  | "value"
  | "series repeated"
  | "severity"
  | "time"
  | "id"
  | "parent"
  | "span kind"
  | "status"
  | "resource"
  | "exemplar";

export interface Finding {
  readonly rule: Rule;
  /** Scope and signal. */
  readonly where: string;
  readonly detail: string;
}

const registered: ReadonlySet<string> = new Set([
  ...Object.entries(semconv).flatMap(([name, value]) =>
    name.startsWith("ATTR_") && typeof value === "string" ? [value] : [],
  ),
]);

/** All violations in `exports`; the same violation of the same signal is one finding. */
export function check(exports: readonly Export[], declared: readonly Declared[]): readonly Finding[] {
  const checker = new Checker(declared);
  for (const each of exports) {
    if (each.signal === "traces") {
      for (const { resource, scopeSpans } of each.decoded.resourceSpans) {
        checker.resource(resource);
        for (const { scope, spans } of scopeSpans) for (const span of spans) checker.span(scope.name, span);
      }
    } else if (each.signal === "metrics") {
      for (const { resource, scopeMetrics } of each.decoded.resourceMetrics) {
        checker.resource(resource);
        for (const { scope, metrics } of scopeMetrics) {
          for (const metric of metrics) checker.metric(scope.name, metric);
        }
      }
    } else {
      for (const { resource, scopeLogs } of each.decoded.resourceLogs) {
        checker.resource(resource);
        for (const { scope, logRecords } of scopeLogs) {
          for (const log of logRecords) checker.log(scope.name, log);
        }
      }
    }
  }
  checker.traces();
  return checker.findings;
}

const isError = (span: DecodedSpan): boolean => span.status?.code === 2;

class Checker {
  readonly #scopes: ReadonlyMap<string, readonly SignalSpec[]>;
  readonly #findings = new Map<string, Finding>();
  readonly #exemplars: (readonly [where: string, exemplar: DecodedExemplar])[] = [];
  readonly #spans: (readonly [where: string, span: DecodedSpan])[] = [];

  constructor(declared: readonly Declared[]) {
    const scopes = new Map<string, SignalSpec[]>();
    for (const { scope, signals } of declared) {
      scopes.set(scope, [...(scopes.get(scope) ?? []), ...Object.values(signals)]);
    }
    this.#scopes = scopes;
  }

  get findings(): readonly Finding[] {
    return [...this.#findings.values()];
  }

  resource(
    { attributes, types, repeated }: DecodedResource | undefined = {
      attributes: {},
      types: {},
      repeated: [],
    },
  ): void {
    const where = `resource ${JSON.stringify(attributes)}`;
    if (types["service.name"] !== "string" || attributes["service.name"] === "") {
      this.#find("resource", where, "has no service.name");
    }
    for (const key of repeated) this.#find("attribute repeated", where, key);
  }

  span(scope: string, span: DecodedSpan): void {
    const where = `${scope}: span ${span.name}`;
    const spec = this.#spec(scope, "span", span.name, where) as SpanSpec | undefined;
    if (spec !== undefined) this.#attributes(where, span, spec.attributes);
    this.#id(where, "trace id", span.traceId, 16);
    this.#id(where, "span id", span.spanId, 8);
    if (span.parentSpanId !== "") this.#id(where, "parent span id", span.parentSpanId, 8);
    if (span.parentSpanId === span.spanId) this.#find("id", where, "is its own parent");
    for (const link of span.links) {
      this.#id(where, "link's trace id", link.traceId, 16);
      this.#id(where, "link's span id", link.spanId, 8);
      if (link.traceId === span.traceId) this.#find("id", where, "links within its own trace");
    }
    if (span.startTimeUnixNano === 0n) this.#find("time", where, "has no start");
    if (span.endTimeUnixNano < span.startTimeUnixNano) this.#find("time", where, "ends before it starts");
    if (span.kind < 1 || span.kind > 3) this.#find("span kind", where, String(span.kind));
    if (isError(span) && !("error.type" in span.attributes))
      this.#find("status", where, "is Error without error.type");
    this.#spans.push([where, span]);
  }

  /** Checks that need all spans. Each failure has exactly one span with status Error, which may be a child. */
  traces(): void {
    const known = new Set(this.#spans.map(([, { traceId, spanId }]) => traceId + spanId));
    for (const [where, { traceId, spanId }] of this.#exemplars)
      if (!known.has(traceId + spanId)) this.#find("exemplar", where, "names a span that was not sent");
    const failed = new Set(
      this.#spans.flatMap(([, span]) => (isError(span) ? [span.traceId + span.parentSpanId] : [])),
    );
    // Spans in an application's trace, whose parents the application sends. A failure that is reported there has no
    // status in the connection's trace.
    const inTrace = this.#spans.filter(([, { attributes }]) => "wirespan.context.source" in attributes);
    const elsewhere = new Set(
      inTrace.flatMap(([, span]) => (isError(span) ? span.links.map(({ traceId }) => traceId) : [])),
    );
    const apart = new Set(inTrace);
    for (const one of this.#spans.filter((span) => !apart.has(span))) {
      const [where, span] = one;
      const { traceId, spanId, parentSpanId } = span;
      if (/[^0]/.test(parentSpanId) && !known.has(traceId + parentSpanId))
        this.#find("parent", where, "names a parent that was not sent");
      if (elsewhere.has(traceId) && !isError(span)) continue;
      if ("error.type" in span.attributes && isError(span) === failed.has(traceId + spanId))
        this.#find("status", where, "has error.type, and not one of it and its children is Error");
    }
  }

  metric(scope: string, metric: DecodedMetric): void {
    const where = `${scope}: metric ${metric.name}`;
    const spec = this.#spec(scope, "metric", metric.name, where) as MetricSpec | undefined;
    if (spec !== undefined) {
      if (metric.unit !== spec.unit) this.#find("unit", where, `${metric.unit} instead of ${spec.unit}`);
      if (metric.description !== spec.description) this.#find("description", where, metric.description);
      const [actual, expected] = [instrumentOf(metric), spec.instrument];
      if (actual !== expected) this.#find("kind of data", where, `${actual} instead of ${expected}`);
    }
    const temporality =
      metric.sum?.aggregationTemporality ?? metric.exponentialHistogram?.aggregationTemporality;
    if (temporality !== undefined && temporality !== 2) this.#find("temporality", where, String(temporality));
    const series = new Set<string>();
    const points = metric.gauge ?? metric.sum;
    for (const point of [...(points?.dataPoints ?? []), ...(metric.exponentialHistogram?.dataPoints ?? [])]) {
      if (spec !== undefined) this.#attributes(where, point, spec.attributes);
      const key = JSON.stringify(Object.entries(point.attributes).sort());
      if (series.has(key)) this.#find("series repeated", where, key);
      series.add(key);
      if (point.timeUnixNano === 0n) this.#find("time", where, "has no time");
      if (point.startTimeUnixNano > point.timeUnixNano) this.#find("time", where, "starts after it was read");
      if ("scale" in point) this.#histogram(where, point);
      else this.#number(where, point, metric.sum?.isMonotonic === true);
    }
  }

  log(scope: string, log: DecodedLog): void {
    const where = `${scope}: event ${log.eventName || "without a name"}`;
    const spec = this.#spec(scope, "event", log.eventName, where) as EventSpec | undefined;
    if (spec !== undefined) {
      this.#attributes(where, log, spec.attributes);
      const expected = { DEBUG: 5, INFO: 9, WARN: 13, ERROR: 17 }[spec.severity];
      if (log.severityNumber !== expected) {
        this.#find("severity", where, `${log.severityNumber} instead of ${expected}`);
      }
    }
    if (log.timeUnixNano === 0n) this.#find("time", where, "has no time");
    if ((log.traceId === "") !== (log.spanId === "")) this.#find("id", where, "has half a span context");
    if (log.traceId !== "") this.#id(where, "trace id", log.traceId, 16);
    if (log.spanId !== "") this.#id(where, "span id", log.spanId, 8);
  }

  #histogram(where: string, point: DecodedHistogramPoint): void {
    if (point.scale !== 3) this.#find("scale", where, String(point.scale));
    const counts = point.positive?.bucketCounts ?? [];
    const sum = counts.reduce((total, count) => total + count, point.zeroCount);
    if (sum !== point.count) this.#find("count", where, `buckets hold ${sum} of ${point.count}`);
    if (point.sum !== undefined && !(point.sum >= 0)) this.#find("value", where, `sum ${point.sum}`);
    for (const exemplar of point.exemplars) {
      this.#exemplars.push([where, exemplar]);
      const { asDouble: value = Number.NaN, timeUnixNano } = exemplar;
      if (!hasCounted(point, value)) this.#find("exemplar", where, `${value} is in no bucket`);
      if (timeUnixNano < point.startTimeUnixNano || timeUnixNano > point.timeUnixNano)
        this.#find("exemplar", where, "is not of the point's time");
    }
  }

  #number(where: string, point: DecodedNumberPoint, monotonic: boolean): void {
    const value = point.asDouble ?? Number(point.asInt ?? Number.NaN);
    if (!Number.isFinite(value) || (monotonic && value < 0)) this.#find("value", where, String(value));
  }

  #spec(scope: string, signal: SignalSpec["signal"], name: string, where: string): SignalSpec | undefined {
    const specs = this.#scopes.get(scope);
    if (specs === undefined) {
      this.#find("undeclared scope", where, scope);
      return undefined;
    }
    const spec = specs.find((each) => each.signal === signal && each.name === name);
    if (spec === undefined) this.#find("undeclared name", where, name);
    return spec;
  }

  #attributes(where: string, { attributes, types, repeated }: Attributed, specs: AttributeSpecs): void {
    for (const key of repeated) this.#find("attribute repeated", where, key);
    const overflow = attributes["otel.metric.overflow"] === true;
    for (const [key, value] of Object.entries(attributes)) {
      if (overflow && key === "otel.metric.overflow") continue;
      if (overflow && key !== "network.io.direction")
        this.#find("undeclared attribute", where, `overflow with ${key}`);
      if (!registered.has(key) && !key.startsWith("wirespan.")) {
        this.#find("unregistered attribute", where, key);
      }
      const spec = Object.hasOwn(specs, key) ? specs[key] : undefined;
      if (spec === undefined) this.#find("undeclared attribute", where, key);
      else if (types[key] !== spec.type) {
        this.#find("attribute type", where, `${key} is ${types[key]} instead of ${spec.type}`);
      } else if (spec.enum !== undefined && !spec.enum.includes(String(value))) {
        this.#find("value outside enum", where, `${key} = ${String(value)}`);
      }
    }
    for (const [key, { requirement }] of Object.entries(specs)) {
      if (requirement === "required" && !overflow && !Object.hasOwn(attributes, key)) {
        this.#find("required attribute missing", where, key);
      }
    }
  }

  #id(where: string, what: string, hex: string, length: number): void {
    if (hex.length !== length * 2) this.#find("id", where, `${what} has ${hex.length / 2} bytes`);
    else if (/^0*$/.test(hex)) this.#find("id", where, `${what} is zero`);
  }

  #find(rule: Rule, where: string, detail: string): void {
    this.#findings.set(`${rule}\n${where}\n${detail}`, { rule, where, detail });
  }
}

/** Whether the bucket of a value has a count. */
function hasCounted({ scale, zeroCount, zeroThreshold, positive }: DecodedHistogramPoint, value: number) {
  if (value <= zeroThreshold) return zeroCount > 0n;
  const counts = positive?.bucketCounts ?? [];
  return counts.some((count, i) => {
    const index = positive!.offset + i;
    return count > 0n && value > 2 ** (index / 2 ** scale) && value <= 2 ** ((index + 1) / 2 ** scale);
  });
}

function instrumentOf(metric: DecodedMetric): MetricSpec["instrument"] | "nothing" {
  if (metric.gauge !== undefined) return "gauge";
  if (metric.exponentialHistogram !== undefined) return "histogram";
  if (metric.sum === undefined) return "nothing";
  return metric.sum.isMonotonic ? "counter" : "updowncounter";
}
