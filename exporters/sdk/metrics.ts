// Our metrics as a MetricProducer would hand them to the SDK.
import { ValueType } from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import {
  AggregationTemporality,
  DataPointType,
  type MetricData,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";
import type { Scope } from "../../core/plugin/signals.ts";
import { SCHEMA_URL } from "../otlp/encode/export-request.ts";
import { type ExportMetric, type ExportPoint, isWhole } from "../temporality.ts";
import { given, hrTime } from "./values.ts";

/** The metrics of one resource, copied: they may wait. */
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
      attributes: given(attributes),
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
