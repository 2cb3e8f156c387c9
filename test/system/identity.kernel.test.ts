// The identity of sums and spans: one workload for each process, the same in both, from the first byte to the last.
import assert from "node:assert/strict";
import { isImage } from "../../core/bridge/workload-rows.ts";
import { countersOf } from "../../core/engine/readings.ts";
import type { Metric, Point, Resource } from "../../core/plugin/signals.ts";
import { Cgroup } from "../support/cgroup.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { type Watch, watch } from "../support/engine.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { build, one, pick, run, start } from "../support/workload.ts";

/** The sum of a metric's points by Resource. */
function sums(metrics: readonly Metric[], name: string, of: (point: Point) => boolean = () => true) {
  const sums = new Map<Resource, number>();
  for (const { spec, resource, points } of metrics) {
    if (spec.name !== name) continue;
    for (const point of points.filter(of)) {
      const value = typeof point.value === "number" ? point.value : point.value.count;
      sums.set(resource, (sums.get(resource) ?? 0) + value);
    }
  }
  return sums;
}

const sent = ({ attributes }: Point) => attributes["network.io.direction"] === "transmit";

/** By service and version: each of its programs is a separate instance. */
function said(all: ReadonlyMap<Resource, number>): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [{ attributes: a }, value] of all) {
    const name = [a["service.name"], a["service.version"]].filter(Boolean).join(" ");
    if (value > 0) sums[name] = (sums[name] ?? 0) + value;
  }
  return sums;
}

const cart = (version: number) => ({
  OTEL_SERVICE_NAME: "cart",
  OTEL_RESOURCE_ATTRIBUTES: `service.version=${version}`,
});

describe("the identity of sums", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  const plugins = ["tcplife", "tcptop", "tcpconnlat", "tcpconnect", "tcpaccept", "tcpstates"];
  /** An idle agent: one that is still starting may only read a process after it has ended. */
  async function watchIn(netns: Netns): Promise<Watch> {
    const watched = await watch(plugins, { "filter.include.netns": String(inodeOf(netns)) });
    await watched.collect();
    return watched;
  }

  it("two versions of one service, and another, in one cgroup, are distinguished to the byte", async function () {
    await using netns = await Netns.create();
    await using cgroup = Cgroup.create(this);
    await using watched = await watchIn(netns);
    const truth: Record<string, number> = {};
    for (const [name, options] of [
      ["cart 1", { env: cart(1), up: 1000, count: 3 }],
      ["cart 2", { env: cart(2), up: 600, count: 4 }],
      ["web", { env: { OTEL_SERVICE_NAME: "web" }, up: 70, count: 5 }],
    ] as const) {
      const lines = await run(netns, "serverCloses", { cgroup, linger: 2000, ...options });
      truth[name] = pick(lines, "end").reduce((sum, end) => sum + end.sent, 0);
      await watched.collect();
    }
    await watched.until("24 connections' spans", () => {
      return watched.spans.filter(({ name }) => name === "tcp connection").length >= 24;
    });
    for (let i = 0; i < 3; i++) {
      const metrics = await watched.collect();
      assert.deepEqual(said(sums(metrics, "wirespan.tcp.io", sent)), truth);
      for (const name of [
        ...["wirespan.tcp.connect.attempts", "wirespan.tcp.connection.accepted"],
        ...["wirespan.tcp.connect.duration", "wirespan.tcp.accept.duration"],
      ]) {
        assert.deepEqual(said(sums(metrics, name)), { "cart 1": 3, "cart 2": 4, web: 5 }, name);
      }
      assert.deepEqual(said(sums(metrics, "wirespan.tcp.connection.closed")), {
        "cart 1": 6,
        "cart 2": 8,
        web: 10,
      });
      // For spans and metrics alike: the same object, hence the same attributes.
      const spans = new Set(watched.spans.map(({ resource }) => resource));
      assert.equal(spans.size, 6, "client and server of three");
      for (const resource of sums(metrics, "wirespan.tcp.io").keys()) assert.ok(spans.has(resource));
    }
  });

  it("what was counted before the agent read a process is added to what is counted afterwards", async () => {
    await using netns = await Netns.create();
    await using watched = await watchIn(netns);
    await using running = await start(netns, "held", { up: 1000, env: cart(3) });
    await running.until("opened");
    const before = sums(await watched.collect(), "wirespan.tcp.io", sent);
    running.goOn();
    const client = one(await running.done(), "end", "client");
    let last = before;
    for (let i = 0; i < 4; i++) {
      const now = sums(await watched.collect(), "wirespan.tcp.io", sent);
      for (const [resource, value] of last) assert.ok((now.get(resource) ?? 0) >= value, "no sum falls");
      last = now;
    }
    assert.deepEqual(said(last), { "cart 3": client.sent });
  });

  it("many short processes leave nothing behind in the kernel's tables, and nothing is lost", async () => {
    await using netns = await Netns.create();
    await using watched = await watchIn(netns);
    await run(netns, "shortLived", { env: { OTEL_SERVICE_NAME: "short" } });
    const connects = () => watched.spans.filter(({ name }) => name === "tcp connect");
    await watched.until("all spans", () => connects().length >= 500);
    for (let i = 0; i < 3; i++) {
      const attempts = sums(await watched.collect(), "wirespan.tcp.connect.attempts");
      assert.equal(
        [...attempts.values()].reduce((a, b) => a + b, 0),
        500,
      );
    }
    const { overflows = 0 } = countersOf(watched.engine.readers).tcpconnect ?? {};
    assert.equal(overflows, 0);
    const table = watched.engine.runners
      .find((host) => host.plugin.name === "tcpconnect")!
      .loaded.object.map("attempts");
    const keys = new Uint8Array(table.maxEntries * table.keySize);
    const count = table.read(keys, new Uint8Array(table.maxEntries * table.valueSize));
    const view = new DataView(keys.buffer);
    const numbers = Array.from({ length: count }, (_, i) => view.getUint32(i * table.keySize, true));
    assert.deepEqual(numbers.filter(isImage), []);
  });
});
