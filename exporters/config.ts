// The configuration of an exporter: plain data, checked and completed by config/.

/** The signals as OTLP names them. */
export type Signal = "traces" | "metrics" | "logs";

export const SIGNALS: readonly Signal[] = ["traces", "metrics", "logs"];

export interface TlsConfig {
  /** PEM file of the authorities to trust instead of the system's. */
  readonly ca?: string;
  /** PEM files of the client's certificate chain and key; both or neither. */
  readonly cert?: string;
  readonly key?: string;
  /** Plaintext for a gRPC endpoint without a scheme. */
  readonly insecure?: boolean;
}

/** Aggregation temporality; see MetricPreferences. */
export type Temporality = "cumulative" | "delta" | "lowmemory";

/** How metrics are sent. Defaults: cumulative, exponential, powers of two. */
export interface MetricPreferences {
  /**
   * `delta`: counters and histograms since the previous collection; `lowmemory`: only histograms.
   * Up-down counters are always cumulative.
   */
  readonly temporality?: Temporality;
  readonly histograms?: "exponential" | "explicit";
  /** Upper bounds of explicit buckets, ascending, in seconds; other units keep powers of two. */
  readonly boundaries?: readonly number[];
}

interface OtlpConfig extends MetricPreferences {
  /** `lean`: our own writer; `sdk`: OpenTelemetry's SDK and its exporters. */
  readonly path?: "lean" | "sdk";
  readonly headers: Readonly<Record<string, string>>;
  /** Paths of the files that hold the values of more headers. */
  readonly headerFiles?: Readonly<Record<string, string>>;
  readonly tls: TlsConfig;
  readonly compression: "gzip" | "none";
  /** Milliseconds that one request may take. */
  readonly timeoutMs: number;
  /** Limit of the bytes that wait, over all signals. */
  readonly queueBytes: number;
  /** Signals to export. */
  readonly signals: readonly Signal[];
}

export interface OtlpGrpcConfig extends OtlpConfig {
  readonly type: "otlp_grpc";
  /** The protocol is not configured: it is OTLP/HTTP if an HTTP server answers. */
  readonly detect?: boolean;
  /** `http://host:port` (plaintext), `https://host:port`, `host:port` or `unix:PATH`. */
  readonly endpoint: string;
  readonly perSignalEndpoints?: Partial<Readonly<Record<Signal, string>>>;
}

export interface OtlpHttpConfig extends OtlpConfig {
  readonly type: "otlp_http";
  readonly encoding?: "protobuf" | "json";
  /** Base URL; `/v1/traces`, `/v1/metrics` or `/v1/logs` is appended. */
  readonly endpoint: string;
  /** Complete URLs, used as they are. */
  readonly perSignalEndpoints?: Partial<Readonly<Record<Signal, string>>>;
}

/** `auto`: a live view on a terminal, otherwise only the agent's own state in its log. */
export type ConsoleFormat = "text" | "json" | "live" | "auto";

export interface ConsoleConfig {
  readonly type: "console";
  readonly signals: readonly Signal[];
  readonly format: ConsoleFormat;
  /** Maximum lines per second; 0: no limit. */
  readonly rate: number;
}

export type ExporterConfig = OtlpGrpcConfig | OtlpHttpConfig | ConsoleConfig;
