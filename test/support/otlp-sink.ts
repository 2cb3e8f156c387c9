// A real OTLP backend in this process, over gRPC or HTTP, that fails when and how a test requires.
import * as http from "node:http";
import * as https from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { gunzipSync } from "node:zlib";
import * as grpc from "@grpc/grpc-js";
import {
  type DecodedLog,
  type DecodedLogs,
  type DecodedMetric,
  type DecodedMetrics,
  type DecodedSpan,
  type DecodedTraces,
  decodeLogs,
  decodeMetrics,
  decodeTraces,
} from "./otlp-decode.ts";

export type SinkSignal = "traces" | "metrics" | "logs";

/** What to answer. With anything but `ok` and `partial`, nothing is stored. */
export type Answer =
  | { readonly kind: "ok" }
  | { readonly kind: "partial"; readonly rejected: number; readonly message: string }
  /** A gRPC status code or an HTTP status. */
  | { readonly kind: "fail"; readonly code: number; readonly message: string; readonly retryAfterMs?: number }
  /** Accepts the request and never responds. */
  | { readonly kind: "hang" };

export type Export =
  | { readonly signal: "traces"; readonly decoded: DecodedTraces }
  | { readonly signal: "metrics"; readonly decoded: DecodedMetrics }
  | { readonly signal: "logs"; readonly decoded: DecodedLogs };

export type Received = Export & {
  /** `performance.now()` at arrival. */
  readonly at: number;
  readonly headers: Readonly<Record<string, unknown>>;
  /** Bytes of the message after decompression. */
  readonly size: number;
};

export interface SinkTls {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

interface Listener {
  readonly port: number;
  /** Closes every connection at once. */
  kill(): Promise<void>;
}

export class OtlpSink {
  readonly protocol: "grpc" | "http";
  /** Every accepted request, in order of arrival. */
  readonly received: Received[] = [];
  /** How requests are answered. */
  answer: Answer | ((signal: SinkSignal) => Answer) = { kind: "ok" };
  /** Milliseconds between a request and its answer. */
  delayMs = 0;
  /** Decompressed bytes above which a message is rejected as too large. */
  limit = Number.POSITIVE_INFINITY;
  /** How often a message was too large. */
  refusals = 0;
  /** Requests that arrived, accepted or not. */
  attempts = 0;
  #tls: SinkTls | undefined;
  #listener: Listener | undefined;
  #port = 0;

  private constructor(protocol: "grpc" | "http", tls: SinkTls | undefined) {
    this.protocol = protocol;
    this.#tls = tls;
  }

  /** With `tls` it requires a client certificate from that authority. */
  static async start(protocol: "grpc" | "http", tls?: SinkTls): Promise<OtlpSink> {
    const sink = new OtlpSink(protocol, tls);
    await sink.start();
    return sink;
  }

  get endpoint(): string {
    return `${this.#tls ? "https" : "http"}://127.0.0.1:${this.#port}`;
  }

  /** Listens again, on the same port as before, with other certificates if they are given. */
  async start(tls = this.#tls): Promise<void> {
    this.#tls = tls;
    const listen = this.protocol === "grpc" ? listenGrpc : listenHttp;
    this.#listener = await listen(this.#port, this.#tls, (signal, bytes, headers) =>
      this.#take(signal, bytes, headers),
    );
    this.#port = this.#listener.port;
  }

  /** Closes every connection at once, as a killed backend does. */
  async stop(): Promise<void> {
    await this.#listener?.kill();
    this.#listener = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  get spans(): readonly DecodedSpan[] {
    return this.received.flatMap((each) =>
      each.signal === "traces"
        ? each.decoded.resourceSpans.flatMap((r) => r.scopeSpans.flatMap((s) => s.spans))
        : [],
    );
  }

  get metrics(): readonly DecodedMetric[] {
    return this.received.flatMap((each) =>
      each.signal === "metrics"
        ? each.decoded.resourceMetrics.flatMap((r) => r.scopeMetrics.flatMap((s) => s.metrics))
        : [],
    );
  }

  get logs(): readonly DecodedLog[] {
    return this.received.flatMap((each) =>
      each.signal === "logs"
        ? each.decoded.resourceLogs.flatMap((r) => r.scopeLogs.flatMap((s) => s.logRecords))
        : [],
    );
  }

  async #take(signal: SinkSignal, bytes: Buffer, headers: Received["headers"]): Promise<Answer> {
    this.attempts++;
    if (bytes.length > this.limit) this.refusals++;
    const answer =
      bytes.length > this.limit
        ? tooLarge(this.protocol, bytes.length, this.limit)
        : typeof this.answer === "function"
          ? this.answer(signal)
          : this.answer;
    if (answer.kind !== "fail") {
      this.received.push({ ...decode(signal, bytes), at: performance.now(), headers, size: bytes.length });
    }
    if (this.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.delayMs));
    return answer;
  }
}

/** In a Collector's words. */
function tooLarge(protocol: "grpc" | "http", size: number, limit: number): Answer {
  const message = `grpc: received message larger than max (${size} vs. ${limit})`;
  return protocol === "grpc"
    ? { kind: "fail", code: grpc.status.RESOURCE_EXHAUSTED, message }
    : { kind: "fail", code: 413, message: "" };
}

function decode(signal: SinkSignal, bytes: Buffer): Export {
  if (signal === "traces") return { signal, decoded: decodeTraces(bytes) };
  if (signal === "metrics") return { signal, decoded: decodeMetrics(bytes) };
  return { signal, decoded: decodeLogs(bytes) };
}

type Take = (signal: SinkSignal, bytes: Buffer, headers: Received["headers"]) => Promise<Answer>;

const SERVICES = {
  traces: "opentelemetry.proto.collector.trace.v1.TraceService",
  metrics: "opentelemetry.proto.collector.metrics.v1.MetricsService",
  logs: "opentelemetry.proto.collector.logs.v1.LogsService",
} as const;

async function listenGrpc(port: number, tls: SinkTls | undefined, take: Take): Promise<Listener> {
  const server = new grpc.Server({ "grpc.max_receive_message_length": -1 });
  const raw = (bytes: Buffer): Buffer => bytes;
  for (const [signal, service] of Object.entries(SERVICES)) {
    const method = {
      path: `/${service}/Export`,
      requestStream: false,
      responseStream: false,
      requestSerialize: raw,
      requestDeserialize: raw,
      responseSerialize: raw,
      responseDeserialize: raw,
    } as const;
    const handle: grpc.handleUnaryCall<Buffer, Buffer> = (call, respond) => {
      take(signal as SinkSignal, call.request, call.metadata.getMap()).then(
        (answer) => respondGrpc(answer, respond),
        (error: Error) => respond({ code: grpc.status.INVALID_ARGUMENT, details: error.message }),
      );
    };
    server.addService({ Export: method }, { Export: handle });
  }
  const credentials = tls
    ? grpc.ServerCredentials.createSsl(tls.ca, [{ cert_chain: tls.cert, private_key: tls.key }], true)
    : grpc.ServerCredentials.createInsecure();
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, credentials, (error, actual) =>
      error ? reject(error) : resolve(actual),
    );
  });
  return {
    port: bound,
    async kill() {
      server.forceShutdown();
    },
  };
}

function respondGrpc(answer: Answer, respond: grpc.sendUnaryData<Buffer>): void {
  if (answer.kind === "hang") return;
  if (answer.kind !== "fail") {
    respond(null, answer.kind === "ok" ? Buffer.alloc(0) : partialSuccess(answer.rejected, answer.message));
    return;
  }
  const metadata = new grpc.Metadata();
  if (answer.retryAfterMs !== undefined) {
    metadata.set("grpc-status-details-bin", retryInfo(answer.code, answer.message, answer.retryAfterMs));
  }
  respond({ code: answer.code, details: answer.message, metadata });
}

async function listenHttp(port: number, tls: SinkTls | undefined, take: Take): Promise<Listener> {
  const handle: http.RequestListener = (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      const signal = /^\/v1\/(traces|metrics|logs)$/.exec(request.url ?? "")?.[1];
      if (signal === undefined || request.headers["content-type"] !== "application/x-protobuf") {
        response.writeHead(404).end();
        return;
      }
      const bytes = request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
      take(signal as SinkSignal, bytes, request.headers).then(
        (answer) => respondHttp(answer, response),
        (error: Error) => response.writeHead(400).end(error.message),
      );
    });
  };
  const server = tls
    ? https.createServer({ ...tls, requestCert: true, rejectUnauthorized: true }, handle)
    : http.createServer(handle);
  const sockets = new Set<Socket>();
  server.on(tls ? "secureConnection" : "connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    kill() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      return closed;
    },
  };
}

function respondHttp(answer: Answer, response: http.ServerResponse): void {
  if (answer.kind === "hang") return;
  const protobuf = { "content-type": "application/x-protobuf" };
  if (answer.kind === "ok") {
    response.writeHead(200, protobuf).end();
  } else if (answer.kind === "partial") {
    response.writeHead(200, protobuf).end(partialSuccess(answer.rejected, answer.message));
  } else {
    if (answer.retryAfterMs !== undefined) response.setHeader("retry-after", answer.retryAfterMs / 1000);
    response.writeHead(answer.code, protobuf).end(status(answer.code, answer.message));
  }
}

function partialSuccess(rejected: number, message: string): Buffer {
  return delimited(
    1,
    Buffer.concat([Buffer.from([0x08]), varint(rejected), delimited(2, Buffer.from(message))]),
  );
}

/** A google.rpc.Status. */
function status(code: number, message: string, ...details: Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([0x08]), varint(code), delimited(2, Buffer.from(message)), ...details]);
}

function retryInfo(code: number, message: string, delayMs: number): Buffer {
  const seconds = Math.floor(delayMs / 1000);
  const nanos = (delayMs % 1000) * 1e6;
  const duration = Buffer.concat([Buffer.from([0x08]), varint(seconds), Buffer.from([0x10]), varint(nanos)]);
  const type = delimited(1, Buffer.from("type.googleapis.com/google.rpc.RetryInfo"));
  const any = Buffer.concat([type, delimited(2, delimited(1, duration))]);
  return status(code, message, delimited(3, any));
}

function delimited(field: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([field * 8 + 2]), varint(bytes.length), bytes]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}
