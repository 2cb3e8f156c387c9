// Exemplars that a real Collector and a real Prometheus receive from the agent: each refers to an exported span.
import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startAgent } from "../support/agent.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { until } from "../support/until.ts";
import { build, pick, run } from "../support/workload.ts";
import { startCollector } from "./collector.ts";
import { needBackends } from "./find.ts";
import { startJaeger } from "./jaeger.ts";
import { attributesOf, type Exemplar, type ExplicitPoint, type ExponentialPoint } from "./otlp.ts";
import { startPrometheus } from "./prometheus.ts";

const PLUGINS = ["tcplife", "tcpconnlat", "tcpaccept"].flatMap((name) => ["--plugin", name]);

const spanOf: Readonly<Record<string, string>> = {
  "wirespan.tcp.connection.duration": "tcp connection",
  "wirespan.tcp.connection.rtt": "tcp connection",
  "wirespan.tcp.connect.duration": "tcp connect",
  "wirespan.tcp.accept.duration": "tcp accept",
};

/** A point of either form, with the edges (lower, upper] and the count of the bucket that a value is in. */
function bucketOf(point: ExponentialPoint & ExplicitPoint, value: number): readonly [number, number, number] {
  const { explicitBounds: bounds, bucketCounts, scale = 0, positive } = point;
  if (bounds) {
    const at = bounds.findIndex((bound) => value <= bound);
    const i = at < 0 ? bounds.length : at;
    return [bounds[i - 1] ?? 0, bounds[i] ?? Number.POSITIVE_INFINITY, Number(bucketCounts![i])];
  }
  const base = 2 ** (1 / 2 ** scale);
  const i = Math.ceil(Math.log(value) / Math.log(base)) - 1;
  const count = Number(positive?.bucketCounts?.[i - (positive.offset ?? 0)] ?? 0);
  return [base ** i, base ** (i + 1), count];
}

describe("exemplars in a Collector's file", () => {
  before(async function () {
    needsRoot(this);
    needBackends(this, "collector");
    await build();
  });

  for (const [temporality, histograms, encoding, ratio] of [
    ["cumulative", "exponential", "protobuf", 1],
    ["delta", "exponential", "json", 1],
    ["cumulative", "explicit", "json", 1],
    ["delta", "explicit", "protobuf", 0.25],
  ] as const) {
    it(`refer to exported spans, and are in their intervals and buckets (${temporality}, ${histograms}, ${encoding}, ratio ${ratio})`, async () => {
      await using collector = await startCollector();
      await using netns = await Netns.create();
      const config = `version: 1
filter: { include: { netns: ["${inodeOf(netns)}"] } }
control: { socket: "" }
metrics: { interval: 400ms }
sampling: { ratio: ${ratio} }
exporters:
  collector:
    { type: otlp_http, endpoint: "${collector.http}", encoding: ${encoding}, temporality: ${temporality}, histograms: ${histograms} }
`;
      await using agent = await startAgent(PLUGINS, { config });
      await run(netns, "burst", { count: 200 });
      for (const delay of [150, 450, 100]) await run(netns, "serverCloses", { delay, count: 3 });
      await run(netns, "reset", { count: 2 });
      await agent.stop();
      await until("the end of what it sent", async () => {
        const before = (await collector.requests()).length;
        await setTimeout(300);
        return before === (await collector.requests()).length;
      });
      const spans = new Map(
        (await collector.spans()).map(({ item }) => [`${item.traceId}-${item.spanId}`, item]),
      );
      const found = new Set<string>();
      const largest = new Map<string, number>();
      for (const { item: metric } of await collector.metrics()) {
        const points = [
          ...(metric.exponentialHistogram?.dataPoints ?? []),
          ...(metric.histogram?.dataPoints ?? []),
        ];
        const name = spanOf[metric.name];
        for (const point of points as readonly (ExponentialPoint & ExplicitPoint)[]) {
          assert.ok((point.exemplars ?? []).length <= 1);
          for (const exemplar of (point.exemplars ?? []) as readonly Exemplar[]) {
            const { asDouble: value, traceId, spanId, timeUnixNano } = exemplar;
            const span = spans.get(`${traceId}-${spanId}`);
            assert.ok(span, `${metric.name}: ${traceId} ${spanId} was not exported`);
            assert.equal(span.name, name);
            const time = BigInt(timeUnixNano);
            assert.ok(
              time >= BigInt(point.startTimeUnixNano!) && time <= BigInt(point.timeUnixNano),
              metric.name,
            );
            const [lower, upper, count] = bucketOf(point, value);
            assert.ok(count > 0 && value > lower * (1 - 1e-9) && value <= upper * (1 + 1e-9), `${value} s`);
            const duration = Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1e9;
            if (!metric.name.endsWith("rtt")) assert.ok(Math.abs(value - duration) < 2e-9, metric.name);
            found.add(metric.name);
            const key = `${metric.name} ${String(attributesOf(span.attributes)["wirespan.connection.direction"])}`;
            largest.set(key, Math.max(largest.get(key) ?? 0, value));
          }
        }
      }
      assert.deepEqual([...found].sort(), Object.keys(spanOf).sort());
      // The slowest of all exported spans is an exemplar.
      for (const [key, value] of largest) {
        const [metric = "", direction] = key.split(" ");
        if (metric.endsWith("rtt")) continue;
        const durations = [...spans.values()]
          .filter(({ name }) => name === spanOf[metric])
          .filter(({ attributes }) => attributesOf(attributes)["wirespan.connection.direction"] === direction)
          .map((s) => Number(BigInt(s.endTimeUnixNano) - BigInt(s.startTimeUnixNano)) / 1e9);
        const most = Math.max(...durations);
        assert.ok(Math.abs(value - most) < 2e-9, `${key}: ${value} of ${most} s`);
      }
    });
  }
});

describe("exemplars in Prometheus", () => {
  before(async function () {
    needsRoot(this);
    needBackends(this, "prometheus", "jaeger");
    await build();
  });

  for (const histograms of ["exponential", "explicit"]) {
    it(`are returned by its API, with traces that Jaeger has, the slowest connection's among them (${histograms})`, async () => {
      await using prometheus = await startPrometheus();
      await using jaeger = await startJaeger();
      await using netns = await Netns.create();
      const file = fileURLToPath(new URL("../../config/examples/exemplars.yaml", import.meta.url));
      const env = {
        WIRESPAN_METRICS_INTERVAL: "500ms",
        WIRESPAN_CONTROL_SOCKET: "",
        WIRESPAN_FILTER_INCLUDE_NETNS: String(inodeOf(netns)),
        WIRESPAN_EXPORTERS_JAEGER_ENDPOINT: jaeger.grpc,
        WIRESPAN_EXPORTERS_PROMETHEUS_PER_SIGNAL_ENDPOINTS_METRICS: prometheus.otlpMetrics,
        WIRESPAN_EXPORTERS_PROMETHEUS_HISTOGRAMS: histograms,
      };
      await using agent = await startAgent(["--config", file], { env });
      await run(netns, "serverCloses", { delay: 20, count: 10 });
      const lines = await run(netns, "serverCloses", { delay: 400, count: 1 });
      const [slowest] = pick(lines, "end", "client");
      const metric = `wirespan_tcp_connection_duration_seconds${histograms === "explicit" ? "_bucket" : ""}`;
      const query = `${metric}{process_executable_name="pcli"}`;
      const stored = await until("the slowest as an exemplar", async () => {
        const all = (await prometheus.exemplars(query)).flatMap(({ exemplars }) => exemplars);
        return all.some(({ value }) => Number(value) > 0.39) && all;
      });
      const traced = new Map<string, string>();
      for (const { labels, value } of stored) {
        const span = await until(`${labels.trace_id} in Jaeger`, async () =>
          (await jaeger.trace(labels.trace_id!)).find(({ item }) => item.spanId === labels.span_id),
        );
        assert.equal(span.item.name, "tcp connection");
        const duration =
          Number(BigInt(span.item.endTimeUnixNano) - BigInt(span.item.startTimeUnixNano)) / 1e9;
        assert.ok(Math.abs(Number(value) - duration) < 2e-9, `${value} of ${duration} s`);
        if (Number(value) > 0.39)
          traced.set(labels.trace_id!, String(attributesOf(span.item.attributes)["network.local.port"]));
      }
      assert.deepEqual([...traced.values()], [String(slowest!.localPort)]);
      assert.equal((await agent.stop()).code, 0);
    });
  }
});
