// Signals as the OTLP encoder's batches, decoded.
import type { Batch } from "../../exporters/otlp/encode/batch.ts";
import { Encoder } from "../../exporters/otlp/encode/encoder.ts";
import {
  type DecodedLog,
  type DecodedMetric,
  type DecodedSpan,
  decodeLogs,
  decodeMetrics,
  decodeTraces,
} from "./otlp-decode.ts";

/** The batches that an encoder makes from the input of `feed`. */
export function collect(feed: (encoder: Encoder) => void): Batch[] {
  const encoder = new Encoder();
  const batches: Batch[] = [];
  encoder.add({
    accept: (batch) => batches.push(batch),
    unencodable: (_kind, _count, error) => {
      throw error;
    },
  });
  feed(encoder);
  encoder.cut();
  return batches;
}

export const decodedSpans = (batches: readonly Batch[]): DecodedSpan[] =>
  batches.flatMap(({ bytes }) =>
    decodeTraces(bytes).resourceSpans.flatMap((r) => r.scopeSpans.flatMap((s) => s.spans)),
  );
export const decodedMetrics = (batches: readonly Batch[]): DecodedMetric[] =>
  batches.flatMap(({ bytes }) =>
    decodeMetrics(bytes).resourceMetrics.flatMap((r) => r.scopeMetrics.flatMap((s) => s.metrics)),
  );
export const decodedLogs = (batches: readonly Batch[]): DecodedLog[] =>
  batches.flatMap(({ bytes }) =>
    decodeLogs(bytes).resourceLogs.flatMap((r) => r.scopeLogs.flatMap((s) => s.logRecords)),
  );

export const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("hex");

/** Nanoseconds since 1970. */
export const nanos = ({ sec, nsec }: { sec: number; nsec: number }): bigint =>
  BigInt(sec) * 1_000_000_000n + BigInt(nsec);
