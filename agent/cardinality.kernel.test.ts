// Settings that add a dimension to metrics: `config print` forecasts the number of series correctly.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { loadConfig } from "../config/load.ts";
import { importPlugins } from "../core/engine/discover.ts";
import { inodeOf } from "../test/support/connection-ends.ts";
import { watch } from "../test/support/engine.ts";
import { combinations, type Met } from "../test/support/forecast.ts";
import { Netns, needsRoot } from "../test/support/netns.ts";
import { build, type Line, netnsCookie, pick, run } from "../test/support/workload.ts";
import { type ExpectedSeries, expectedSeries } from "./cardinality.ts";

type Values = Readonly<Record<string, string>>;

async function forecast(plugin: string, settings: Values): Promise<readonly ExpectedSeries[]> {
  const { plugins } = await importPlugins([plugin]);
  const flags = Object.entries(settings).map(([path, value]) => ({ path, value, flag: path }));
  return expectedSeries(loadConfig({ env: {}, flags, plugins }), plugins);
}

/** A metric's series, forecast and found, while `work` returns what there was. */
async function compare(
  plugin: string,
  metric: string,
  settings: Values,
  work: () => Promise<readonly Met[]>,
) {
  const row = (await forecast(plugin, settings)).find((one) => one.metric === metric)!;
  await using watched = await watch([plugin], settings);
  const met = await work();
  const metrics = (await watched.collect()).filter(({ spec }) => spec.name === metric);
  const foretold = row.expected * combinations(row, met);
  return { foretold, found: metrics.flatMap(({ points }) => points).length, limit: row.series };
}

/** The clients' ends of a workload's connections. */
function clients(lines: readonly Line[], more: Met = {}): readonly Met[] {
  return pick(lines, "end", "client").map((line) => ({
    "process.executable.name": "pcli",
    "network.type": "ipv4",
    "wirespan.connection.direction": "outbound",
    "network.local.address": line.local,
    "network.local.port": line.localPort,
    "network.peer.address": line.remote,
    "network.peer.port": line.remotePort,
    ...more,
  }));
}

describe("the forecast of series", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  for (const [more, series] of [
    [{}, 2],
    [{ "plugins.tcpconnect.sourcePorts": "true" }, 6],
  ] as const) {
    const names = ["plugins.tcpconnect.flows", ...Object.keys(more)].join(" and ");
    it(`holds for attempts by address: ${names}`, async () => {
      await using netns = await Netns.create();
      const settings = {
        "filter.include.netns": String(inodeOf(netns)),
        "plugins.tcpconnect.flows": "true",
        ...more,
      };
      const work = async () => {
        const two = [
          await run(netns, "clientCloses", { port: 7001, count: 3 }),
          await run(netns, "clientCloses", { port: 7002, count: 3 }),
        ];
        return two.flatMap((lines) => clients(lines));
      };
      const { foretold, found } = await compare(
        "tcpconnect",
        "wirespan.tcp.connect.attempts",
        settings,
        work,
      );
      assert.deepEqual([foretold, found], [series, series]);
    });
  }

  it("holds for retransmissions by connection: plugins.tcpretrans.flows", async () => {
    await using netns = await Netns.create();
    const settings = {
      "filter.include.netns": String(inodeOf(netns)),
      "plugins.tcpretrans.flows": "true",
    };
    const cookie = await netnsCookie(netns);
    const work = async () => {
      await netns.rule("input", "tcp dport 9103", "drop");
      const met: Met[] = [];
      for (let i = 0; i < 3; i++) {
        const lines = await run(netns, "attempt", { port: 9103, synRetries: 1, sourcePort: 20_000 + i });
        met.push(...clients(lines, { "wirespan.netns.cookie": cookie, "network.local.port": 20_000 + i }));
      }
      return met;
    };
    const metric = "wirespan.tcp.flow.retransmits";
    const { foretold, found, limit } = await compare("tcpretrans", metric, settings, work);
    assert.deepEqual([foretold, found], [3, 3]);
    assert.equal(limit, 2000, "metrics.maxSeries");
    const [off] = (await forecast("tcpretrans", {})).filter((row) => row.metric === metric);
    assert.deepEqual([off?.series, off?.expected], [0, 0]);
  });

  it("holds for softirqs by CPU: plugins.softirqs.perCpu", async () => {
    const work = async () => {
      const before = runs();
      await using netns = await Netns.create();
      await run(netns, "clientCloses", { count: 50 });
      const after = runs();
      return [...after]
        .filter(([key, count]) => count > (before.get(key) ?? 0))
        .map(([key]) => {
          const [vector, cpu] = key.split(" ");
          return { "wirespan.softirq.vector": vector, "cpu.logical_number": Number(cpu) };
        });
    };
    const settings = { "plugins.softirqs.perCpu": "true" };
    const { foretold, found } = await compare("softirqs", "wirespan.softirq.runs", settings, work);
    // What ran for the first time between the readings, before or after.
    assert.ok(Math.abs(found - foretold) <= 2, `${foretold} foretold, ${found} found`);
    const plain = await compare("softirqs", "wirespan.softirq.runs", {}, work);
    assert.ok(plain.found < found, `${plain.found} without`);
  });

  it("bounds processes: plugins.tcptop.processes", async () => {
    await using netns = await Netns.create();
    const settings = { "filter.include.netns": String(inodeOf(netns)), "plugins.tcptop.processes": "5" };
    const { found, limit } = await compare("tcptop", "wirespan.tcp.process.io", settings, async () => {
      await run(netns, "shortLived", { count: 30 });
      return [];
    });
    assert.deepEqual([found, limit], [12, 12]);
  });
});

/** Runs of each vector on each CPU since boot. */
function runs(): ReadonlyMap<string, number> {
  const [head = "", ...lines] = readFileSync("/proc/softirqs", "utf8").trim().split("\n");
  const cpus = head.trim().split(/\s+/);
  return new Map(
    lines.flatMap((line) => {
      const [name = "", ...counts] = line.trim().split(/:?\s+/);
      return cpus.map((cpu, i): [string, number] => [
        `${name.toLowerCase()} ${cpu.slice(3)}`,
        Number(counts[i]),
      ]);
    }),
  );
}
