// OTLP's JSON form as returned by the backends, and functions to query it.

/** An OTLP value: 64-bit integers are decimal strings. */
export interface AnyValue {
  readonly stringValue?: string;
  readonly intValue?: string;
  readonly doubleValue?: number;
  readonly boolValue?: boolean;
  readonly bytesValue?: string;
  readonly arrayValue?: { readonly values?: readonly AnyValue[] };
  readonly kvlistValue?: { readonly values?: readonly KeyValue[] };
}

export interface KeyValue {
  readonly key: string;
  readonly value: AnyValue;
}

export interface Scope {
  readonly name?: string;
  readonly version?: string;
}

export interface Resource {
  readonly attributes?: readonly KeyValue[];
}

/** Ids are lower-case hex, times decimal strings of nanoseconds. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly name: string;
  readonly kind?: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes?: readonly KeyValue[];
  readonly events?: readonly { timeUnixNano: string; name: string; attributes?: readonly KeyValue[] }[];
  readonly links?: readonly { traceId: string; spanId: string; attributes?: readonly KeyValue[] }[];
  readonly status?: { readonly code?: number; readonly message?: string };
}

export interface NumberPoint {
  readonly attributes?: readonly KeyValue[];
  readonly startTimeUnixNano?: string;
  readonly timeUnixNano: string;
  readonly asInt?: string;
  readonly asDouble?: number;
}

export interface Exemplar {
  readonly timeUnixNano: string;
  readonly asDouble: number;
  readonly spanId: string;
  readonly traceId: string;
}

export interface ExponentialPoint {
  readonly attributes?: readonly KeyValue[];
  readonly startTimeUnixNano?: string;
  readonly timeUnixNano: string;
  readonly count?: string;
  readonly sum?: number;
  readonly min?: number;
  readonly max?: number;
  readonly scale?: number;
  readonly zeroCount?: string;
  readonly exemplars?: readonly Exemplar[];
  readonly positive?: { readonly offset?: number; readonly bucketCounts?: readonly string[] };
}

export interface ExplicitPoint {
  readonly attributes?: readonly KeyValue[];
  readonly count?: string;
  readonly sum?: number;
  readonly bucketCounts?: readonly string[];
  readonly explicitBounds?: readonly number[];
  readonly exemplars?: readonly Exemplar[];
}

export interface Metric {
  readonly name: string;
  readonly unit?: string;
  readonly description?: string;
  readonly sum?: {
    readonly dataPoints: readonly NumberPoint[];
    readonly aggregationTemporality?: number;
    readonly isMonotonic?: boolean;
  };
  readonly gauge?: { readonly dataPoints: readonly NumberPoint[] };
  readonly histogram?: {
    readonly dataPoints: readonly ExplicitPoint[];
    readonly aggregationTemporality?: number;
  };
  readonly exponentialHistogram?: {
    readonly dataPoints: readonly ExponentialPoint[];
    readonly aggregationTemporality?: number;
  };
}

export interface LogRecord {
  readonly timeUnixNano?: string;
  readonly observedTimeUnixNano?: string;
  readonly eventName?: string;
  readonly severityNumber?: number;
  readonly body?: AnyValue;
  readonly attributes?: readonly KeyValue[];
  readonly traceId?: string;
  readonly spanId?: string;
}

export interface ResourceSpans {
  readonly resource?: Resource;
  readonly scopeSpans?: readonly { readonly scope?: Scope; readonly spans?: readonly Span[] }[];
}

/** One export request: exactly one of the three is present. */
export interface OtlpRequest {
  readonly resourceSpans?: readonly ResourceSpans[];
  readonly resourceMetrics?: readonly {
    readonly resource?: Resource;
    readonly scopeMetrics?: readonly { readonly scope?: Scope; readonly metrics?: readonly Metric[] }[];
  }[];
  readonly resourceLogs?: readonly {
    readonly resource?: Resource;
    readonly scopeLogs?: readonly { readonly scope?: Scope; readonly logRecords?: readonly LogRecord[] }[];
  }[];
}

/** A span, metric or event with its resource and scope. */
export interface Under<T> {
  readonly resource: Attributes;
  readonly scope: string;
  readonly item: T;
}

export type Attributes = Readonly<Record<string, unknown>>;

/** Attributes as a plain object; a 64-bit integer becomes a bigint, so that it differs from a double. */
export function attributesOf(list: readonly KeyValue[] | undefined): Attributes {
  return Object.fromEntries((list ?? []).map(({ key, value }) => [key, plain(value)]));
}

/** All spans of some resources, in order. */
export function spansOf(resourceSpans: readonly ResourceSpans[]): Under<Span>[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    (scopeSpans ?? []).flatMap(({ scope, spans }) => under(resource, scope, spans)),
  );
}

/** All metrics of a request, in order. */
export function metricsOf({ resourceMetrics }: OtlpRequest): Under<Metric>[] {
  return (resourceMetrics ?? []).flatMap(({ resource, scopeMetrics }) =>
    (scopeMetrics ?? []).flatMap(({ scope, metrics }) => under(resource, scope, metrics)),
  );
}

/** All log records, events among them, of a request, in order. */
export function logsOf({ resourceLogs }: OtlpRequest): Under<LogRecord>[] {
  return (resourceLogs ?? []).flatMap(({ resource, scopeLogs }) =>
    (scopeLogs ?? []).flatMap(({ scope, logRecords }) => under(resource, scope, logRecords)),
  );
}

function under<T>(
  resource: Resource | undefined,
  scope: Scope | undefined,
  items: readonly T[] = [],
): Under<T>[] {
  const attributes = attributesOf(resource?.attributes);
  return items.map((item) => ({ resource: attributes, scope: scope?.name ?? "", item }));
}

function plain(value: AnyValue): unknown {
  if (value.intValue !== undefined) return BigInt(value.intValue);
  if (value.arrayValue) return (value.arrayValue.values ?? []).map(plain);
  if (value.kvlistValue) return attributesOf(value.kvlistValue.values);
  return value.stringValue ?? value.doubleValue ?? value.boolValue ?? value.bytesValue;
}

/** A counter's sum over its series, of all or of those with these attributes. */
export const sumOf = (
  metrics: readonly Under<Metric>[],
  name: string,
  only: Readonly<Record<string, unknown>> = {},
): number => {
  // Cumulative: the last point of each series counts.
  const series = new Map<string, number>();
  for (const { resource, item } of metrics) {
    if (item.name !== name) continue;
    for (const point of item.sum?.dataPoints ?? []) {
      const attributes = attributesOf(point.attributes);
      if (Object.entries(only).some(([key, value]) => attributes[key] !== value)) continue;
      const key = Object.entries({ ...resource, ...attributes })
        .sort()
        .join();
      series.set(key, Number(point.asInt ?? point.asDouble ?? 0));
    }
  }
  return [...series.values()].reduce((sum, value) => sum + value, 0);
};
