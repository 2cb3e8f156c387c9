// Signals as JSON lines: declared attribute names, flat, beside a few keys of our own.
import type { AnyAttributes, Event, ExponentialHistogram, Metric, Span, Time } from "../signals.ts";
import type { Row } from "./view.ts";

/** RFC 3339 in UTC with nanoseconds. */
export function rfc3339({ sec, nsec }: Time): string {
  return `${new Date(sec * 1000).toISOString().slice(0, 19)}.${String(nsec).padStart(9, "0")}Z`;
}

const hex = (id: Uint8Array): string => Buffer.from(id.buffer, id.byteOffset, id.length).toString("hex");

const line = (keys: Readonly<Record<string, unknown>>, attributes: AnyAttributes): string =>
  `${JSON.stringify({ ...keys, ...attributes })}\n`;

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

/** A row that a table tool made of an interval's metrics. */
export function rowJson(plugin: string, kind: string | undefined, row: Row): string {
  const { time, name, attributes, value, histogram } = row;
  const keys = {
    time,
    plugin,
    signal: "metric",
    name,
    kind,
    value,
    histogram: histogram && plain(histogram),
  };
  return line(keys, attributes);
}

/** Counts may lie in a typed array, which JSON would write as an object. */
const plain = (histogram: ExponentialHistogram) => ({ ...histogram, counts: Array.from(histogram.counts) });
