// The Collector for Datadog of docs/backends.md, with its file unchanged except for addresses, and the agent's example.
import assert from "node:assert/strict";
import { join } from "node:path";
import { startAgent } from "../support/agent.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { until } from "../support/until.ts";
import { build, pick, run } from "../support/workload.ts";
import { DatadogIntake } from "./datadog-intake.ts";
import { startExampleCollector } from "./example-collector.ts";
import { needBackends } from "./find.ts";

const EXAMPLE = join(import.meta.dirname, "../../config/examples/datadog.yaml");
const KEY = "0123456789abcdef0123456789abcdef";
const COUNT = 20;

describe("a Collector that exports to Datadog", () => {
  before(async function () {
    needsRoot(this);
    needBackends(this, "collector-datadog");
    await build();
  });

  it("delivers each end's span, and counts each connection once", async () => {
    await using intake = await DatadogIntake.start();
    await using netns = await Netns.create();
    const collector = await startExampleCollector("datadog", ({ exporters, processors }) => {
      Object.assign(exporters.datadog!, {
        api: { key: KEY },
        hostname: "wirespan-test",
        host_metadata: { enabled: false },
        traces: { endpoint: intake.url },
        logs: { endpoint: intake.url },
        metrics: { ...(exporters.datadog!.metrics as object), endpoint: intake.url },
      });
      processors.batch = { timeout: "200ms" };
    });
    await using _ = collector.service;
    await using agent = await startAgent(["--config", EXAMPLE], {
      env: {
        WIRESPAN_METRICS_INTERVAL: "500ms",
        WIRESPAN_CONTROL_SOCKET: "",
        WIRESPAN_FILTER_INCLUDE_NETNS: String(inodeOf(netns)),
        WIRESPAN_EXPORTERS_DATADOG_ENDPOINT: collector.grpc,
      },
    });
    const lines = await run(netns, "clientCloses", { count: COUNT, up: 4321, down: 1234 });
    const [client] = pick(lines, "end", "client");
    const { code, stderr } = await agent.stop();
    assert.equal(code, 0, stderr.join("\n"));
    const ends = () => intake.spans.filter(({ resource }) => resource === "tcp connection");
    await until("both ends of each connection", () => ends().length >= 2 * COUNT);
    assert.equal(ends().length, 2 * COUNT);
    assert.deepEqual([...intake.keys], [KEY]);
    const opened = ends().filter(({ metrics }) => metrics.get("process.pid") === client!.pid);
    assert.equal(opened.length, COUNT);
    for (const span of opened) {
      assert.equal(span.metrics.get("wirespan.tcp.bytes_sent"), 4321);
      assert.equal(span.metrics.get("wirespan.tcp.bytes_received"), 1234);
      const children = ends().filter(({ parentId }) => parentId === span.spanId);
      assert.deepEqual(
        children.map(({ traceId }) => traceId),
        [span.traceId],
      );
    }
    const closed = () => intake.points.filter(({ metric }) => metric === "wirespan.tcp.connection.closed");
    const sum = () => closed().reduce((all, { value }) => all + value, 0);
    await until("all closed connections", () => sum() >= 2 * COUNT);
    assert.equal(sum(), 2 * COUNT);
    await until("the listener's events", () => intake.events.length >= 2);
    assert.deepEqual(intake.events.toSorted(), ["wirespan.socket.listen", "wirespan.socket.listener.end"]);
    assert.ok(intake.paths.has("/api/beta/sketches"), "histograms are distributions");
  });
});
