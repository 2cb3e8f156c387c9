// A real Rotel, which converts OTLP traces to Datadog's, and a local stand-in for Datadog's intake that stores what it
// receives.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync, inflateSync, zstdDecompressSync } from "node:zlib";
import { freePorts } from "./ports.ts";
import { Service } from "./service.ts";

/** A span as in Datadog's agent payload; times are nanoseconds. */
export interface DatadogSpan {
  readonly service: string;
  readonly name: string;
  readonly resource: string;
  readonly traceId: bigint;
  readonly spanId: bigint;
  readonly parentId: bigint;
  readonly start: bigint;
  readonly duration: bigint;
  readonly error: bigint;
  readonly meta: ReadonlyMap<string, string>;
  readonly metrics: ReadonlyMap<string, number>;
}

/** Datadog's intake: accepts every request, stores the traces. Dispose of it with `await using`. */
export class DatadogIntake implements AsyncDisposable {
  readonly spans: DatadogSpan[] = [];
  readonly keys = new Set<string>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const key = request.headers["dd-api-key"];
        if (typeof key === "string") this.keys.add(key);
        if (request.url?.startsWith("/api/v0.2/traces")) {
          const body = unpacked(Buffer.concat(chunks), request.headers["content-encoding"]);
          this.spans.push(...spansOf(body));
        }
        response.writeHead(202, { "content-type": "application/json" }).end("{}");
      });
    });
  }

  static async start(): Promise<DatadogIntake> {
    const intake = new DatadogIntake();
    await new Promise<void>((resolve) => intake.#server.listen(0, "127.0.0.1", resolve));
    return intake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** A running Rotel. Dispose of it with `await using`. */
export class Rotel implements AsyncDisposable {
  /** `http://127.0.0.1:PORT`, for OTLP over gRPC. */
  readonly grpc: string;
  readonly #service: Service;

  constructor(service: Service, grpc: string) {
    this.#service = service;
    this.grpc = grpc;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#service[Symbol.asyncDispose]();
  }
}

/** Starts a Rotel on free ports of 127.0.0.1 that sends traces to `intake` with the API key `key`. */
export async function startRotel(intake: DatadogIntake, key: string): Promise<Rotel> {
  const [grpc, http] = await freePorts(2);
  const service = await Service.start("rotel", (folder) => ({
    args: [
      "start",
      `--pid-file=${folder}/pid`,
      `--otlp-grpc-endpoint=127.0.0.1:${grpc}`,
      `--otlp-http-endpoint=127.0.0.1:${http}`,
      "--exporter=datadog",
      `--datadog-exporter-custom-endpoint=${intake.url}`,
      `--datadog-exporter-api-key=${key}`,
      "--batch-timeout=100ms",
    ],
    // It has no health page, but its rejection of a GET shows that it listens.
    ready: `http://127.0.0.1:${http}/v1/traces`,
    status: 404,
  }));
  return new Rotel(service, `http://127.0.0.1:${grpc}`);
}

function unpacked(body: Buffer, encoding: string | undefined): Buffer {
  if (encoding === "gzip") return gunzipSync(body);
  if (encoding === "deflate") return inflateSync(body);
  return encoding === "zstd" ? zstdDecompressSync(body) : body;
}

type Value = bigint | Buffer;

/** Every field of a protobuf message, in order. */
function* fields(bytes: Buffer): Generator<readonly [number: number, value: Value]> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw new RangeError("a varint beyond the end");
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const wire = tag & 7;
    if (wire === 0) {
      yield [tag >>> 3, varint()];
      continue;
    }
    const length = wire === 2 ? Number(varint()) : wire === 1 ? 8 : 4;
    yield [tag >>> 3, bytes.subarray(at, at + length)];
    at += length;
  }
}

/** The messages in a field. */
function inside(bytes: Buffer, field: number): Buffer[] {
  return [...fields(bytes)].flatMap(([number, value]) =>
    number === field && typeof value !== "bigint" ? [value] : [],
  );
}

/** AgentPayload.tracerPayloads = 5, TracerPayload.chunks = 6, TraceChunk.spans = 3. */
function spansOf(payload: Buffer): DatadogSpan[] {
  return inside(payload, 5)
    .flatMap((tracer) => inside(tracer, 6))
    .flatMap((chunk) => inside(chunk, 3))
    .map(spanOf);
}

function spanOf(bytes: Buffer): DatadogSpan {
  const found = new Map(fields(bytes));
  const text = (field: number): string => (found.get(field) ?? "").toString();
  const number = (field: number): bigint => BigInt(found.get(field)?.toString() ?? 0);
  const entries = (field: number) => inside(bytes, field).map((entry) => new Map(fields(entry)));
  return {
    service: text(1),
    name: text(2),
    resource: text(3),
    traceId: number(4),
    spanId: number(5),
    parentId: number(6),
    start: number(7),
    duration: number(8),
    error: number(9),
    meta: new Map(entries(10).map((entry) => [String(entry.get(1)), String(entry.get(2) ?? "")])),
    metrics: new Map(
      entries(11).map((entry) => [
        String(entry.get(1)),
        (entry.get(2) as Buffer | undefined)?.readDoubleLE() ?? 0,
      ]),
    ),
  };
}
