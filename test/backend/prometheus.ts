// Real metric stores with a PromQL API that accept OTLP over HTTP: Prometheus and VictoriaMetrics.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { freePorts } from "./ports.ts";
import { Service } from "./service.ts";

/** One series of an instant query. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  /** Unix seconds, and the number as text; absent for a native histogram. */
  readonly value?: readonly [number, string];
  /** All samples of a range expression. */
  readonly values?: readonly (readonly [number, string])[];
}

/** One series' exemplars as Prometheus's API returns them: a value as text, its time in Unix seconds. */
export interface StoredExemplars {
  readonly seriesLabels: Readonly<Record<string, string>>;
  readonly exemplars: readonly {
    readonly labels: Readonly<Record<string, string>>;
    readonly value: string;
    readonly timestamp: number;
  }[];
}

/** A running metric store. Dispose of it with `await using`. */
export class MetricStore implements AsyncDisposable {
  /** The full URL of its OTLP metrics endpoint: HTTP with protobuf only. */
  readonly otlpMetrics: string;
  /** Its remote-write endpoint; Prometheus only. */
  readonly remoteWrite: string;
  /** To stop, kill and restart it on the same port. */
  readonly service: Service;
  readonly #base: string;

  constructor(service: Service, base: string, otlpMetrics: string) {
    this.service = service;
    this.#base = base;
    this.otlpMetrics = otlpMetrics;
    this.remoteWrite = `${base}/api/v1/write`;
  }

  /** An instant PromQL query, for now or a time in Unix seconds; throws if the store rejects the expression. */
  async query(expression: string, time?: number): Promise<readonly Sample[]> {
    const at = time === undefined ? "" : `&time=${time}`;
    const url = `${this.#base}/api/v1/query?query=${encodeURIComponent(expression)}${at}`;
    const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${expression}: ${response.status} ${text}`);
    return (JSON.parse(text) as { data: { result: readonly Sample[] } }).data.result;
  }

  /** Exemplars of the series that an expression selects, of the last hour. */
  async exemplars(expression: string): Promise<readonly StoredExemplars[]> {
    const now = Date.now() / 1000;
    const url = `${this.#base}/api/v1/query_exemplars?query=${encodeURIComponent(expression)}&start=${now - 3600}&end=${now + 60}`;
    const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${expression}: ${response.status} ${text}`);
    return (JSON.parse(text) as { data: readonly StoredExemplars[] }).data;
  }

  /** Stores a result under a name, as vmalert does with recording rules; VictoriaMetrics only. `time`: Unix seconds. */
  async add(name: string, samples: readonly Sample[], time: number): Promise<void> {
    const lines = samples.map(({ metric, value }) => ({
      metric: { ...metric, __name__: name },
      values: [Number(value?.[1])],
      timestamps: [time * 1000],
    }));
    const body = lines.map((line) => JSON.stringify(line)).join("\n");
    const response = await fetch(`${this.#base}/api/v1/import`, { method: "POST", body });
    if (!response.ok) throw new Error(`${name}: ${response.status} ${await response.text()}`);
    await (await fetch(`${this.#base}/internal/force_flush`)).body?.cancel();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.service[Symbol.asyncDispose]();
  }
}

/**
 * Starts a Prometheus 3 on a free port of 127.0.0.1; exponential histograms become native ones. `rules`: a file of
 * rules, which are evaluated each second.
 */
export async function startPrometheus(rules?: string): Promise<MetricStore> {
  const [port] = await freePorts(1);
  const base = `http://127.0.0.1:${port}`;
  const service = await Service.start("prometheus", async (folder) => {
    const config = join(folder, "config.yaml");
    await writeFile(
      config,
      stringify({
        ...(rules && { global: { evaluation_interval: "1s" }, rule_files: [rules] }),
        otlp: {
          promote_resource_attributes: [
            "service.namespace",
            "service.name",
            "service.instance.id",
            "host.name",
          ],
        },
      }),
    );
    return {
      args: [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(folder, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
        "--web.enable-otlp-receiver",
        "--web.enable-remote-write-receiver",
        "--enable-feature=exemplar-storage,created-timestamp-zero-ingestion",
        "--log.level=warn",
      ],
      ready: `${base}/-/ready`,
    };
  });
  return new MetricStore(service, base, `${base}/api/v1/otlp/v1/metrics`);
}

/** Starts a VictoriaMetrics on a free port of 127.0.0.1, configured to show a point as soon as it arrives. */
export async function startVictoria(): Promise<MetricStore> {
  const [port] = await freePorts(1);
  const base = `http://127.0.0.1:${port}`;
  const service = await Service.start("victoria", (folder) => ({
    args: [
      `-storageDataPath=${join(folder, "data")}`,
      `-httpListenAddr=127.0.0.1:${port}`,
      "-retentionPeriod=1d",
      "-loggerLevel=WARN",
      "-memory.allowedBytes=256MB",
      "-opentelemetry.usePrometheusNaming",
      "-search.latencyOffset=0s",
      "-search.disableCache",
    ],
    ready: `${base}/health`,
  }));
  return new MetricStore(service, base, `${base}/opentelemetry/v1/metrics`);
}
