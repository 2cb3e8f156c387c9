// The agent with every plugin, held against what plugins declare and against its own account.
import assert from "node:assert/strict";
import { SELF } from "../core/self.ts";
import { type Agent, startAgent } from "./agent.ts";
import { until } from "./backend/until.ts";
import { check } from "./conformance.ts";
import { declared } from "./declared.ts";
import { Netns, needsRoot } from "./netns.ts";
import { OtlpSink } from "./otlp-sink.ts";
import { one, run } from "./workload.ts";

function startExporting(sink: OtlpSink): Promise<Agent> {
  return startAgent([], {
    config: `version: 1
metrics: { interval: 500ms }
control: { socket: "" }
exporters:
  sink: { type: otlp_${sink.protocol}, endpoint: "${sink.endpoint}" }
`,
  });
}

describe("the agent with every plugin", () => {
  before(function () {
    needsRoot(this);
  });

  for (const protocol of ["grpc", "http"] as const) {
    it(`lets nothing leave over ${protocol} that is not as declared`, async function () {
      this.timeout(60_000);
      await using sink = await OtlpSink.start(protocol);
      await using netns = await Netns.create();
      await using agent = await startExporting(sink);
      for (const name of ["n1", "n3", "n13", "n17", "n28"] as const) await run(netns, name, {});
      await run(netns, "n1", { address: "::1" });
      await until("metrics of the agent itself", () => sink.metrics.some((m) => m.name === SELF.spans.name));
      const { code, stderr } = await agent.stop();
      assert.equal(code, 0, stderr.join("\n"));
      assert.ok(sink.spans.length >= 10, `${sink.spans.length} spans`);
      assert.deepEqual(check(sink.received, await declared()), []);
    });
  }

  it("accounts for every span of a burst of 10,000 connections", async function () {
    this.timeout(120_000);
    await using sink = await OtlpSink.start("grpc");
    await using netns = await Netns.create();
    await using agent = await startExporting(sink);
    const summary = one(await run(netns, "n23", { limit: 100_000 }), "summary", "client");
    assert.equal(summary.connections, 10_000);
    const { code, stderr } = await agent.stop();
    assert.equal(code, 0, stderr.join("\n"));
    const ends = sink.spans.filter(
      (s) => s.name === "tcp connection" && s.attributes["process.pid"] !== undefined,
    );
    const ofBurst = ends.filter((s) => Number(s.attributes["process.pid"]) === summary.pid);
    const seen = lastCount(sink, "seen_spans");
    const lost = lastCount(sink, "lost_spans");
    assert.equal(seen, sink.spans.length + lost, "seen = arrived + lost in the ring");
    assert.equal(ofBurst.length + lost >= 10_000, true);
    assert.equal(new Set(sink.spans.map((s) => `${s.traceId} ${s.spanId}`)).size, sink.spans.length);
  });
});

/** The core's own counter, as it last left. */
function lastCount(sink: OtlpSink, kind: string): number {
  const points = sink.metrics
    .filter((m) => m.name === SELF.events.name)
    .flatMap((m) => m.sum?.dataPoints ?? [])
    .filter(
      (p) =>
        p.attributes["wirespan.plugin.name"] === "connections" &&
        p.attributes["wirespan.agent.event.kind"] === kind,
    );
  const last = points.at(-1);
  assert.ok(last, `the agent counts ${kind}`);
  return Number(last.asInt ?? last.asDouble);
}
