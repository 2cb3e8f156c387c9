// The interface of exporters, and how an exporter counts everything that it received.

/** What is counted: spans, metric points, events (log records). */
export type Kind = "span" | "point" | "event";

/** As in OpenTelemetry's names of exporters. */
export const COMPONENTS: Readonly<Record<Kind, string>> = { span: "span", point: "metric", event: "log" };

/** Why something that an exporter received did not arrive. */
export const LOSS_CAUSES = ["queue_full", "rejected", "unconfirmed", "shutdown_timeout", "encode"] as const;

/** `unconfirmed`: the backend's response says neither that they were accepted nor that they were rejected. */
export type LossCause = (typeof LOSS_CAUSES)[number];

/** At rest, for every kind: given = acknowledged + lost (by cause) + queued. */
export interface ExportCounts {
  readonly given: number;
  readonly acknowledged: number;
  readonly queued: number;
  readonly lost: Readonly<Record<LossCause, number>>;
}

/** What feeds an exporter is up to its creator (create.ts): several may share one encoder. */
export interface Exporter {
  /** The key under `exporters:`. */
  readonly name: string;
  /** `otlp_grpc`, `otlp_http`, `console`. */
  readonly type: string;
  /** otel.component.type in internal telemetry, from the registry of conventions: `otlp_grpc_span_exporter`. */
  componentType(kind: Kind): string;
  counts(kind: Kind): ExportCounts;
  /** Bytes that wait, and their limit; both are 0 if nothing ever waits. */
  readonly queue: { readonly bytes: number; readonly limit: number };
  /** Sends what waits; resolves when everything is settled or the deadline (milliseconds) has passed. */
  flush(deadlineMs: number): Promise<void>;
  /** Reloads changed certificates and tokens; returns a sentence for each. */
  refresh(): Promise<readonly string[]>;
  /** Flushes, then counts what remains as lost (`shutdown_timeout`). Idempotent. */
  shutdown(deadlineMs: number): Promise<void>;
}
