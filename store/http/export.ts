// Spans and events in the format of the Collector's file exporter: a line of OTLP/JSON for each slice and resource.
import { KINDS } from "../../exporters/local/columns.ts";
import type { TraceRow } from "../answers.ts";

/** Numbers of SpanKind (trace.proto). */
const SPAN_KIND: Readonly<Record<string, number>> = { internal: 1, server: 2, client: 3 };
/** Lowest numbers of SeverityNumber (logs.proto). */
const SEVERITY: Readonly<Record<string, number>> = { DEBUG: 5, INFO: 9, WARN: 13, ERROR: 17 };

/** Attributes of resources. The page uses this, too: nothing of Node may be used here. */
interface Described {
  of(id: number): Readonly<Record<string, unknown>>;
}

/** Lines of OTLP/JSON, without line ends. */
export function otlpLines(rows: readonly TraceRow[], resources: Described): string[] {
  const { resourceSpans, resourceLogs } = otlp(rows, resources);
  return [
    ...resourceSpans.map((one) => JSON.stringify({ resourceSpans: [one] })),
    ...resourceLogs.map((one) => JSON.stringify({ resourceLogs: [one] })),
  ];
}

/** As the content of ExportTraceServiceRequest and ExportLogsServiceRequest. */
export function otlp(rows: readonly TraceRow[], resources: Described) {
  const resourceSpans: object[] = [];
  const resourceLogs: object[] = [];
  const groups = Map.groupBy(rows, ({ resource, scope, signal }) => `${resource} ${scope} ${signal}`);
  for (const group of groups.values()) {
    const { resource, scope, signal } = group[0]!;
    const described = { attributes: attributesOf(resources.of(resource)) };
    const named = { name: scope };
    if (signal === "span")
      resourceSpans.push({ resource: described, scopeSpans: [{ scope: named, spans: group.map(spanOf) }] });
    else
      resourceLogs.push({
        resource: described,
        scopeLogs: [{ scope: named, logRecords: group.map(recordOf) }],
      });
  }
  return { resourceSpans, resourceLogs };
}

function spanOf(row: TraceRow) {
  const { trace, span, parent, name, kind = KINDS[0], start, duration = 0, error, attributes, links } = row;
  return {
    traceId: trace,
    spanId: span,
    ...(parent && { parentSpanId: parent }),
    name,
    kind: SPAN_KIND[kind],
    startTimeUnixNano: nanos(start),
    endTimeUnixNano: nanos(start, duration),
    attributes: attributesOf(attributes),
    ...(links && { links: links.map((link) => ({ traceId: link.trace, spanId: link.span })) }),
    status: error === undefined ? {} : { code: 2, message: error },
  };
}

function recordOf({ trace, span, name, severity = "INFO", start, error, attributes }: TraceRow) {
  return {
    timeUnixNano: nanos(start),
    eventName: name,
    severityNumber: SEVERITY[severity],
    severityText: severity,
    ...(error !== undefined && { body: { stringValue: error } }),
    ...(/[^0]/.test(trace) && { traceId: trace, spanId: span }),
    attributes: attributesOf(attributes),
  };
}

function attributesOf(attributes: Readonly<Record<string, unknown>>) {
  return Object.entries(attributes).map(([key, value]) => ({ key, value: anyValueOf(value) }));
}

function anyValueOf(value: unknown): object {
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "number")
    return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  if (Array.isArray(value)) return { arrayValue: { values: value.map(anyValueOf) } };
  return { stringValue: String(value) };
}

/** Seconds as nanoseconds; times are stored in microseconds. */
function nanos(seconds: number, more = 0): string {
  return String(BigInt(Math.round(seconds * 1e6)) * 1000n + BigInt(Math.round(more * 1e9)));
}
