// The example configurations, unchanged except for addresses, with the real agent, real connections and the real
// backends.
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { startAgent } from "../support/agent.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { until } from "../support/until.ts";
import { pick, run } from "../support/workload.ts";
import { startCollector } from "./collector.ts";
import { DatadogIntake } from "./datadog-intake.ts";
import { needBackends } from "./find.ts";
import { startJaeger } from "./jaeger.ts";
import { attributesOf } from "./otlp.ts";
import { type MetricStore, startPrometheus, startVictoria } from "./prometheus.ts";
import { startRotel } from "./rotel.ts";

/** Starts the agent with an example; `env` has the backend's address. */
function startExample(name: string, netns: Netns, env: Readonly<Record<string, string>>) {
  const file = fileURLToPath(new URL(`../../config/examples/${name}.yaml`, import.meta.url));
  const settings = {
    WIRESPAN_METRICS_INTERVAL: "500ms",
    WIRESPAN_CONTROL_SOCKET: "",
    // Only this test's processes, since other tests may run the same programs.
    WIRESPAN_FILTER_INCLUDE_NETNS: String(statSync(netns.path).ino),
    ...env,
  };
  return startAgent(["--config", file], { env: settings });
}

/** Edges of exponential buckets of scale 3 are this far apart. */
const WIDTH = 2 ** (1 / 8);

/** Connections of two lengths; durations according to the clients, who close last, in seconds, ascending. */
async function makeConnections(netns: Netns): Promise<number[]> {
  const lines = await Promise.all([
    run(netns, "serverCloses", { delay: 60, count: 40 }),
    run(netns, "serverCloses", { delay: 400, count: 6 }),
  ]);
  return lines
    .flatMap((each) => pick(each, "end", "client"))
    .map(({ startNs, endNs }) => (endNs - startNs) / 1e9)
    .sort((a, b) => a - b);
}

const truth = (durations: readonly number[], q: number): number =>
  durations[Math.ceil(q * durations.length) - 1]!;

/** The only number in the result of a query; undefined while there is none. */
async function answer(store: MetricStore, query: string): Promise<number | undefined> {
  const [sample] = await store.query(query);
  const value = Number(sample?.value?.[1]);
  return Number.isNaN(value) ? undefined : value;
}

for (const [name, start, quantile] of [
  ["prometheus", startPrometheus, (q: number, of: string) => `histogram_quantile(${q}, sum(${of}))`],
  [
    "victoria",
    startVictoria,
    (q: number, of: string) =>
      `histogram_quantile(${q}, sum by (vmrange) (${of.replace("seconds", "seconds_bucket")}))`,
  ],
] as const) {
  describe(`an agent that exports to a metric store: ${name}`, () => {
    before(function () {
      needsRoot(this);
      needBackends(this, name);
    });

    for (const histograms of ["exponential", "explicit"] as const) {
      it(`agrees with the programs on their connections: quantiles within a bucket, counts exactly (${histograms})`, async () => {
        await using store = await start();
        await using netns = await Netns.create();
        const example = name === "victoria" ? "victoriametrics" : name;
        const exporter = `WIRESPAN_EXPORTERS_${example.toUpperCase()}`;
        const boundaries = Array.from({ length: 65 }, (_, i) => `${(2 ** (i / 8 - 6) * 1e9).toFixed(0)}ns`);
        await using agent = await startExample(example, netns, {
          [`${exporter}_PER_SIGNAL_ENDPOINTS_METRICS`]: store.otlpMetrics,
          [`${exporter}_HISTOGRAMS`]: histograms,
          ...(histograms === "explicit" && { [`${exporter}_BOUNDARIES`]: boundaries.join(",") }),
        });
        const durations = await makeConnections(netns);
        const series = 'wirespan_tcp_connection_duration_seconds{process_executable_name="pcli"}';
        const by = histograms === "explicit" ? "le" : "vmrange";
        const classic = `histogram_quantile(Q, sum by (${by}) (${series.replace("seconds", "seconds_bucket")}))`;
        const query = (q: number) =>
          histograms === "explicit" ? classic.replace("Q", String(q)) : quantile(q, series);
        const closed = 'sum(wirespan_tcp_connection_closed_total{process_executable_name="pcli"})';
        await until("all of the connections", async () => (await answer(store, closed)) === durations.length);
        for (const q of [0.5, 0.99]) {
          const [got, want] = [(await answer(store, query(q)))!, truth(durations, q)];
          const ratio = got / want;
          assert.ok(ratio < WIDTH * 1.02 && ratio > 1 / (WIDTH * 1.02), `p${q * 100}: ${got} s of ${want} s`);
        }
        assert.equal((await agent.stop()).code, 0);
      });
    }
  });
}

describe("an agent that exports to Datadog", () => {
  const key = "0123456789abcdef";

  it("delivers its spans to Datadog's intake, through Rotel", async function () {
    needsRoot(this);
    needBackends(this, "rotel");
    await using intake = await DatadogIntake.start();
    await using rotel = await startRotel(intake, key);
    await using netns = await Netns.create();
    // Rotel only forwards traces.
    const env = {
      WIRESPAN_EXPORTERS_DATADOG_ENDPOINT: rotel.grpc,
      WIRESPAN_EXPORTERS_DATADOG_SIGNALS: "traces",
    };
    await using agent = await startExample("datadog", netns, env);
    const lines = await run(netns, "clientCloses", { up: 4321, down: 1234 });
    const [client] = pick(lines, "end", "client");
    const span = await until("the client's span", () =>
      intake.spans.find(
        (s) => s.resource === "tcp connection" && s.metrics.get("process.pid") === client!.pid,
      ),
    );
    assert.deepEqual([...intake.keys], [key]);
    assert.equal(span.metrics.get("wirespan.tcp.bytes_sent"), 4321);
    assert.equal(span.metrics.get("wirespan.tcp.bytes_received"), 1234);
    assert.equal(span.meta.get("wirespan.connection.direction"), "outbound");
    assert.equal(span.error, 0n);
    const other = await until("the server's span", () =>
      intake.spans.find(
        (s) => s.traceId === span.traceId && s.parentId === span.spanId && s.resource === span.resource,
      ),
    );
    assert.equal(other.metrics.get("wirespan.tcp.bytes_received"), 4321);
    assert.equal((await agent.stop()).code, 0);
  });

  it("counts by interval: the intervals add up to the total, each connection once", async function () {
    needsRoot(this);
    needBackends(this, "collector");
    await using collector = await startCollector();
    await using netns = await Netns.create();
    await using agent = await startExample("datadog", netns, {
      WIRESPAN_EXPORTERS_DATADOG_ENDPOINT: collector.grpc,
    });
    let made = 0;
    for (let i = 0; i < 3; i++) made += (await makeConnections(netns)).length;
    assert.equal((await agent.stop()).code, 0);
    const metrics = (await collector.metrics()).map(({ item }) => item);
    const ours = <T extends { attributes?: Parameters<typeof attributesOf>[0] }>(points: readonly T[]) =>
      points.filter((point) => attributesOf(point.attributes)["process.executable.name"] === "pcli");
    const closed = metrics.filter((m) => m.name === "wirespan.tcp.connection.closed");
    assert.deepEqual([...new Set(closed.map((m) => m.sum!.aggregationTemporality))], [1]);
    const sums = closed.flatMap((m) => ours(m.sum!.dataPoints)).map((p) => Number(p.asInt));
    assert.equal(
      sums.reduce((a, b) => a + b, 0),
      made,
    );
    const histograms = metrics
      .filter((m) => m.name === "wirespan.tcp.connection.duration")
      .flatMap((m) => ours(m.exponentialHistogram!.dataPoints));
    assert.equal(
      histograms.reduce((sum, p) => sum + Number(p.count ?? 0), 0),
      made,
    );
    const starts = histograms.map((p) => BigInt(p.startTimeUnixNano!));
    const times = histograms.map((p) => BigInt(p.timeUnixNano));
    for (let i = 1; i < starts.length; i++) assert.equal(starts[i], times[i - 1], "intervals meet");
  });
});

describe("an agent that exports to everything at once", () => {
  before(function () {
    needsRoot(this);
    needBackends(this, "collector", "jaeger", "prometheus");
  });

  it("sends each backend what it accepts, in its format, to one of them through the SDK", async () => {
    await using collector = await startCollector();
    await using json = await startCollector();
    await using jaeger = await startJaeger();
    await using prometheus = await startPrometheus();
    await using netns = await Netns.create();
    await using agent = await startExample("everything", netns, {
      WIRESPAN_EXPORTERS_TRACES_ENDPOINT: jaeger.grpc,
      WIRESPAN_EXPORTERS_METRICS_PER_SIGNAL_ENDPOINTS_METRICS: prometheus.otlpMetrics,
      WIRESPAN_EXPORTERS_OLDER_METRICS_ENDPOINT: collector.http,
      WIRESPAN_EXPORTERS_DATADOG_ENDPOINT: collector.grpc,
      WIRESPAN_EXPORTERS_DATADOG_SIGNALS: "metrics",
      WIRESPAN_EXPORTERS_JSON_ENDPOINT: json.http,
      WIRESPAN_EXPORTERS_JSON_SIGNALS: "traces,metrics,logs",
      WIRESPAN_EXPORTERS_SDK_ENDPOINT: collector.grpc,
      WIRESPAN_FILTER_EXCLUDE_REMOTE_ADDRESS: "10.255.0.0/16",
      WIRESPAN_HEALTH_ADDRESS: "",
      WIRESPAN_CONNECTIONS_ACCEPT: "none",
    });
    const lines = await run(netns, "clientCloses", { up: 777 });
    const [client] = pick(lines, "end", "client");
    const find = (spans: Awaited<ReturnType<typeof collector.spans>>) =>
      spans.find(
        ({ item }) =>
          item.name === "tcp connection" &&
          attributesOf(item.attributes)["process.pid"] === BigInt(client!.pid),
      );
    const viaSdk = await until("the span through the SDK", async () => find(await collector.spans()));
    const viaJson = await until("the span as JSON", async () => find(await json.spans()));
    const viaJaeger = await until("the span in Jaeger", async () =>
      find(await jaeger.trace(viaSdk.item.traceId)),
    );
    for (const span of [viaSdk, viaJson, viaJaeger]) {
      assert.equal(span.item.spanId, viaSdk.item.spanId);
      assert.equal(span.resource["service.name"], viaSdk.resource["service.name"]);
      assert.equal(attributesOf(span.item.attributes)["wirespan.tcp.bytes_sent"], 777n);
      assert.equal(span.item.startTimeUnixNano, viaSdk.item.startTimeUnixNano);
    }
    assert.deepEqual(attributesOf(viaJson.item.attributes), attributesOf(viaSdk.item.attributes));
    await until("the native histogram", async () =>
      answer(prometheus, "histogram_count(sum(wirespan_tcp_connection_duration_seconds))"),
    );
    const forms = await until("both forms of the metrics", async () => {
      const found = (await collector.metrics()).filter(
        ({ item }) => item.name === "wirespan.tcp.connection.duration",
      );
      const explicit = found.find(({ item }) => item.histogram)?.item.histogram;
      const delta = found.find(({ item }) => item.exponentialHistogram)?.item.exponentialHistogram;
      return explicit && delta && { explicit, delta };
    });
    assert.equal(forms.delta.aggregationTemporality, 1);
    assert.equal(forms.explicit.aggregationTemporality, 2);
    assert.deepEqual(forms.explicit.dataPoints[0]!.explicitBounds, [0.0001, 0.001, 0.01, 0.1, 1, 10]);
    assert.equal((await agent.stop()).code, 0);
  });
});
