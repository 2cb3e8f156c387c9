// A real OpenTelemetry Collector that writes every request to a file, one JSON line each, and to a file for each
// signal, in protobuf.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import { decodeLogs, decodeMetrics, decodeTraces } from "../support/otlp-decode.ts";
import type { Export } from "../support/otlp-sink.ts";
import {
  type LogRecord,
  logsOf,
  type Metric,
  metricsOf,
  type OtlpRequest,
  type Span,
  spansOf,
  type Under,
} from "./otlp.ts";
import { freePorts } from "./ports.ts";
import { Service } from "./service.ts";

/** Milliseconds after which acknowledged requests are in its files, even on a busy machine (flush_interval is 50 ms). */
const BEHIND = 300;

/** A running Collector. Dispose of it with `await using`. */
export class Collector implements AsyncDisposable {
  /** `http://127.0.0.1:PORT`, for OTLP over gRPC. */
  readonly grpc: string;
  /** `http://127.0.0.1:PORT`, for OTLP over HTTP: protobuf and JSON. */
  readonly http: string;
  /** To stop, kill and restart it on the same ports; what was written is kept. */
  readonly service: Service;
  readonly #file: string;

  constructor(service: Service, file: string, grpc: string, http: string) {
    this.service = service;
    this.#file = file;
    this.grpc = grpc;
    this.http = http;
  }

  /** Every request accepted so far, in order of arrival. */
  async requests(): Promise<OtlpRequest[]> {
    await sleep(BEHIND);
    const text = await readFile(this.#file, "utf8").catch(() => "");
    const whole = text.slice(0, text.lastIndexOf("\n") + 1);
    return whole
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as OtlpRequest);
  }

  async spans(): Promise<Under<Span>[]> {
    return (await this.requests()).flatMap(({ resourceSpans }) => spansOf(resourceSpans ?? []));
  }

  async metrics(): Promise<Under<Metric>[]> {
    return (await this.requests()).flatMap(metricsOf);
  }

  async logs(): Promise<Under<LogRecord>[]> {
    return (await this.requests()).flatMap(logsOf);
  }

  /** Every request so far, by signal, decoded as strictly as if it came from the agent itself. */
  async exports(): Promise<Export[]> {
    await sleep(BEHIND);
    const [traces, metrics, logs] = await Promise.all(
      SIGNALS.map(async (signal) => frames(await readFile(protobuf(this.#file, signal)))),
    );
    return [
      ...traces!.map((bytes) => ({ signal: "traces", decoded: decodeTraces(bytes) }) as const),
      ...metrics!.map((bytes) => ({ signal: "metrics", decoded: decodeMetrics(bytes) }) as const),
      ...logs!.map((bytes) => ({ signal: "logs", decoded: decodeLogs(bytes) }) as const),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.service[Symbol.asyncDispose]();
  }
}

const SIGNALS = ["traces", "metrics", "logs"] as const;

const protobuf = (file: string, signal: string): string => `${file}.${signal}`;

/** Each is preceded by its length, 4 bytes, big-endian; the last one may be incomplete. */
function frames(file: Buffer): Uint8Array[] {
  const whole: Uint8Array[] = [];
  for (let at = 0; at + 4 <= file.length; ) {
    const end = at + 4 + file.readUInt32BE(at);
    if (end <= file.length) whole.push(file.subarray(at + 4, end));
    at = end;
  }
  return whole;
}

/**
 * Starts a Collector on free ports of 127.0.0.1; `processors`: those of each pipeline, by name, if the program has
 * them. Throws if there is no program for it.
 */
export async function startCollector(
  name: "collector" | "collector-k8s" = "collector",
  processors: Readonly<Record<string, unknown>> = {},
): Promise<Collector> {
  const [grpc, http, health] = await freePorts(3);
  let file = "";
  const service = await Service.start(name, async (folder) => {
    file = join(folder, "otlp.jsonl");
    const config = join(folder, "config.yaml");
    // No batch processor: a line of the file is one unchanged request.
    const to = (path: string, format: string) => ({ path, format, append: true, flush_interval: "50ms" });
    const pipelines = Object.fromEntries(
      SIGNALS.map((signal) => [
        signal,
        { receivers: ["otlp"], processors: Object.keys(processors), exporters: ["file", `file/${signal}`] },
      ]),
    );
    await writeFile(
      config,
      stringify({
        receivers: {
          otlp: {
            protocols: {
              grpc: { endpoint: `127.0.0.1:${grpc}`, max_recv_msg_size_mib: 64 },
              http: { endpoint: `127.0.0.1:${http}` },
            },
          },
        },
        exporters: {
          file: to(file, "json"),
          ...Object.fromEntries(
            SIGNALS.map((signal) => [`file/${signal}`, to(protobuf(file, signal), "proto")]),
          ),
        },
        processors,
        extensions: { health_check: { endpoint: `127.0.0.1:${health}` } },
        service: {
          extensions: ["health_check"],
          telemetry: { metrics: { level: "none" }, logs: { level: "warn" } },
          pipelines,
        },
      }),
    );
    return { args: ["--config", config], ready: `http://127.0.0.1:${health}/` };
  });
  return new Collector(service, file, `http://127.0.0.1:${grpc}`, `http://127.0.0.1:${http}`);
}
