// What was exported over OTLP, as spans, events and series.
import type { Export } from "./otlp-sink.ts";

/** The name of a span, an event or a series. */
export interface Told {
  /** The instrumentation scope. */
  readonly scope: string;
  readonly name: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

export interface ToldSpan extends Told {
  readonly traceId: string;
  readonly parentSpanId: string;
}

/** The last value of a series, or the count of its histogram. */
export interface Series extends Told {
  readonly value: number;
}

/** JSON has no bigint; no value here exceeds 2^53. */
export const plain = (_: string, value: unknown) => (typeof value === "bigint" ? Number(value) : value);

export function spansOf(exports: readonly Export[]): ToldSpan[] {
  return exports.flatMap((each) =>
    each.signal !== "traces"
      ? []
      : each.decoded.resourceSpans
          .flatMap(({ scopeSpans }) => scopeSpans)
          .flatMap(({ scope, spans }) =>
            spans.map(({ name, attributes, traceId, parentSpanId }) => ({
              ...{ scope: scope.name, name, attributes, traceId, parentSpanId },
            })),
          ),
  );
}

export function eventsOf(exports: readonly Export[]): Told[] {
  return exports.flatMap((each) =>
    each.signal !== "logs"
      ? []
      : each.decoded.resourceLogs
          .flatMap(({ scopeLogs }) => scopeLogs)
          .flatMap(({ scope, logRecords }) =>
            logRecords.map(({ eventName, attributes }) => ({
              scope: scope.name,
              name: eventName,
              attributes,
            })),
          ),
  );
}

/** Sums are cumulative, so the last value of a series is complete. */
export function seriesOf(exports: readonly Export[]): Series[] {
  const series = new Map<string, Series>();
  for (const each of exports) {
    if (each.signal !== "metrics") continue;
    for (const { resource, scopeMetrics } of each.decoded.resourceMetrics) {
      for (const { scope, metrics } of scopeMetrics) {
        for (const { name, gauge, sum, exponentialHistogram } of metrics) {
          const numbers = gauge?.dataPoints ?? sum?.dataPoints ?? [];
          const points = [
            ...numbers.map((p) => ({ attributes: p.attributes, value: Number(p.asInt ?? p.asDouble) })),
            ...(exponentialHistogram?.dataPoints ?? []).map((p) => ({
              attributes: p.attributes,
              value: Number(p.count),
            })),
          ];
          for (const { attributes, value } of points) {
            const key = JSON.stringify([resource.attributes, scope.name, name, attributes], plain);
            series.set(key, { scope: scope.name, name, attributes, value });
          }
        }
      }
    }
  }
  return [...series.values()];
}
