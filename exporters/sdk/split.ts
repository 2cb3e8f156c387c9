// Parts of requests to the SDK's exporters that are too large for a backend.
import type { ResourceMetrics, ScopeMetrics } from "@opentelemetry/sdk-metrics";
import type { Signal } from "../config.ts";
import type { Part } from "../otlp/deliver/queue.ts";
import type { SdkPayload } from "./exporter-factory.ts";

/** Approximate heap of an item. */
const ITEM_BYTES = 1000;

/** Both halves of a payload of `count` items; undefined for a single one. */
export async function halvesOf(
  _signal: Signal,
  payload: SdkPayload,
  count: number,
): Promise<readonly Part<SdkPayload>[] | undefined> {
  if (count < 2) return undefined;
  const middle = count >> 1;
  return [[0, middle] as const, [middle, count] as const].map(([from, to]) => {
    const bytes = (to - from) * ITEM_BYTES;
    return { payload: slice(payload, from, to), count: to - from, size: bytes, plainSize: bytes };
  });
}

function slice(payload: SdkPayload, from: number, to: number): SdkPayload {
  if ("scopeMetrics" in payload) return points(payload, from, to);
  return payload.slice(from, to) as SdkPayload;
}

function points(metrics: ResourceMetrics, from: number, to: number): ResourceMetrics {
  let seen = 0;
  const scopeMetrics = metrics.scopeMetrics.flatMap((scope): ScopeMetrics[] => {
    const kept = scope.metrics.flatMap((metric) => {
      const first = seen;
      seen += metric.dataPoints.length;
      const dataPoints = metric.dataPoints.slice(Math.max(0, from - first), Math.max(0, to - first));
      return dataPoints.length > 0 ? [{ ...metric, dataPoints } as typeof metric] : [];
    });
    return kept.length > 0 ? [{ ...scope, metrics: kept }] : [];
  });
  return { ...metrics, scopeMetrics };
}
