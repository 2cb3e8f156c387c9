// Makes the SDK's own exporters for one of our configurations.
import * as http from "node:http";
import * as https from "node:https";
import { resolve } from "node:path";
import type { ReadableLogRecord } from "@opentelemetry/sdk-logs";
import type { ResourceMetrics } from "@opentelemetry/sdk-metrics";
import type { ReadableSpan } from "@opentelemetry/sdk-trace";
import { type OtlpGrpcConfig, type OtlpHttpConfig, SIGNALS, type Signal } from "../config.ts";
import { checkedHeaders, urlOf } from "../otlp/http.ts";
import { readTls, type TlsFiles } from "../otlp/tls.ts";
import type { Outcome } from "../otlp/transport.ts";

/** What one request is made from: of one resource for metrics. */
export type SdkPayload = readonly ReadableSpan[] | ResourceMetrics | readonly ReadableLogRecord[];

/** What SpanExporter, PushMetricExporter and LogRecordExporter have in common. */
export interface SdkExporter {
  export(items: SdkPayload, done: (result: { code: number; error?: Error }) => void): void;
  shutdown(): Promise<void>;
}

type Constructor<Options> = new (options: Options) => SdkExporter;

export interface Maker {
  make(signal: Signal): SdkExporter;
  /** What a failed export comes to. */
  outcomeOf(error: Error): Outcome;
  close(): void;
}

/** Throws WirespanError for an endpoint, header or file that cannot be used. */
export async function makerOf(name: string, config: OtlpGrpcConfig | OtlpHttpConfig): Promise<Maker> {
  const tls = await readTls(name, config.tls);
  return config.type === "otlp_grpc" ? grpcMaker(name, config, tls) : httpMaker(name, config, tls);
}

async function grpcMaker(name: string, config: OtlpGrpcConfig, tls: TlsFiles): Promise<Maker> {
  const [traces, metrics, logs, grpc] = await Promise.all([
    import("@opentelemetry/exporter-trace-otlp-grpc"),
    import("@opentelemetry/exporter-metrics-otlp-grpc"),
    import("@opentelemetry/exporter-logs-otlp-grpc"),
    import("../otlp/grpc.ts"),
  ]);
  const constructors = {
    traces: traces.OTLPTraceExporter,
    metrics: metrics.OTLPMetricExporter,
    logs: logs.OTLPLogExporter,
  };
  const metadata = grpc.toMetadata(name, config.headers);
  const made = new Map(
    SIGNALS.map((signal) => {
      const endpoint = config.perSignalEndpoints?.[signal] ?? config.endpoint;
      const { address, secure } = grpc.parseEndpoint(name, endpoint, config.tls.insecure === true);
      const options = {
        url: urlOfAddress(address, secure),
        metadata,
        credentials: grpc.toCredentials(name, secure, tls),
        compression: config.compression,
        timeoutMillis: config.timeoutMs,
        // Signals of one address would share a connection, and so the pause after its failure.
        userAgent: `wirespan-${signal}`,
      };
      const Exporter = constructors[signal] as unknown as Constructor<typeof options>;
      return [signal, () => new Exporter(options)];
    }),
  );
  return {
    make: (signal) => withoutEnvironment(made.get(signal)!),
    outcomeOf: (error) =>
      isServiceError(error) ? grpc.failed(error as never) : { status: "retry", message: error.message },
    close() {},
  };
}

/** As the SDK has to be told: it drops a scheme's own port, and takes 443 without one. */
function urlOfAddress(address: string, secure: boolean): string {
  if (address.startsWith("unix:")) return `unix://${resolve(address.replace(/^unix:(\/\/)?/, ""))}`;
  return `${secure || address.endsWith(":80") ? "grpc" : "http"}://${address}`;
}

async function httpMaker(name: string, config: OtlpHttpConfig, tls: TlsFiles): Promise<Maker> {
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
  const { ca, cert, key } = tls;
  const files = { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) };
  const agents = {
    "http:": new http.Agent({ keepAlive: true }),
    "https:": new https.Agent({ keepAlive: true, ...files }),
  };
  const headers = { ...checkedHeaders(name, config.headers) };
  const made = new Map(
    SIGNALS.map((signal) => {
      const options = {
        url: urlOf(name, config, signal).href,
        headers,
        compression: config.compression,
        timeoutMillis: config.timeoutMs,
        userAgent: "wirespan",
        httpAgentOptions: async (protocol: string) => agents[protocol === "https:" ? "https:" : "http:"],
      };
      const Exporter = constructors[signal] as unknown as Constructor<typeof options>;
      return [signal, () => new Exporter(options)];
    }),
  );
  return {
    make: (signal) => withoutEnvironment(made.get(signal)!),
    // What the SDK does not hold for worth a retry comes with the backend's status.
    outcomeOf(error) {
      const { code, data } = error as { code?: unknown; data?: string };
      if (typeof code !== "number") return { status: "retry", message: error.message };
      return { status: "rejected", message: `HTTP ${code}: ${(data || error.message).slice(0, 300)}` };
    },
    close() {
      for (const agent of Object.values(agents)) agent.destroy();
    },
  };
}

function isServiceError(error: Error): boolean {
  return "details" in error && typeof (error as { code?: unknown }).code === "number";
}

/**
 * The SDK adds what OTEL_EXPORTER_OTLP_* says, headers too: keys of one backend would go to another. Our
 * configuration has read them already, for the exporters that they are meant for.
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
