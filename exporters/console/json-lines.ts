// Signals as JSON lines: declared attribute names, flat, and a few keys of our own.
import type {
  AnyAttributes,
  Event,
  ExponentialHistogram,
  Metric,
  Span,
  Time,
} from "../../core/plugin/signals.ts";
import type { Row } from "../../core/plugin/trace/view.ts";

/** RFC 3339 in UTC with nanoseconds. */
function rfc3339({ sec, nsec }: Time): string {
  return `${new Date(sec * 1000).toISOString().slice(0, 19)}.${String(nsec).padStart(9, "0")}Z`;
}

const hex = (id: Uint8Array): string => Buffer.from(id.buffer, id.byteOffset, id.length).toString("hex");

const line = (keys: Readonly<Record<string, unknown>>, attributes: AnyAttributes): string =>
  jsonLine({ ...keys, ...attributes });

/** JSON without control characters: JSON.stringify leaves DEL and C1 controls as they are. */
export function jsonLine(value: unknown): string {
  const text = JSON.stringify(value);
  const safe = text.replace(/[\x7f-\x9f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return `${safe}\n`;
}

export function spanJson(plugin: string, span: Span): string {
  const { spec, kind, start, end, traceId, spanId, parentSpanId, error, attributes } = span;
  const keys = {
    time: rfc3339(end),
    plugin,
    signal: "span",
    name: spec.name,
    kind,
    status: error === undefined ? "unset" : "error",
    start: rfc3339(start),
    end: rfc3339(end),
    trace_id: hex(traceId),
    span_id: hex(spanId),
    parent_span_id: parentSpanId && hex(parentSpanId),
  };
  return line(keys, attributes);
}

export function eventJson(plugin: string, { spec, time, attributes, context }: Event): string {
  const ids = context && { trace_id: hex(context.traceId), span_id: hex(context.spanId) };
  const keys = {
    time: rfc3339(time),
    plugin,
    signal: "event",
    name: spec.name,
    severity: spec.severity,
    ...ids,
  };
  return line(keys, attributes);
}

/** One line per series. */
export function metricJson(plugin: string, { spec, time, points }: Metric): string {
  const keys = { time: rfc3339(time), plugin, signal: "metric", name: spec.name, kind: spec.instrument };
  const lines = points.map(({ start, value, attributes }) => {
    const of = typeof value === "number" ? { value } : { histogram: plain(value) };
    return line({ ...keys, unit: spec.unit, start: rfc3339(start), ...of }, attributes);
  });
  return lines.join("");
}

/** All of a collection as one line, without series that are zero. */
export function collectionJson(metrics: readonly Metric[]): string {
  const [first] = metrics;
  if (!first) return "";
  const all = metrics
    .map(({ spec, resource, points }) => ({
      name: spec.name,
      kind: spec.instrument,
      unit: spec.unit,
      "service.name": resource.attributes["service.name"],
      points: points
        .filter(({ value }) => (typeof value === "number" ? value !== 0 : value.count > 0))
        .map(({ value, attributes }) => ({
          ...(typeof value === "number" ? { value } : { histogram: plain(value) }),
          ...attributes,
        })),
    }))
    .filter(({ points }) => points.length > 0);
  return all.length === 0 ? "" : jsonLine({ time: rfc3339(first.time), signal: "metrics", metrics: all });
}

/** A row of a tool that prints tables, made from an interval's metrics. */
export function rowJson(plugin: string, kind: string | undefined, row: Row): string {
  const { time, name, attributes, value, histogram } = row;
  const keys = {
    time: rfc3339(time),
    plugin,
    signal: "metric",
    name,
    kind,
    value,
    histogram: histogram && plain(histogram),
  };
  return line(keys, attributes);
}

/** Counts may be in a typed array, which JSON would write as an object. */
const plain = ({ exemplar: _, ...histogram }: ExponentialHistogram) => ({
  ...histogram,
  counts: Array.from(histogram.counts),
});
