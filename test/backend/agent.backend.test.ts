// End to end: real programs, the real agent, a real Collector and a real Jaeger, and what they received.
import assert from "node:assert/strict";
import { startAgent } from "../support/agent.ts";
import { type AppEnd, exchange, type Language, missing } from "../support/apps.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { skip } from "../support/skip.ts";
import { softirqRuns } from "../support/softirqs.ts";
import { until } from "../support/until.ts";
import { startCollector } from "./collector.ts";
import { needBackends } from "./find.ts";
import { startJaeger } from "./jaeger.ts";
import { attributesOf, type Span, type Under } from "./otlp.ts";

const LANGUAGES: readonly Language[] = ["node", "python", "go"];

/** The span for the end that an application reported. */
function find(spans: readonly Under<Span>[], end: AppEnd): Under<Span> | undefined {
  return spans.find(({ item }) => {
    const a = attributesOf(item.attributes);
    return a["process.pid"] === BigInt(end.pid) && a["network.local.port"] === BigInt(end.localPort);
  });
}

function assertEnd({ resource, item }: Under<Span>, end: AppEnd, service: string): void {
  const a = attributesOf(item.attributes);
  assert.equal(resource["service.name"], service);
  assert.equal(a["wirespan.tcp.bytes_sent"], BigInt(end.sent));
  assert.equal(a["wirespan.tcp.bytes_received"], BigInt(end.received));
  assert.equal(a["network.local.address"], end.local);
  assert.equal(a["network.peer.address"], end.remote);
  assert.equal(a["network.peer.port"], BigInt(end.remotePort));
}

describe("an agent that exports to a Collector and to Jaeger", () => {
  before(function () {
    needsRoot(this);
    needBackends(this, "collector", "jaeger");
    const absent = LANGUAGES.map(missing).find((reason) => reason !== undefined);
    if (absent) skip(this, absent);
  });

  it("reports one trace per connection with both ends, and softirqs that agree with /proc", async () => {
    await using collector = await startCollector();
    await using jaeger = await startJaeger();
    await using netns = await Netns.create();
    const before = softirqRuns();
    await using agent = await startAgent([], {
      config: `version: 1
metrics: { interval: 1s }
exporters:
  jaeger: { type: otlp_grpc, endpoint: "${jaeger.grpc}", signals: [traces] }
  collector: { type: otlp_http, endpoint: "${collector.http}" }
`,
    });
    const exchanges: { ends: Awaited<ReturnType<typeof exchange>>; services: [string, string] }[] = [];
    for (const [i, client] of LANGUAGES.entries()) {
      const server = LANGUAGES[(i + 1) % LANGUAGES.length]!;
      for (const address of ["127.0.0.1", "::1"]) {
        const env = {
          client: { OTEL_SERVICE_NAME: `shop-${client}` },
          server: { OTEL_RESOURCE_ATTRIBUTES: `service.name=store-${server}` },
        };
        const ends = await exchange(netns, { client, server }, { address, env });
        exchanges.push({ ends, services: [`shop-${client}`, `store-${server}`] });
      }
    }

    for (const { ends, services } of exchanges) {
      const [opener, acceptor] = await until("both ends in the Collector's file", async () => {
        const spans = (await collector.spans()).filter((s) => s.item.name === "tcp connection");
        const found = [find(spans, ends.client), find(spans, ends.server)] as const;
        return found[0] && found[1] ? ([found[0], found[1]] as const) : undefined;
      });
      assertEnd(opener, ends.client, services[0]);
      assertEnd(acceptor, ends.server, services[1]);
      const { traceId } = opener.item;
      const trace = await until("both ends in Jaeger", async () => {
        const spans = (await jaeger.trace(traceId)).filter((s) => s.item.name === "tcp connection");
        return spans.length === 2 ? spans : undefined;
      });
      const [first, second] = [find(trace, ends.client)!, find(trace, ends.server)!];
      assertEnd(first, ends.client, services[0]);
      assertEnd(second, ends.server, services[1]);
      assert.ok(!first.item.parentSpanId, "the opener's span is the root");
      assert.equal(second.item.parentSpanId, first.item.spanId);
    }

    const runs = await until("softirqs in the Collector's file", async () =>
      (await collector.metrics()).findLast((m) => m.item.name === "wirespan.softirq.runs"),
    );
    const after = softirqRuns();
    const points = runs.item.sum!.dataPoints;
    assert.ok(points.length > 2, "several vectors ran");
    for (const point of points) {
      const vector = String(attributesOf(point.attributes)["wirespan.softirq.vector"]);
      const count = Number(point.asInt ?? point.asDouble);
      const most = after.get(vector)! - before.get(vector)!;
      assert.ok(count > 0 && count <= most, `${vector}: ${count} runs, and at most ${most} by proc`);
    }
    const ended = await agent.stop();
    assert.equal(ended.code, 0, ended.stderr.join("\n"));
  });
});
