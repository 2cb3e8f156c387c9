// A backend that goes down under load and comes back: nothing is lost, nothing grows without limit, and the agent does
// not report its own attempts to reach it.
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type Agent, startAgent } from "../support/agent.ts";
import { size } from "../support/long.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { until } from "../support/until.ts";
import { one, start } from "../support/workload.ts";
import { type Collector, startCollector } from "./collector.ts";
import { needBackends } from "./find.ts";
import { attributesOf } from "./otlp.ts";

const RATE = 500;
const OUTAGE_S = size(20, 60);

/** Excludes other traffic on the host. */
function startExporting(collector: Collector, netns: Netns): Promise<Agent> {
  return startAgent(["--plugin", "tcplife"], {
    config: `version: 1
filter: { include: { netns: ["${statSync(netns.path).ino}"] } }
control: { socket: "" }
metrics: { interval: 1s }
shutdown: { timeout: 60s }
exporters:
  collector: { type: otlp_grpc, endpoint: "${collector.grpc}" }
`,
  });
}

describe("an agent during a backend outage", () => {
  before(function () {
    needsRoot(this);
    needBackends(this, "collector");
  });

  it(`loses no span in ${OUTAGE_S} s without a backend under 500 connections a second, and keeps their order`, async () => {
    await using collector = await startCollector();
    await using netns = await Netns.create();
    await using agent = await startExporting(collector, netns);
    const load = await start(netns, "paced", { rate: RATE, seconds: OUTAGE_S + 8, limit: 180_000 });
    await sleep(3000);
    await collector.service.stop();
    await sleep(OUTAGE_S * 1000);
    await collector.service.restart();
    const back = performance.now();
    const known = (await collector.spans()).length;
    await until(
      "the first spans after the outage",
      async () => (await collector.spans()).length > known,
      10_000,
    );
    const recovery = performance.now() - back;
    const lines = await load.done();
    const ended = await agent.stop();
    assert.equal(ended.code, 0, ended.stderr.join("\n"));
    const count = one(lines, "summary", "client").connections;
    assert.ok(count >= RATE * OUTAGE_S * 0.5, `${count} connections were made`);

    const pids = new Set(lines.map((line) => BigInt(line.pid)));
    const spans = (await collector.spans()).filter((s) =>
      pids.has(attributesOf(s.item.attributes)["process.pid"] as bigint),
    );
    const said = ended.stderr.slice(-5).join("\n");
    assert.equal(spans.length, count * 2, `both ends of every connection arrived, once; the agent: ${said}`);
    assert.equal(new Set(spans.map((s) => `${s.item.traceId} ${s.item.spanId}`)).size, count * 2);
    // A request is grouped by resource: each process's spans are in order.
    for (const pid of pids) {
      const own = spans.filter((s) => attributesOf(s.item.attributes)["process.pid"] === pid);
      const ends = own.map((s) => BigInt(s.item.endTimeUnixNano));
      const late = ends.filter((end, i) => i > 0 && ends[i - 1]! - end > 1_000_000_000n);
      assert.equal(late.length, 0, `of ${pid} none arrived behind one that ended a second or more after it`);
    }
    assert.ok(recovery < 10_000, `recovered in ${recovery} ms`);
    const own = (await collector.spans()).filter(
      (s) => attributesOf(s.item.attributes)["process.pid"] === BigInt(agent.pid),
    );
    assert.equal(own.length, 0, "the agent's own attempts are no spans");
  });
});
