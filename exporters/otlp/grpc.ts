// OTLP over gRPC: ready bytes on a kept @grpc/grpc-js channel, without generated code.
import {
  type ChannelOptions,
  Client,
  type ClientUnaryCall,
  compressionAlgorithms,
  credentials,
  InterceptingCall,
  type Interceptor,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { WirespanError } from "../../core/errors.ts";
import { type OtlpGrpcConfig, SIGNALS, type Signal } from "../config.ts";
import { readPartialSuccess, readRetryDelay } from "./response.ts";
import { readTls, type TlsFiles } from "./tls.ts";
import type { Outcome, Transport } from "./transport.ts";

const METHODS: Readonly<Record<Signal, string>> = {
  traces: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
  metrics: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
  logs: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
};

const RETRYABLE: ReadonlySet<status> = new Set([
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.ABORTED,
  status.OUT_OF_RANGE,
  status.UNAVAILABLE,
  status.DATA_LOSS,
]);

const OPTIONS: ChannelOptions = {
  "grpc.primary_user_agent": "wirespan",
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 700,
  "grpc.dns_min_time_between_resolutions_ms": 1000,
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 5000,
  "grpc.max_send_message_length": -1,
  "grpc.enable_retries": 0,
  // A fresh client must be a fresh connection (see renew).
  "grpc.use_local_subchannel_pool": 1,
};

/** `WriteFlags.NoCompress`, which grpc-js does not export. */
const NO_COMPRESS = 2;

/**
 * grpc-js can only send what it compressed itself. Told not to compress, it frames the message with
 * "uncompressed" and copies the message behind: that copy is where the frame is put right.
 */
function framedAsGzip(bytes: Buffer): Buffer {
  const message = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  message.copy = (target, at = 0) => {
    target[at - 5] = 1;
    return bytes.copy(target, at);
  };
  return message;
}

const uncompressed: Interceptor = (options, nextCall) => {
  const call = new InterceptingCall(nextCall(options));
  const send = call.sendMessageWithContext.bind(call);
  call.sendMessageWithContext = (context, message) => send({ ...context, flags: NO_COMPRESS }, message);
  return call;
};

/** Throws WirespanError for an endpoint, header or file that cannot be used. */
export async function createGrpcTransport(name: string, config: OtlpGrpcConfig): Promise<Transport> {
  const tls = await readTls(name, config.tls);
  const lines = new Map<string, Line>();
  const bySignal = new Map<Signal, Line>();
  for (const signal of SIGNALS) {
    const endpoint = config.perSignalEndpoints?.[signal] ?? config.endpoint;
    const line = lines.get(endpoint) ?? new Line(name, endpoint, config, tls);
    lines.set(endpoint, line);
    bySignal.set(signal, line);
  }
  return {
    send: (signal, payload) => bySignal.get(signal)!.send(METHODS[signal], payload),
    close() {
      for (const line of lines.values()) line.close();
    },
  };
}

/** One endpoint, and the connection kept to it. */
class Line {
  readonly #connect: () => Client;
  readonly #metadata: Metadata;
  readonly #timeoutMs: number;
  readonly #gzip: boolean;
  readonly #calls = new Set<ClientUnaryCall>();
  #client: Client;

  constructor(name: string, endpoint: string, config: OtlpGrpcConfig, tls: TlsFiles) {
    const { address, secure } = parseEndpoint(name, endpoint, config.tls.insecure === true);
    this.#timeoutMs = config.timeoutMs;
    this.#gzip = config.compression === "gzip";
    this.#metadata = toMetadata(name, config.headers);
    const options = {
      ...OPTIONS,
      ...(this.#gzip && {
        "grpc.default_compression_algorithm": compressionAlgorithms.gzip,
        interceptors: [uncompressed],
      }),
    };
    this.#connect = () => new Client(address, toCredentials(name, secure, tls), options);
    this.#client = this.#connect();
  }

  send(method: string, payload: Buffer): Promise<Outcome> {
    return new Promise((resolve) => {
      const call: ClientUnaryCall = this.#client.makeUnaryRequest(
        method,
        (message: Buffer) => message,
        (response: Buffer) => response,
        this.#gzip ? framedAsGzip(payload) : payload,
        this.#metadata,
        { deadline: Date.now() + this.#timeoutMs },
        (error, response) => {
          this.#calls.delete(call);
          if (error?.code === status.DEADLINE_EXCEEDED) this.#renew();
          resolve(error === null ? accepted(response) : failed(error));
        },
      );
      this.#calls.add(call);
    });
  }

  close(): void {
    for (const call of this.#calls) call.cancel();
    this.#client.close();
  }

  /** A peer that vanished without a word leaves a connection that looks alive for minutes. */
  #renew(): void {
    this.#client.close();
    this.#client = this.#connect();
  }
}

function accepted(response: Buffer | undefined): Outcome {
  try {
    return { status: "ok", ...readPartialSuccess(response ?? Buffer.alloc(0)) };
  } catch (error) {
    return { status: "ok", rejected: 0, message: String(error) };
  }
}

/** What a failed call comes to. */
export function failed(error: ServiceError): Outcome {
  const message = `${status[error.code]}: ${error.details}`;
  const afterMs = retryDelay(error);
  const again =
    RETRYABLE.has(error.code) ||
    (error.code === status.RESOURCE_EXHAUSTED && afterMs !== undefined) ||
    // The stream broke before the backend said anything.
    (error.code === status.INTERNAL && error.details.startsWith("Received RST_STREAM"));
  return again ? { status: "retry", message, afterMs } : { status: "rejected", message };
}

function retryDelay(error: ServiceError): number | undefined {
  const [details] = error.metadata?.get("grpc-status-details-bin") ?? [];
  try {
    return details instanceof Buffer ? readRetryDelay(details) : undefined;
  } catch {
    return undefined;
  }
}

/** Throws CONFIG_INVALID. */
export function parseEndpoint(
  name: string,
  endpoint: string,
  insecure: boolean,
): { address: string; secure: boolean } {
  if (endpoint.startsWith("unix:")) return { address: endpoint, secure: false };
  const bare = !/^[a-z]+:\/\//i.test(endpoint);
  const url = URL.parse(bare ? `${insecure ? "http" : "https"}://${endpoint}` : endpoint);
  if (url === null || url.hostname === "" || !/^https?:$/.test(url.protocol)) {
    throw new WirespanError(
      "CONFIG_INVALID",
      `exporters.${name}.endpoint: "${endpoint}" is not a gRPC endpoint such as http://127.0.0.1:4317`,
    );
  }
  const secure = url.protocol === "https:";
  return { address: `${url.hostname}:${url.port || (secure ? 443 : 80)}`, secure };
}

/** Throws CONFIG_INVALID. */
export function toMetadata(name: string, headers: Readonly<Record<string, string>>): Metadata {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(headers)) {
    try {
      metadata.set(key, key.endsWith("-bin") ? Buffer.from(value, "base64") : value);
    } catch (cause) {
      throw new WirespanError("CONFIG_INVALID", `exporters.${name}.headers: "${key}" is no gRPC metadata`, {
        cause,
      });
    }
  }
  return metadata;
}

/** Throws CONFIG_INVALID. */
export function toCredentials(name: string, secure: boolean, tls: TlsFiles) {
  if (!secure) return credentials.createInsecure();
  try {
    return credentials.createSsl(tls.ca ?? null, tls.key ?? null, tls.cert ?? null);
  } catch (cause) {
    throw new WirespanError("CONFIG_INVALID", `exporters.${name}.tls: the certificates are unusable`, {
      cause,
    });
  }
}
