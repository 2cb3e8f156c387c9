import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { importPlugins, installedPlugins } from "../core/engine/discover.ts";
import type { Plugin } from "../core/plugin/plugin.ts";
import type { ExporterConfig } from "../exporters/config.ts";
import type { Config } from "./config.ts";
import { loadConfig } from "./load.ts";

const EXAMPLES = join(import.meta.dirname, "examples");

const expected: Readonly<Record<string, (config: Config) => void>> = {
  "default.yaml"(config) {
    const { effective, ...written } = config;
    const { effective: _, ...without } = loadConfig({ env: {}, flags: [], plugins });
    assert.deepEqual(written, without, "the default, written out, is the default");
  },
  "jaeger.yaml"({ exporters, spans }) {
    assert.deepEqual(exporters.jaeger?.signals, ["traces"]);
    assert.equal(spans.kind, "client-server");
  },
  "collector.yaml"({ exporters }) {
    assert(exporters.collector?.type === "otlp_http");
    assert.deepEqual(exporters.collector.headers, { authorization: "Bearer t0ken" });
  },
  "tempo.yaml"({ exporters }) {
    assert(exporters.tempo?.type === "otlp_grpc");
    assert.deepEqual(exporters.tempo.signals, ["traces"]);
    assert.deepEqual(exporters.tempo.headers, { "x-scope-orgid": "network" });
  },
  "prometheus.yaml"({ exporters }) {
    assertMetrics(exporters.prometheus, "http://localhost:9090/api/v1/otlp/v1/metrics");
  },
  "exemplars.yaml"({ exporters }) {
    assert.deepEqual(exporters.jaeger?.signals, ["traces"]);
    assertMetrics(exporters.prometheus, "http://localhost:9090/api/v1/otlp/v1/metrics");
  },
  "victoriametrics.yaml"({ exporters }) {
    assertMetrics(exporters.victoriametrics, "http://localhost:8428/opentelemetry/v1/metrics");
  },
  "datadog.yaml"({ exporters }) {
    assert(exporters.datadog?.type === "otlp_grpc");
    assert.equal(exporters.datadog.temporality, "delta");
    assert.deepEqual(exporters.datadog.signals, ["traces", "metrics", "logs"]);
  },
  "grafana-cloud.yaml"({ exporters }) {
    assert(exporters["grafana-cloud"]?.type === "otlp_http");
    assert.deepEqual(exporters["grafana-cloud"].headers, { authorization: "Basic a2V5" });
  },
  "honeycomb.yaml"({ exporters }) {
    assert(exporters.honeycomb?.type === "otlp_http");
    assert.deepEqual(exporters.honeycomb.headers, { "x-honeycomb-team": "hcaik" });
  },
  "everything.yaml"({ exporters, connections }) {
    const { sdk, json, datadog, "older-metrics": older } = exporters;
    assert(sdk?.type === "otlp_grpc" && json?.type === "otlp_http" && datadog?.type === "otlp_grpc");
    assert(older?.type === "otlp_http");
    assert.deepEqual([sdk.path, json.encoding, datadog.queueBytes], ["sdk", "json", 64 * 1024 ** 2]);
    assert.deepEqual(older.boundaries, [0.0001, 0.001, 0.01, 0.1, 1, 10]);
    assert.equal(connections.accept, "syscall");
  },
};

/** A store of metrics, cumulative and with exponential histograms, at its own path. */
function assertMetrics(exporter: ExporterConfig | undefined, endpoint: string): void {
  assert(exporter?.type === "otlp_http");
  assert.deepEqual(exporter.signals, ["metrics"]);
  assert.deepEqual(exporter.perSignalEndpoints, { metrics: endpoint });
  assert.deepEqual([exporter.temporality, exporter.histograms], ["cumulative", "exponential"]);
}

let plugins: readonly Plugin[] = [];

describe("example configurations", () => {
  before(async () => {
    ({ plugins } = await importPlugins(installedPlugins()));
  });

  for (const name of readdirSync(EXAMPLES)) {
    it(`${name} is valid and has the intended effect`, () => {
      const check = expected[name];
      assert(check !== undefined, `${name} has no test`);
      const env = { COLLECTOR_TOKEN: "t0ken", GRAFANA_CLOUD_KEY: "a2V5", HONEYCOMB_API_KEY: "hcaik" };
      check(loadConfig({ file: join(EXAMPLES, name), env, flags: [], plugins }));
    });
  }
});
