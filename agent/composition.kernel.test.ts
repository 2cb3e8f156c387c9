// The agent with one of its parts replaced through the composition root.
import assert from "node:assert/strict";
import { uptime } from "node:os";
import { loadConfig } from "../config/load.ts";
import { BootClock } from "../core/bridge/clock.ts";
import { importPlugins } from "../core/engine/discover.ts";
import { parts } from "../core/engine/parts.ts";
import { createLog } from "../core/plugin/log.ts";
import type { Metric, Sink, Span } from "../core/plugin/signals.ts";
import type { Exporter, Kind } from "../exporters/exporter.ts";
import { inodeOf } from "../test/support/connection-ends.ts";
import { Netns, needsRoot } from "../test/support/netns.ts";
import { until } from "../test/support/until.ts";
import { build, run } from "../test/support/workload.ts";
import { agentParts, composeAgent, exporterToken } from "./composition.ts";

/** Stores what it receives; everything is acknowledged immediately. */
class Memory implements Exporter, Sink {
  readonly name = "console";
  readonly type = "memory";
  readonly queue = { bytes: 0, limit: 0 };
  readonly spans: Pick<Span, "start" | "end" | "attributes">[] = [];
  readonly metricNames = new Set<string>();
  readonly ended: string[] = [];

  span({ start, end, attributes }: Span): void {
    this.spans.push({ start, end, attributes });
  }
  event(): void {}
  metrics(metrics: readonly Metric[]): void {
    for (const { spec } of metrics) this.metricNames.add(spec.name);
  }
  componentType(kind: Kind): string {
    return `memory_${kind}_exporter`;
  }
  counts() {
    const lost = { queue_full: 0, rejected: 0, unconfirmed: 0, shutdown_timeout: 0, encode: 0 };
    return { given: this.spans.length, acknowledged: this.spans.length, queued: 0, lost };
  }
  async flush(): Promise<void> {}
  async refresh(): Promise<readonly string[]> {
    return [];
  }
  async shutdown(): Promise<void> {
    this.ended.push("exporter");
  }
}

async function composition() {
  const { plugins } = await importPlugins(["tcplife"]);
  const config = loadConfig({
    env: {},
    flags: [
      { path: "control.socket", value: "", flag: "--set" },
      { path: "viewer.enabled", value: "false", flag: "--set" },
    ],
    plugins,
  });
  const container = composeAgent({
    config,
    plugins,
    log: createLog({ level: "error", format: "json" }),
    live: () => assert.fail("there is no terminal"),
    reread: () => assert.fail("nobody reloads"),
    onPage: () => {},
  });
  const memory = new Memory();
  container.provide(exporterToken("console"), async () => ({ exporter: memory, sink: memory }));
  return { container, memory };
}

describe("the agent's parts", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  it("can be replaced one by one: an exporter in memory, and a clock that starts at boot", async () => {
    const { container, memory } = await composition();
    container.provide(parts.clock, (from) => {
      const native = from.resolve(parts.native);
      return new BootClock({ bootOffset: () => ({ sec: 0, nsec: 0 }), bootNow: () => native.bootNow() });
    });
    await using netns = await Netns.create();
    {
      await using _ = container;
      const engine = await container.resolve(parts.engine);
      const fanout = await container.resolve(agentParts.exporters);
      assert.deepEqual(fanout.exporters, [memory]);
      engine.run(fanout);
      const telemetry = await container.resolve(agentParts.telemetry);
      await run(netns, "clientCloses");
      const ours = () =>
        memory.spans.filter(({ attributes }) => attributes["wirespan.netns.inode"] === inodeOf(netns));
      await until("both ends", () => {
        engine.drain();
        return ours().length === 2;
      });
      for (const { start, end } of ours()) {
        assert.ok(
          start.sec > 0 && start.sec <= end.sec && end.sec <= uptime(),
          JSON.stringify({ start, end }),
        );
      }
      fanout.metrics([...(await engine.collect()), ...telemetry(engine.clock.bootNow())]);
      assert.ok(memory.metricNames.has("wirespan.agent.events"));
      assert.ok(memory.metricNames.has("wirespan.tcp.connection.duration"), [...memory.metricNames].join());
      assert.deepEqual(memory.ended, []);
    }
    assert.deepEqual(memory.ended, ["exporter"]);
  });

  it("are not created until something requires them", async () => {
    const { container, memory } = await composition();
    container.provide(parts.engine, () => assert.fail("nobody asked for the engine"));
    {
      await using _ = container;
      await container.resolve(agentParts.exporters);
    }
    assert.deepEqual(memory.ended, ["exporter"]);
  });
});
