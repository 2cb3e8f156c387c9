import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExporterConfig } from "../exporters/config.ts";
import { configOf, effectOf, faultsOf } from "../test/support/config.ts";

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4317" };

/** `name: type signals`, of each exporter. */
function summary(given: Parameters<typeof configOf>[0]): string[] {
  return Object.entries(configOf(given).exporters).map(
    ([name, e]) => `${name}: ${e.type} ${e.signals.join(",")}`,
  );
}

function otlp(env: Record<string, string>, name = "otlp"): Exclude<ExporterConfig, { type: "console" }> {
  const exporter = configOf({ env }).exporters[name];
  assert(exporter !== undefined && exporter.type !== "console");
  return exporter;
}

describe("OpenTelemetry's variables", () => {
  const destinations: readonly [what: string, given: Parameters<typeof configOf>[0], exporters: string[]][] =
    [
      ["nothing: only the console", {}, ["console: console traces,metrics,logs"]],
      ["an endpoint: only OTLP", { env: ENDPOINT }, ["otlp: otlp_grpc traces,metrics,logs"]],
      [
        "an empty endpoint: as none",
        { env: { OTEL_EXPORTER_OTLP_ENDPOINT: "" } },
        ["console: console traces,metrics,logs"],
      ],
      [
        "an endpoint of one signal: only that signal",
        { env: { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://t:1" } },
        ["otlp: otlp_grpc traces"],
      ],
      [
        "both destinations: both",
        { env: { ...ENDPOINT, OTEL_TRACES_EXPORTER: "otlp, console" } },
        ["otlp: otlp_grpc traces,metrics,logs", "console: console traces"],
      ],
      [
        "otlp without an endpoint",
        { env: { OTEL_TRACES_EXPORTER: "otlp" } },
        ["otlp: otlp_grpc traces,metrics,logs"],
      ],
      ["none", { env: { ...ENDPOINT, OTEL_LOGS_EXPORTER: "none" } }, ["otlp: otlp_grpc traces,metrics"]],
      [
        "none, over a file's exporter",
        { env: { OTEL_METRICS_EXPORTER: "none" }, yaml: "exporters: {jaeger: {type: otlp_grpc}}" },
        ["jaeger: otlp_grpc traces,logs"],
      ],
      [
        "none of all three",
        { env: { OTEL_TRACES_EXPORTER: "none", OTEL_METRICS_EXPORTER: "none", OTEL_LOGS_EXPORTER: "none" } },
        [],
      ],
      ["the SDK disabled", { env: { ...ENDPOINT, OTEL_SDK_DISABLED: "TRUE" } }, []],
      [
        "an endpoint in addition to a file's exporters",
        { env: ENDPOINT, yaml: "exporters: {jaeger: {type: otlp_grpc, signals: [traces]}}" },
        ["jaeger: otlp_grpc traces", "otlp: otlp_grpc traces,metrics,logs"],
      ],
      [
        "a file's exporter: no console",
        { yaml: "exporters: {a: {type: otlp_http}}" },
        ["a: otlp_http traces,metrics,logs"],
      ],
      [
        "a protocol of one signal: an exporter of its own",
        { env: { ...ENDPOINT, OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: "http/protobuf" } },
        ["otlp_metrics: otlp_http metrics", "otlp: otlp_grpc traces,logs"],
      ],
    ];
  const protocols: readonly [what: string, env: Record<string, string>, exporters: string[]][] = [
    ["4318: HTTP", { ENDPOINT: "http://c:4318" }, ["otlp: otlp_http traces,metrics,logs"]],
    ["4318 of TLS, with a path", { ENDPOINT: "https://c:4318/x" }, ["otlp: otlp_http traces,metrics,logs"]],
    ["4317: gRPC", { ENDPOINT: "c:4317" }, ["otlp: otlp_grpc traces,metrics,logs"]],
    ["a query, which gRPC has not", { ENDPOINT: "http://c/?k=1" }, ["otlp: otlp_http traces,metrics,logs"]],
    [
      "4318 of one signal",
      { ENDPOINT: "http://c:4317", TRACES_ENDPOINT: "http://c:4318/v1/traces" },
      ["otlp_traces: otlp_http traces", "otlp: otlp_grpc metrics,logs"],
    ],
    [
      "a named protocol, over the port",
      { ENDPOINT: "http://c:4318", PROTOCOL: "grpc" },
      ["otlp: otlp_grpc traces,metrics,logs"],
    ],
    [
      "another port: to be found out",
      { ENDPOINT: "https://c" },
      ["otlp: otlp_grpc traces,metrics,logs, detect"],
    ],
    [
      "another port, with a protocol",
      { ENDPOINT: "https://c", PROTOCOL: "grpc" },
      ["otlp: otlp_grpc traces,metrics,logs"],
    ],
  ];
  for (const [what, variables, expected] of protocols) {
    it(`take the protocol from the port if none is named: ${what}`, () => {
      const env = Object.fromEntries(
        Object.entries(variables).map(([name, value]) => [`OTEL_EXPORTER_OTLP_${name}`, value]),
      );
      const { exporters } = configOf({ env });
      const found = Object.entries(exporters).map(([name, e]) => {
        return `${name}: ${e.type} ${e.signals.join(",")}${"detect" in e ? ", detect" : ""}`;
      });
      assert.deepEqual(found, expected);
    });
  }

  it("do not change a type that wirespan's own variable sets", () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: "https://c", WIRESPAN_EXPORTERS_OTLP_TYPE: "otlp_grpc" };
    assert.ok(!("detect" in configOf({ env }).exporters.otlp!));
  });

  for (const [what, given, expected] of destinations) {
    it(`set the endpoint: ${what}`, () => assert.deepEqual(summary(given), expected));
  }

  it("give every field of the exporter", () => {
    const folder = mkdtempSync(join(tmpdir(), "wirespan-otel-"));
    const pem = join(folder, "a.pem");
    writeFileSync(pem, "");
    const exporter = otlp({
      OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4317",
      OTEL_EXPORTER_OTLP_HEADERS: "api-key=a%20b, x=y=z",
      OTEL_EXPORTER_OTLP_COMPRESSION: "none",
      OTEL_EXPORTER_OTLP_TIMEOUT: "2500",
      OTEL_EXPORTER_OTLP_CERTIFICATE: pem,
      OTEL_EXPORTER_OTLP_CLIENT_KEY: pem,
      OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: pem,
      OTEL_EXPORTER_OTLP_INSECURE: "true",
    });
    rmSync(folder, { recursive: true });
    assert.deepEqual(exporter, {
      type: "otlp_grpc",
      endpoint: "collector:4317",
      perSignalEndpoints: {},
      headers: { "api-key": "a b", x: "y=z" },
      tls: { ca: pem, cert: pem, key: pem, insecure: true },
      compression: "none",
      timeoutMs: 2500,
      queueBytes: 32 * 1024 ** 2,
      path: "lean",
      temporality: "cumulative",
      histograms: "exponential",
      signals: ["traces", "metrics", "logs"],
    });
  });

  it("select JSON, and the temporality of metrics", () => {
    const exporter = otlp({
      ...ENDPOINT,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: "LowMemory",
    });
    assert(exporter.type === "otlp_http");
    assert.deepEqual([exporter.encoding, exporter.temporality], ["json", "lowmemory"]);
  });

  it("let a signal's own variable win, and keep the general one for the others", () => {
    const env = {
      ...ENDPOINT,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
      OTEL_EXPORTER_OTLP_HEADERS: "a=1",
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: "b=2",
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://t:1/exactly",
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: "http://l:1/logs",
    };
    const general = otlp(env);
    const traces = otlp(env, "otlp_traces");
    assert.deepEqual([general.headers, general.signals], [{ a: "1" }, ["metrics", "logs"]]);
    assert.deepEqual(general.perSignalEndpoints, { logs: "http://l:1/logs" });
    assert.deepEqual([traces.headers, traces.signals], [{ b: "2" }, ["traces"]]);
    assert.deepEqual(traces.perSignalEndpoints, { traces: "http://t:1/exactly" });
    assert.equal(traces.type, "otlp_http");
  });

  it("win over a file's exporter that is called otlp, field by field", () => {
    const yaml =
      "exporters: {otlp: {type: otlp_http, endpoint: 'http://f:1', timeout: 3s, signals: [traces]}}";
    const exporter = configOf({ yaml, env: { OTEL_EXPORTER_OTLP_ENDPOINT: "http://e:1" } }).exporters.otlp;
    assert(exporter?.type === "otlp_http");
    assert.deepEqual(
      [exporter.endpoint, exporter.timeoutMs, exporter.signals],
      ["http://e:1", 3000, ["traces"]],
    );
  });

  it("use the default port of their protocol", () => {
    assert.equal(otlp({ OTEL_TRACES_EXPORTER: "otlp" }).endpoint, "http://localhost:4317");
    const http = { OTEL_TRACES_EXPORTER: "otlp", OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf" };
    assert.equal(otlp(http).endpoint, "http://localhost:4318");
  });

  it("name the service and the resource", () => {
    const env = { OTEL_RESOURCE_ATTRIBUTES: "service.name=a,team=net%2Fops" };
    const yaml = "resource: {attributes: {team: file, zone: b}}";
    const config = configOf({ env, yaml });
    assert.equal(config.service.name, "a");
    assert.deepEqual(config.resource.attributes, { "service.name": "a", team: "net/ops", zone: "b" });
    assert.equal(configOf({ env: { ...env, OTEL_SERVICE_NAME: "b" } }).service.name, "b");
    assert.deepEqual(effectOf(config, "resource.attributes").from, [
      "wirespan.yaml:1",
      "OTEL_RESOURCE_ATTRIBUTES",
    ]);
  });

  it("set interval and log level", () => {
    const config = configOf({ env: { OTEL_METRIC_EXPORT_INTERVAL: "60000", OTEL_LOG_LEVEL: "VERBOSE" } });
    assert.deepEqual([config.metrics.interval, config.log.level], [60_000, "debug"]);
    const both = { OTEL_LOG_LEVEL: "error", WIRESPAN_LOG_LEVEL: "warn" };
    assert.equal(configOf({ env: both }).log.level, "warn", "our own name wins");
  });

  it("select a sampler: a ratio for the programs in the kernel, or no traces at all", () => {
    const sampled = (name: string, arg?: string, yaml?: string) => {
      const env = { ...ENDPOINT, OTEL_TRACES_SAMPLER: name, ...(arg && { OTEL_TRACES_SAMPLER_ARG: arg }) };
      const { sampling, exporters } = configOf({ env, ...(yaml && { yaml }) });
      return [sampling.ratio, exporters.otlp?.signals.includes("traces")];
    };
    assert.deepEqual(sampled("traceidratio", "0.25"), [0.25, true]);
    assert.deepEqual(sampled("parentbased_traceidratio", "1e-3"), [0.001, true]);
    assert.deepEqual(sampled("traceidratio"), [1, true], "the specification's default");
    assert.deepEqual(sampled("always_on", "0.1", "sampling: {ratio: 0.5}"), [1, true]);
    assert.deepEqual(sampled("PARENTBASED_ALWAYS_ON"), [1, true]);
    assert.deepEqual(sampled("always_off"), [1, false]);
    assert.deepEqual(sampled("parentbased_always_off"), [1, false]);
    const own = { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.1" };
    assert.equal(configOf({ env: { ...own, WIRESPAN_SAMPLING_RATIO: "0.2" } }).sampling.ratio, 0.2);
    assert.equal(effectOf(configOf({ env: own }), "sampling.ratio").from[0], "OTEL_TRACES_SAMPLER_ARG");
    assert.deepEqual(faultsOf({ env: { ...own, OTEL_TRACES_SAMPLER_ARG: "10%" } }), [
      'OTEL_TRACES_SAMPLER_ARG: sampling.ratio: expected a number from 0 to 1, such as 0.1, got "10%"',
    ]);
    assert.deepEqual(faultsOf({ env: { OTEL_TRACES_SAMPLER: "jaeger_remote" } }), [
      'OTEL_TRACES_SAMPLER: expected one of always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, parentbased_traceidratio, got "jaeger_remote"',
    ]);
  });

  it("are rejected by name if they are invalid", () => {
    const env = {
      ...ENDPOINT,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/xml",
      OTEL_EXPORTER_OTLP_TIMEOUT: "10s!",
      OTEL_EXPORTER_OTLP_COMPRESSION: "zstd",
      OTEL_METRICS_EXPORTER: "prometheus",
    };
    assert.deepEqual(faultsOf({ env }).sort(), [
      'OTEL_EXPORTER_OTLP_COMPRESSION: exporters.otlp.compression: expected one of gzip, none, got "zstd"',
      'OTEL_EXPORTER_OTLP_PROTOCOL: expected one of grpc, http/protobuf, http/json, got "http/xml"',
      'OTEL_EXPORTER_OTLP_TIMEOUT: exporters.otlp.timeout: expected a duration of at least 1ms, such as 500ms or 10s, got "10s!"',
      'OTEL_METRICS_EXPORTER: expected otlp, console, none, got "prometheus"',
    ]);
  });
});
