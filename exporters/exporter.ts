// What the pipeline knows of an exporter, and how an exporter accounts for all that it was given.

/** What is counted: spans, metric points, events (log records). */
export type Kind = "span" | "point" | "event";

/** As OpenTelemetry's names of exporters have them. */
export const COMPONENTS: Readonly<Record<Kind, string>> = { span: "span", point: "metric", event: "log" };

/** Why something given to an exporter did not arrive. */
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
  /** otel.component.type in internal telemetry, as the registry of conventions has it: `otlp_grpc_span_exporter`. */
  componentType(kind: Kind): string;
  counts(kind: Kind): ExportCounts;
  /** Bytes that wait, and the bound on them; both are 0 if nothing ever waits. */
  readonly queue: { readonly bytes: number; readonly limit: number };
  /** Sends what waits; resolves when all is settled or the deadline (milliseconds) has passed. */
  flush(deadlineMs: number): Promise<void>;
  /** Reloads changed certificates and tokens; returns a sentence for each. */
  refresh(): Promise<readonly string[]>;
  /** Flushes, then counts what remains as lost (`shutdown_timeout`). Idempotent. */
  shutdown(deadlineMs: number): Promise<void>;
}
