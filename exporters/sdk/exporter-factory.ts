// Makes the SDK's own exporters for one of our configurations.
import * as http from "node:http";
import * as https from "node:https";
import { resolve } from "node:path";
import type { ReadableLogRecord } from "@opentelemetry/sdk-logs";
import type { ResourceMetrics } from "@opentelemetry/sdk-metrics";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import type { Log } from "../../core/plugin/log.ts";
import { type OtlpGrpcConfig, type OtlpHttpConfig, SIGNALS, type Signal } from "../config.ts";
import { Credentials } from "../otlp/deliver/credentials.ts";
import { connectionTrouble, type Peer } from "../otlp/deliver/diagnosis.ts";
import { grpcTarget, httpTarget, type Target } from "../otlp/deliver/endpoint.ts";
import { checkedMetadata } from "../otlp/deliver/grpc.ts";
import { isAboutSize, outcomeOfStatus } from "../otlp/deliver/grpc-status.ts";
import { checkedHeaders } from "../otlp/deliver/http.ts";
import { oneLine } from "../otlp/deliver/one-line.ts";
import { proxyFor } from "../otlp/deliver/proxy.ts";
import { trustedAuthorities } from "../otlp/deliver/tls.ts";
import type { Outcome } from "../otlp/deliver/transport.ts";

/** The contents of one request; metrics have one resource. */
export type SdkPayload = readonly ReadableSpan[] | ResourceMetrics | readonly ReadableLogRecord[];

/** What SpanExporter, PushMetricExporter and LogRecordExporter have in common. */
export interface SdkExporter {
  export(items: SdkPayload, done: (result: { code: number; error?: Error }) => void): void;
  shutdown(): Promise<void>;
}

type Constructor<Options> = new (options: Options) => SdkExporter;

export interface SdkExporterFactory {
  make(signal: Signal): SdkExporter;
  /** Destination of a signal's requests, for messages. */
  endpointOf(signal: Signal): string;
  /** Reloads changed files and returns the parts that were reloaded; `make` uses them from now on. */
  refresh(atOnce: boolean): Promise<readonly string[]>;
  /** The outcome of a failed export. */
  outcomeOf(error: Error): Outcome;
  close(): void;
}

/** Throws WirespanError for an endpoint, header, proxy or file that cannot be used. */
export async function createSdkExporterFactory(
  name: string,
  config: OtlpGrpcConfig | OtlpHttpConfig,
  log: Log,
): Promise<SdkExporterFactory> {
  if (config.type === "otlp_grpc") {
    return grpcFactory(name, config, await Credentials.read(name, config, checkedMetadata, log));
  }
  return httpFactory(name, config, await Credentials.read(name, config, checkedHeaders, log));
}

async function grpcFactory(
  name: string,
  config: OtlpGrpcConfig,
  credentials: Credentials,
): Promise<SdkExporterFactory> {
  const [traces, metrics, logs, grpc] = await Promise.all([
    import("@opentelemetry/exporter-trace-otlp-grpc"),
    import("@opentelemetry/exporter-metrics-otlp-grpc"),
    import("@opentelemetry/exporter-logs-otlp-grpc"),
    import("@grpc/grpc-js"),
  ]);
  const constructors = {
    traces: traces.OTLPTraceExporter,
    metrics: metrics.OTLPMetricExporter,
    logs: logs.OTLPLogExporter,
  };
  const targets = targetsOf((signal) => {
    const endpoint = config.perSignalEndpoints?.[signal] ?? config.endpoint;
    return grpcTarget(name, endpoint, config.tls.insecure === true);
  });
  const make = (signal: Signal): SdkExporter => {
    const target = targets.get(signal)!;
    const options = {
      url: urlOfTarget(target),
      metadata: metadataOf(grpc, target, credentials),
      credentials: target.secure ? secured(grpc, credentials) : grpc.credentials.createInsecure(),
      compression: config.compression,
      timeoutMillis: config.timeoutMs,
      // Otherwise signals with the same address share a connection, and its backoff.
      userAgent: `wirespan-${signal}`,
    };
    const Exporter = constructors[signal] as Constructor<typeof options>;
    return withoutEnvironment(() => new Exporter(options));
  };
  return {
    make,
    endpointOf: (signal) => targets.get(signal)!.shown,
    refresh: (atOnce) => credentials.refresh(atOnce),
    outcomeOf(error) {
      const peer = { exporter: name, target: targets.get("traces")!, protocol: "grpc" } as const;
      return isServiceError(error) ? grpcOutcome(error) : brokenBy(error, peer);
    },
    close() {},
  };
}

type Grpc = typeof import("@grpc/grpc-js");

function metadataOf({ Metadata }: Grpc, { authorization }: Target, { headers }: Credentials) {
  const metadata = new Metadata();
  if (authorization !== undefined) metadata.set("authorization", authorization);
  for (const [key, value] of Object.entries(headers)) {
    metadata.set(key, key.endsWith("-bin") ? Buffer.from(value, "base64") : value);
  }
  return metadata;
}

function secured({ credentials }: Grpc, { tls }: Credentials) {
  const { ca, cert, key } = tls.files;
  return credentials.createSsl(ca ?? Buffer.from(trustedAuthorities().join("\n")), key ?? null, cert ?? null);
}

function grpcOutcome(error: ServiceError): Outcome {
  const [details] = error.metadata?.get("grpc-status-details-bin") ?? [];
  const outcome = outcomeOfStatus(error.code, error.details, Buffer.isBuffer(details) ? details : undefined);
  // The stream broke before the backend responded.
  const broke = error.code === INTERNAL && error.details.startsWith("Received RST_STREAM");
  return broke ? { status: "retry", message: outcome.message } : outcome;
}

const INTERNAL = 13;

interface ServiceError {
  readonly code: number;
  readonly details: string;
  readonly metadata?: { get(key: string): readonly (string | Buffer)[] };
}

function brokenBy(error: Error, peer: Peer): Outcome {
  return { status: "retry", message: connectionTrouble(error, peer) };
}

function targetsOf(make: (signal: Signal) => Target): ReadonlyMap<Signal, Target> {
  return new Map(SIGNALS.map((signal) => [signal, make(signal)]));
}

/** As the SDK expects it: it drops a scheme's default port, and uses 443 without one. */
function urlOfTarget({ path, url, secure, port }: Target): string {
  if (path !== undefined) return `unix://${resolve(path)}`;
  return `${secure || port === 80 ? "grpc" : "http"}://${url.hostname}:${port}`;
}

async function httpFactory(
  name: string,
  config: OtlpHttpConfig,
  credentials: Credentials,
): Promise<SdkExporterFactory> {
  const [traces, metrics, logs] = await (config.encoding === "json"
    ? Promise.all([
        import("@opentelemetry/exporter-trace-otlp-http"),
        import("@opentelemetry/exporter-metrics-otlp-http"),
        import("@opentelemetry/exporter-logs-otlp-http"),
      ])
    : Promise.all([
        import("@opentelemetry/exporter-trace-otlp-proto"),
        import("@opentelemetry/exporter-metrics-otlp-proto"),
        import("@opentelemetry/exporter-logs-otlp-proto"),
      ]));
  const constructors = {
    traces: traces.OTLPTraceExporter,
    metrics: metrics.OTLPMetricExporter,
    logs: logs.OTLPLogExporter,
  };
  const targets = targetsOf((signal) => httpTarget(name, config, signal));
  const agentOf = (target: Target) => {
    const proxy = proxyFor(target, process.env);
    const proxyEnv = proxy && { HTTP_PROXY: proxy.url.href, HTTPS_PROXY: proxy.url.href };
    const shared = { keepAlive: true, ...(proxyEnv && { proxyEnv }) };
    return target.secure
      ? new https.Agent({ ...shared, secureContext: credentials.tls.context() })
      : new http.Agent(shared);
  };
  const agents = new Map<Signal, http.Agent>();
  const make = (signal: Signal): SdkExporter => {
    const target = targets.get(signal)!;
    agents.get(signal)?.destroy();
    const agent = agentOf(target);
    agents.set(signal, agent);
    const { authorization, url } = target;
    const options = {
      url: url.href,
      headers: { ...(authorization !== undefined && { authorization }), ...credentials.headers },
      compression: config.compression,
      timeoutMillis: config.timeoutMs,
      userAgent: "wirespan",
      httpAgentOptions: async () => agent,
    };
    const Exporter = constructors[signal] as Constructor<typeof options>;
    return withoutEnvironment(() => new Exporter(options));
  };
  return {
    make,
    endpointOf: (signal) => targets.get(signal)!.shown,
    refresh: (atOnce) => credentials.refresh(atOnce),
    // Errors that the SDK does not retry carry the backend's status.
    outcomeOf(error) {
      const { code, data } = error as { code?: unknown; data?: string };
      const peer = { exporter: name, target: targets.get("traces")!, protocol: "http" } as const;
      if (typeof code !== "number") return brokenBy(error, peer);
      const said = oneLine(data || error.message);
      const isLarge = code === 413 || ([400, 422, 500].includes(code) && isAboutSize(said));
      return { status: isLarge ? "too_large" : "rejected", message: `HTTP ${code}: ${said}` };
    },
    close() {
      for (const agent of agents.values()) agent.destroy();
    },
  };
}

function isServiceError(error: Error): error is Error & ServiceError {
  return "details" in error && typeof (error as { code?: unknown }).code === "number";
}

/**
 * The SDK applies OTEL_EXPORTER_OTLP_*, including headers: one backend's keys would be sent to another. Our
 * configuration has already read them for the exporters that they are meant for.
 */
function withoutEnvironment(make: () => SdkExporter): SdkExporter {
  const hidden = Object.entries(process.env).filter(([name]) => name.startsWith("OTEL_EXPORTER_OTLP_"));
  for (const [name] of hidden) delete process.env[name];
  try {
    return make();
  } finally {
    Object.assign(process.env, Object.fromEntries(hidden));
  }
}
