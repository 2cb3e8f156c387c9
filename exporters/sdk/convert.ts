// Our metrics, times, ids and attributes in the SDK's types; metrics as returned by a MetricProducer.
import { type HrTime, ValueType } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  DataPointType,
  type MetricData,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";
import type { AnyAttributes, Scope, Time } from "../../core/plugin/signals.ts";
import { SCHEMA_URL } from "../otlp/encode/export-request.ts";
import { type ExportMetric, type ExportPoint, isWhole } from "../temporality.ts";

/** The metrics of one resource, copied because they may wait. */
export function resourceMetrics(resource: Resource, metrics: readonly ExportMetric[]): ResourceMetrics {
  const byScope = Map.groupBy(metrics, ({ scope }) => scope);
  return {
    resource,
    scopeMetrics: [...byScope].map(([{ name, version }, all]: [Scope, ExportMetric[]]) => ({
      scope: { name, version, schemaUrl: SCHEMA_URL },
      metrics: all.map(metricData),
    })),
  };
}

const TYPES = {
  gauge: DataPointType.GAUGE,
  sum: DataPointType.SUM,
  exponential: DataPointType.EXPONENTIAL_HISTOGRAM,
  explicit: DataPointType.HISTOGRAM,
} as const;

function metricData({ spec, data, delta, time, points }: ExportMetric): MetricData {
  const { name, description, unit } = spec;
  return {
    descriptor: { name, description, unit, valueType: isWhole(spec) ? ValueType.INT : ValueType.DOUBLE },
    aggregationTemporality: delta ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE,
    dataPointType: TYPES[data],
    ...(data === "sum" && { isMonotonic: spec.instrument === "counter" }),
    dataPoints: points.map(({ attributes, start, value }) => ({
      startTime: hrTime(start),
      endTime: hrTime(time),
      attributes: defined(attributes),
      value: pointValue(value),
    })),
  } as MetricData;
}

/** The SDK has no place for a zero threshold. */
function pointValue(value: ExportPoint["value"]): unknown {
  if (typeof value === "number") return value;
  const { count, sum, min, max } = value;
  const common = { count, sum, min, max };
  if ("bounds" in value) {
    return { ...common, buckets: { boundaries: [...value.bounds], counts: [...value.counts] } };
  }
  const { scale, zeroCount, offset } = value;
  return {
    ...common,
    scale,
    zeroCount,
    positive: { offset, bucketCounts: Array.from(value.counts) },
    negative: { offset: 0, bucketCounts: [] },
  };
}

export const hrTime = ({ sec, nsec }: Time): HrTime => [sec, nsec];

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}

/** A copy of the attributes that have a value. */
export function defined(attributes: AnyAttributes): Record<string, string | number | boolean | string[]> {
  const result: Record<string, string | number | boolean | string[]> = {};
  for (const key in attributes) {
    const value = attributes[key];
    if (value !== undefined) result[key] = typeof value === "object" ? [...value] : value;
  }
  return result;
}
