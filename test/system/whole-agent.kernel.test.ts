// The agent with every plugin, compared with the plugins' declarations and with its own counters.
import assert from "node:assert/strict";
import { INTERNAL_TELEMETRY } from "../../agent/internal-telemetry.ts";
import { type Agent, startAgent } from "../support/agent.ts";
import { check } from "../support/conformance.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { declared } from "../support/declared.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { OtlpSink } from "../support/otlp-sink.ts";
import { eventsOf, type Series, seriesOf } from "../support/received.ts";
import { until } from "../support/until.ts";
import { one, run } from "../support/workload.ts";

/** An agent that observes only this namespace: elsewhere, connections may outlive it, whose spans are then missing. */
function startExporting(sink: OtlpSink, only: Netns): Promise<Agent> {
  return startAgent([], {
    config: `version: 1
filter: { include: { netns: ["${inodeOf(only)}"] } }
metrics: { interval: 500ms }
ring: { core: 64MiB }
shutdown: { timeout: 60s }
control: { socket: "" }
exporters:
  sink: { type: otlp_${sink.protocol}, endpoint: "${sink.endpoint}", queue: { bytes: 256MiB } }
`,
  });
}

describe("the agent with every plugin", () => {
  before(function () {
    needsRoot(this);
  });

  for (const protocol of ["grpc", "http"] as const) {
    it(`exports nothing over ${protocol} that differs from its declaration`, async () => {
      await using sink = await OtlpSink.start(protocol);
      await using netns = await Netns.create();
      await using agent = await startExporting(sink, netns);
      for (const name of ["clientCloses", "attempt", "inheritedByChild", "reset", "unread"] as const)
        await run(netns, name, {});
      await run(netns, "clientCloses", { address: "::1" });
      await until("metrics of the agent itself", () =>
        sink.metrics.some((m) => m.name === INTERNAL_TELEMETRY.spans.name),
      );
      const { code, stderr } = await agent.stop();
      assert.equal(code, 0, stderr.join("\n"));
      assert.ok(sink.spans.length >= 10, `${sink.spans.length} spans`);
      assert.deepEqual(check(sink.received, await declared()), []);
    });
  }

  describe("over a burst of 10,000 connections", () => {
    const count = 10_000;
    let series: readonly Series[];
    let sink: OtlpSink;
    /** The namespace's own counters. */
    let moved: Readonly<Record<string, number>>;

    before(async () => {
      await using netns = await Netns.create();
      sink = await OtlpSink.start("grpc");
      await using agent = await startExporting(sink, netns);
      moved = await netns.moved(async () => {
        const lines = await run(netns, "burst", { count, limit: 100_000 });
        assert.equal(one(lines, "summary", "client").connections, count);
        await netns.settled();
      });
      const { code, stderr } = await agent.stop();
      assert.equal(code, 0, stderr.join("\n"));
      series = seriesOf(sink.received);
    });

    after(() => sink?.[Symbol.asyncDispose]());

    /** The sum of a metric's series with these attributes. */
    const sum = (name: string, of: Readonly<Record<string, unknown>> = {}) =>
      series
        .filter((s) => s.name === name)
        .filter((s) => Object.entries(of).every(([key, value]) => s.attributes[key] === value))
        .reduce((all, { value }) => all + value, 0);
    const counted = (plugin: string, kind: string) =>
      sum(INTERNAL_TELEMETRY.events.name, {
        "wirespan.plugin.name": plugin,
        "wirespan.agent.event.kind": kind,
      });

    /** Connection ends whose end was shown to no program, or for which the kernel had no memory. */
    const lost = () => sum(INTERNAL_TELEMETRY.lost.name);
    /** Events that no program was shown: without any, all of a connection is reported. */
    const unseen = () => sum(INTERNAL_TELEMETRY.unseen.name) + counted("connections", "lost_connections");

    const counts = () =>
      JSON.stringify(
        series.filter(
          ({ name, value }) =>
            value && (name === INTERNAL_TELEMETRY.events.name || name === INTERNAL_TELEMETRY.bpfMisses.name),
        ),
      );

    it("exports or counts every span", () => {
      const noRoom = counted("connections", "lost_spans");
      assert.equal(counted("connections", "seen_spans"), sink.spans.length + noRoom, "seen = arrived + lost");
      assert.equal(noRoom, 0);
      const ends = sink.spans.filter(({ name }) => name === "tcp connection");
      assert.equal(ends.length + lost(), 2 * count, counts());
      const handshakes = sink.spans.length - ends.length;
      assert.ok(handshakes <= 2 * count, `${handshakes}: the connect, the accept`);
      assert.ok(handshakes >= 2 * count - unseen(), `${handshakes} of ${2 * count}; ${counts()}`);
      assert.equal(new Set(sink.spans.map((s) => `${s.traceId} ${s.spanId}`)).size, sink.spans.length);
    });

    it("exports or counts every event of every plugin", () => {
      const kinds = series
        .filter(({ name }) => name === INTERNAL_TELEMETRY.events.name)
        .map(({ attributes }) => attributes);
      for (const { "wirespan.plugin.name": plugin, "wirespan.agent.event.kind": kind } of kinds) {
        const of = /^seen_(.*)/.exec(String(kind))?.[1];
        if (of === undefined || plugin === "connections") continue;
        // Connections that a busy listener rejects are reported without records: the kernel only counts them.
        const arrived = eventsOf(sink.received).filter(({ scope, attributes }) => {
          return (
            scope === `wirespan.${plugin}` && attributes["wirespan.packet.drop.reason"] !== "LISTEN_DROP"
          );
        }).length;
        const gone = counted(String(plugin), `lost_${of}`) + counted(String(plugin), `suppressed_${of}`);
        assert.equal(counted(String(plugin), String(kind)), arrived + gone, `${plugin}: ${kind}`);
      }
    });

    it("balances for every plugin that counts connections", () => {
      const way = "network.io.direction";
      const to = { "wirespan.subnet.name": "127.0.0.1/32" };
      for (const [name, of, expected] of [
        ["wirespan.tcp.connect.attempts", {}, count],
        ["wirespan.tcp.connect.duration", {}, count],
        ["wirespan.tcp.connection.accepted", {}, count],
        ["wirespan.tcp.accept.duration", {}, count],
        ["wirespan.tcp.connection.closed", {}, 2 * count - lost()],
        ["wirespan.tcp.connection.duration", {}, 2 * count],
        ["wirespan.tcp.io", { [way]: "transmit" }, count],
        ["wirespan.tcp.io", { [way]: "receive" }, count],
        ["wirespan.tcp.process.io", { [way]: "transmit" }, count],
        ["wirespan.tcp.process.io", { [way]: "receive" }, count],
        ["wirespan.tcp.subnet.io", { ...to, [way]: "transmit" }, count],
        ["wirespan.tcp.subnet.io", { ...to, [way]: "receive" }, count],
        ["wirespan.tcp.subnet.connections", to, 2 * count],
        ["wirespan.tcp.state.duration", { "network.connection.state": "established" }, 2 * count],
        ["wirespan.tcp.state.duration", { "network.connection.state": "syn_sent" }, count],
        ["wirespan.tcp.retransmits", {}, moved["Tcp.RetransSegs"] ?? 0],
      ] as const) {
        const reported = sum(name, of);
        const off = Math.abs(reported - expected);
        // For one end or attempt, at most all of its spans are missing.
        const most = name === "wirespan.tcp.connection.closed" ? 0 : unseen();
        assert.ok(
          off <= most,
          `${name} ${JSON.stringify(of)}: ${reported}, not ${expected}; ${most} unseen; ${counts()}`,
        );
      }
    });
  });
});
