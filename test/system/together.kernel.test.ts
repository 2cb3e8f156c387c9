// With all plugins at once, each reports the same as it does alone.
import assert from "node:assert/strict";
import { importPlugins, installedPlugins } from "../../core/engine/discover.ts";
import type { Plugin } from "../../core/plugin/plugin.ts";
import type { Metric } from "../../core/plugin/signals.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { watch } from "../support/engine.ts";
import { mixedTraffic } from "../support/mixed-traffic.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { type Report, reportOf } from "../support/report.ts";
import { leastTraced, softirqRuns } from "../support/softirqs.ts";
import { build } from "../support/workload.ts";

/**
 * Everything that can be reported without a limit. The acceptor is known in the same way with and without tcpaccept.
 */
const settings: Readonly<Record<string, string>> = {
  "connections.accept": "syscall",
  "plugins.tcpstates.events": "true",
  "plugins.tcpdrop.eventRate": "1000",
  "plugins.tcpretrans.eventRate": "1000",
  "plugins.solisten.everyCall": "true",
  "plugins.netqtop.loopback": "true",
};
/** Bytes. */
const linkHeader = 14;

/** One observation of the same workload. */
interface Observed {
  readonly reports: ReadonlyMap<string, Report>;
  /** The loopback's traffic. */
  readonly carried: { readonly bytes: number; readonly packets: number };
  /** For each softirq vector: the reported number, and the kernel's lower and upper bound for it. */
  readonly runs: readonly (readonly [vector: string, least: number, reported: number, most: number])[];
}

const moved = (from: ReadonlyMap<string, number>, to: ReadonlyMap<string, number>, key: string) =>
  (to.get(key) ?? 0) - (from.get(key) ?? 0);

function runsIn(metrics: readonly Metric[]): ReadonlyMap<string, number> {
  const points = metrics.filter(({ spec }) => spec.name === "wirespan.softirq.runs").flatMap((m) => m.points);
  return new Map(
    points.map((p) => [String(p.attributes["wirespan.softirq.vector"]), p.value as number] as const),
  );
}

async function observe(plugins: readonly Plugin[]): Promise<Observed> {
  await using netns = await Netns.create();
  const inode = inodeOf(netns);
  const names = plugins.map(({ name }) => name);
  const own = Object.entries(settings).filter(([path]) => {
    const [group, plugin] = path.split(".");
    return group !== "plugins" || names.includes(plugin!);
  });
  await using seen = await watch(names, {
    ...Object.fromEntries(own),
    "filter.include.netns": String(inode),
  });
  const outer = [softirqRuns()];
  const first = runsIn(await seen.collect());
  const inner = [softirqRuns()];
  const before = await netns.loopback();
  await mixedTraffic(netns);
  const after = await netns.loopback();
  const carried = { packets: after.packets - before.packets, bytes: after.bytes - before.bytes };
  inner.push(softirqRuns());
  seen.engine.drain();
  const metrics = await seen.collect();
  outer.push(softirqRuns());
  const { spans, events } = seen;
  const last = runsIn(metrics);
  return {
    reports: new Map(plugins.map((p) => [p.name, reportOf(p, { spans, events, metrics }, inode)])),
    carried,
    runs: [...outer[0]!.keys()].map((vector) => {
      const [least, most] = [inner, outer].map(([from, to]) => moved(from!, to!, vector));
      return [vector, least!, moved(first, last, vector), most!];
    }),
  };
}

describe("all plugins at once", () => {
  let plugins: readonly Plugin[];
  let together: Observed;
  const reported = new Map<string, Report>();

  /** What one plugin reports alone. */
  async function alone(name: string): Promise<Observed> {
    const observed = await observe(plugins.filter((plugin) => plugin.name === name));
    reported.set(name, observed.reports.get(name)!);
    return observed;
  }

  before(async function () {
    needsRoot(this);
    await build();
    ({ plugins } = await importPlugins(installedPlugins()));
    together = await observe(plugins);
  });

  const byKernel = ["netqtop", "softirqs"];
  for (const name of installedPlugins().filter((name) => !byKernel.includes(name))) {
    it(`report the same for ${name} as it reports alone`, async () => {
      const { spans, ...rest } = (await alone(name)).reports.get(name)!;
      const { spans: allSpans, ...allRest } = together.reports.get(name)!;
      assert.deepEqual(allRest, rest);
      // Other plugins may request more of the same spans.
      for (const [span, all] of Object.entries(spans)) {
        const left = [...allSpans[span]!];
        const missing = all.filter(
          (one) => !left.includes(one) || left.splice(left.indexOf(one), 1).length === 0,
        );
        assert.deepEqual(missing, []);
      }
    });
  }

  it("report no span that no plugin reports alone", () => {
    for (const { spans } of together.reports.values()) {
      for (const [span, all] of Object.entries(spans)) {
        const most = Math.max(...[...reported.values()].map((report) => report.spans[span]?.length ?? 0));
        assert.equal(all.length, most, span);
      }
    }
  });

  // The number of packets for the same workload varies, so the comparison is with the kernel's own counters.
  it("do not change netqtop's packets and bytes of the interface", async () => {
    for (const { reports, carried } of [await alone("netqtop"), together]) {
      const sum = (metric: string, way: string) =>
        Object.entries(reports.get("netqtop")!.metrics)
          .filter(([key]) => key.startsWith(`${metric} `) && key.includes(`"${way}"`))
          .reduce((all, [, value]) => all + value, 0);
      for (const way of ["transmit", "receive"]) {
        assert.equal(sum("wirespan.netdev.queue.packets", way), carried.packets);
        assert.equal(sum("wirespan.netdev.queue.frames", way), carried.packets);
        assert.equal(sum("wirespan.netdev.queue.io", way), carried.bytes + linkHeader * carried.packets);
      }
    }
  });

  it("do not change the runs that softirqs counts", async () => {
    for (const { runs } of [await alone("softirqs"), together]) {
      for (const [vector, least, reported, most] of runs) {
        const enough = leastTraced(least) <= reported && reported <= most;
        assert.ok(enough, `${vector}: ${least} <= ${reported} <= ${most}`);
      }
      assert.ok(runs.find(([vector]) => vector === "net_rx")![2] > 0);
    }
  });
});
