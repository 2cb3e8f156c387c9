// A local stand-in for Datadog's intake that stores what it receives.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync, inflateSync, zstdDecompressSync } from "node:zlib";

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

/** A point of a count or a gauge. */
export interface DatadogPoint {
  readonly metric: string;
  readonly tags: readonly string[];
  readonly value: number;
}

/** Datadog's intake: accepts every request, stores spans and points. Dispose of it with `await using`. */
export class DatadogIntake implements AsyncDisposable {
  readonly spans: DatadogSpan[] = [];
  readonly points: DatadogPoint[] = [];
  /** Names of events. */
  readonly events: string[] = [];
  readonly keys = new Set<string>();
  /** Of the requests. */
  readonly paths = new Set<string>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const key = request.headers["dd-api-key"];
        if (typeof key === "string") this.keys.add(key);
        const path = request.url?.replace(/\?.*/, "") ?? "";
        this.paths.add(path);
        const body = unpacked(Buffer.concat(chunks), request.headers["content-encoding"]);
        if (path === "/api/v0.2/traces") this.spans.push(...spansOf(body));
        if (path === "/api/v2/logs") this.events.push(...eventsOf(body));
        if (path === "/api/v2/series") this.points.push(...pointsOf(body));
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

/** The first request is an empty object. */
function eventsOf(body: Buffer): string[] {
  const items = [JSON.parse(body.toString())].flat() as readonly { readonly message?: string }[];
  return items.flatMap(({ message }) => (message ? [JSON.parse(message)["otel.event_name"]] : []));
}

/** MetricPayload.series = 1; of MetricSeries metric = 2, tags = 3, points = 4; MetricPoint.value = 1. */
function pointsOf(payload: Buffer): DatadogPoint[] {
  return inside(payload, 1).flatMap((series) => {
    const metric = String(inside(series, 2)[0] ?? "");
    const tags = inside(series, 3).map(String);
    return inside(series, 4).map((point) => {
      const [value] = inside(point, 1);
      return { metric, tags, value: value?.readDoubleLE() ?? 0 };
    });
  });
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
