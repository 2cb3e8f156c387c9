// The sampling Collector of docs/backends.md, with its file unchanged except for addresses and waiting times.
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { startAgent } from "../support/agent.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import type { DecodedSpan } from "../support/otlp-decode.ts";
import { OtlpSink } from "../support/otlp-sink.ts";
import { until } from "../support/until.ts";
import { build, run } from "../support/workload.ts";
import { startExampleCollector } from "./example-collector.ts";
import { needBackends } from "./find.ts";
import { startPrometheus } from "./prometheus.ts";

const GOOD = 200;
const REFUSED = 5;
/** The first data segment to each of these ports is lost. */
const LOSSY = [9402, 9403, 9404, 9405];

describe("a Collector as gateway", () => {
  before(async function () {
    needsRoot(this);
    needBackends(this, "collector-gateway", "prometheus");
    await build();
  });

  it("keeps whole traces with errors and retransmits, a tenth of the rest, and all metrics", async () => {
    await using sink = await OtlpSink.start("grpc");
    await using prometheus = await startPrometheus();
    const gateway = await startExampleCollector("gateway", ({ processors, exporters }) => {
      processors.tail_sampling!.decision_wait = "3s";
      for (const name of ["otlp/traces", "otlp/logs"]) exporters[name]!.endpoint = sink.endpoint;
      exporters.prometheusremotewrite!.endpoint = prometheus.remoteWrite;
    });
    await using _ = gateway.service;
    await using netns = await Netns.create();
    await using agent = await startAgent([], {
      config: `version: 1
control: { socket: "" }
viewer: false
metrics: { interval: 500ms }
filter: { include: { netns: ["${statSync(netns.path).ino}"] } }
exporters: { gateway: { type: otlp_grpc, endpoint: "${gateway.grpc}" } }
`,
    });
    await run(netns, "clientCloses", { count: GOOD, delay: 0 });
    await run(netns, "attempt", { count: REFUSED });
    for (const port of LOSSY) {
      const first = `tcp dport ${port} tcp flags & psh == psh limit rate 1/day burst 1 packets`;
      await netns.rule("input", first, "drop");
      await run(netns, "clientCloses", { port });
    }

    const traces = () => Map.groupBy(sink.spans, ({ traceId }) => traceId);
    const those = (wanted: (span: DecodedSpan) => boolean) =>
      [...traces().values()].filter((spans) => spans.some(wanted));
    const failed = () => those(({ attributes }) => attributes["error.type"] === "connection_refused");
    const again = () => those(({ attributes }) => Number(attributes["wirespan.tcp.retransmits"] ?? 0) > 0);
    await until("what must be kept", () => failed().length === REFUSED && again().length === LOSSY.length);
    for (const spans of again()) {
      const ends = spans.filter(({ name }) => name === "tcp connection");
      assert.deepEqual(ends.map(({ attributes }) => attributes["wirespan.connection.direction"]).toSorted(), [
        "inbound",
        "outbound",
      ]);
    }
    // A tenth of 200, within four standard deviations.
    const rest = traces().size - REFUSED - LOSSY.length;
    assert.ok(rest >= 3 && rest <= 37, `${rest} of ${GOOD}`);

    const all = GOOD + REFUSED + LOSSY.length;
    const expression =
      'sum by (service_name, host_name) (wirespan_tcp_connect_attempts_total{service_name="pcli"})';
    const [sample] = await until("the metrics", async () => {
      const samples = await prometheus.query(expression);
      return Number(samples[0]?.value?.[1]) === all && samples;
    });
    assert.ok(sample?.metric.host_name, "the label that dashboards require");
    assert.equal((await agent.stop()).code, 0);
  });
});
