// A real Jaeger with its spans in memory, and its query API.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { type ResourceSpans, type Span, spansOf, type Under } from "./otlp.ts";
import { freePorts } from "./ports.ts";
import { Service } from "./service.ts";

/** A trace in Jaeger's user interface. */
export interface ShownTrace {
  readonly traceID: string;
  readonly spans: readonly {
    readonly spanID: string;
    readonly operationName: string;
    readonly references: readonly { readonly spanID: string }[];
    readonly tags: readonly { readonly key: string; readonly value: unknown }[];
    readonly warnings: readonly string[] | null;
  }[];
}

/** The attribute with the warnings of a span of `trace`. */
export const WARNINGS = "@jaeger@warnings";

/** A running Jaeger. Dispose of it with `await using`. */
export class Jaeger implements AsyncDisposable {
  /** `http://127.0.0.1:PORT`, for OTLP over gRPC. */
  readonly grpc: string;
  /** `http://127.0.0.1:PORT`, for OTLP over HTTP: protobuf and JSON. */
  readonly http: string;
  /** To stop, kill and restart it on the same ports; its spans are then gone. */
  readonly service: Service;
  /** `http://127.0.0.1:PORT` of the query API. */
  readonly query: string;

  constructor(service: Service, query: string, grpc: string, http: string) {
    this.service = service;
    this.query = query;
    this.grpc = grpc;
    this.http = http;
  }

  /** The spans of one trace by its id in hex; none if Jaeger does not have the trace (yet). */
  async trace(id: string): Promise<Under<Span>[]> {
    const answer = await this.#get(`/api/v3/traces/${id}`);
    const { result } = (answer ?? {}) as { result?: { resourceSpans?: readonly ResourceSpans[] } };
    return spansOf(result?.resourceSpans ?? []);
  }

  /** Names of the services that have spans. */
  async services(): Promise<string[]> {
    return (((await this.#get("/api/services")) ?? {}) as { data?: string[] | null }).data ?? [];
  }

  /** Ids of the newest traces of one service, at most `limit`. */
  async traceIds(service: string, limit = 100): Promise<string[]> {
    const answer = await this.#get(`/api/traces?service=${encodeURIComponent(service)}&limit=${limit}`);
    const { data } = (answer ?? {}) as { data?: readonly { traceID: string }[] | null };
    return (data ?? []).map(({ traceID }) => traceID);
  }

  /** The newest traces of one service as in the user interface, at most `limit`. */
  async shown(service: string, limit: number): Promise<readonly ShownTrace[]> {
    const answer = await this.#get(`/api/traces?service=${encodeURIComponent(service)}&limit=${limit}`);
    return ((answer ?? {}) as { data?: readonly ShownTrace[] | null }).data ?? [];
  }

  /** One trace as in the user interface; undefined if Jaeger does not have it (yet). */
  async shownTrace(id: string): Promise<ShownTrace | undefined> {
    return ((await this.#get(`/api/traces/${id}`)) as { data?: readonly ShownTrace[] } | undefined)
      ?.data?.[0];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.service[Symbol.asyncDispose]();
  }

  async #get(path: string): Promise<unknown> {
    const response = await fetch(this.query + path, { signal: AbortSignal.timeout(10_000) });
    const text = await response.text();
    if (response.status === 404) return undefined;
    if (!response.ok) throw new Error(`jaeger: ${path}: ${response.status} ${text}`);
    return JSON.parse(text);
  }
}

/** Starts a Jaeger on free ports of 127.0.0.1. Throws if there is no program for it. */
export async function startJaeger(): Promise<Jaeger> {
  const [grpc, http, queryHttp, queryGrpc, health] = (await freePorts(5)).map((port) => `127.0.0.1:${port}`);
  const service = await Service.start("jaeger", async (folder) => {
    const config = join(folder, "config.yaml");
    await writeFile(
      config,
      stringify({
        service: {
          extensions: ["jaeger_storage", "jaeger_query", "healthcheckv2"],
          telemetry: { metrics: { level: "none" }, logs: { level: "warn" } },
          pipelines: { traces: { receivers: ["otlp"], exporters: ["jaeger_storage_exporter"] } },
        },
        extensions: {
          jaeger_storage: { backends: { memory: { memory: { max_traces: 100_000 } } } },
          jaeger_query: {
            // Otherwise it sends its own spans to port 4317 and waits for a response when it is stopped.
            enable_tracing: false,
            storage: { traces: "memory" },
            http: { endpoint: queryHttp },
            grpc: { endpoint: queryGrpc },
          },
          healthcheckv2: { use_v2: true, http: { endpoint: health } },
        },
        receivers: { otlp: { protocols: { grpc: { endpoint: grpc }, http: { endpoint: http } } } },
        exporters: { jaeger_storage_exporter: { trace_storage: "memory" } },
      }),
    );
    return { args: ["--config", config], ready: `http://${health}/status` };
  });
  return new Jaeger(service, `http://${queryHttp}`, `http://${grpc}`, `http://${http}`);
}
