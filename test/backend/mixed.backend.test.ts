// All plugins, with the default settings, under a mixed load, into a real Collector's files.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ExpectedSeries } from "../../agent/cardinality.ts";
import { startAgent } from "../support/agent.ts";
import { missing } from "../support/apps.ts";
import { check } from "../support/conformance.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { declared } from "../support/declared.ts";
import { combinations } from "../support/forecast.ts";
import { LANGUAGES, type Mixed, mix } from "../support/mixed.ts";
import { needsRoot, output } from "../support/netns.ts";
import { findNginx } from "../support/nginx.ts";
import type { Export } from "../support/otlp-sink.ts";
import { seriesOf } from "../support/received.ts";
import { skip } from "../support/skip.ts";
import { softirqRuns } from "../support/softirqs.ts";
import { type Pair, pair } from "../support/topology.ts";
import { until } from "../support/until.ts";
import { build } from "../support/workload.ts";
import { startCollector } from "./collector.ts";
import { needBackends } from "./find.ts";

const main = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));

interface Forecast {
  readonly settings: readonly { readonly path: string; readonly shown?: string }[];
  readonly series: readonly ExpectedSeries[];
}

describe("all plugins under a mixed load, into a Collector", () => {
  let exports: readonly Export[];
  let mixed: Mixed;
  let forecast: Forecast;
  let inodes: ReadonlySet<unknown>;

  before(async function () {
    needsRoot(this);
    needBackends(this, "collector");
    const absent = LANGUAGES.map(missing).find((reason) => reason !== undefined);
    if (absent) skip(this, absent);
    if (!findNginx()) skip(this, "no nginx on this machine");
    await build();
    const folder = await mkdtemp(join(tmpdir(), "wirespan-mixed-"));
    try {
      await using net = await pair();
      await watch(net, join(folder, "wirespan.yaml"));
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  async function watch(net: Pair, file: string): Promise<void> {
    inodes = new Set([inodeOf(net.a), inodeOf(net.b)]);
    await using collector = await startCollector();
    await writeFile(
      file,
      `version: 1
filter: { include: { netns: ["${[...inodes].join('", "')}"] } }  # others use this machine, too
metrics: { interval: 1s }
exporters:
  collector: { type: otlp_http, endpoint: "${collector.http}" }
`,
    );
    forecast = JSON.parse(await output(process.execPath, [main, "config", "print", file, "--json"]));
    const before = softirqRuns();
    await using agent = await startAgent(["--config", file]);
    const collections = async () =>
      (await collector.metrics()).filter(({ item }) => item.name === "wirespan.agent.plugin.state").length;
    mixed = await mix(net, async () => {
      const so = await collections();
      // One may be in progress.
      await until("two collections", async () => (await collections()) >= so + 2);
    });
    const { code, stderr } = await agent.stop();
    assert.equal(code, 0, stderr.join("\n"));
    await collector.service.stop();
    exports = await collector.exports();
    const ran = [...softirqRuns()].filter(([name, count]) => count > before.get(name)!);
    const subnets = forecast.settings
      .find(({ path }) => path === "plugins.tcpsubnet.subnets")!
      .shown!.split(",");
    mixed = {
      ...mixed,
      met: [
        ...mixed.met,
        ...ran.map(([vector]) => ({ "wirespan.softirq.vector": vector })),
        ...subnets.map((subnet) => ({ "wirespan.subnet.name": subnet })),
      ],
    };
  }

  it("export nothing that differs from its declaration", async () => {
    const signals = new Set(exports.map(({ signal }) => signal));
    assert.deepEqual([...signals].sort(), ["logs", "metrics", "traces"]);
    assert.deepEqual(check(exports, await declared()), []);
  });

  it("have as many series as `config print` forecasts, within a tenth", () => {
    // Filters of connections do not exclude interfaces of other namespaces, which are not part of this test.
    const own = seriesOf(exports).filter(({ attributes }) => {
      const inode = attributes["wirespan.netns.inode"];
      return inode === undefined || inodes.has(inode);
    });
    const found = Map.groupBy(own, ({ name }) => name);
    const rows = forecast.series.map((row) => {
      return {
        ...row,
        foretold: row.expected * combinations(row, mixed.met),
        found: found.get(row.metric)?.length ?? 0,
      };
    });
    const table = rows.map(
      ({ metric, foretold, found }) => `${metric}: ${foretold} foretold, ${found} found`,
    );
    const unforeseen = [...found.keys()].filter((name) => !rows.some(({ metric }) => metric === name));
    assert.deepEqual(
      unforeseen.filter((name) => name !== "wirespan.bpf.program.misses"),
      [],
    );
    const total = (key: "foretold" | "found") => rows.reduce((sum, row) => sum + row[key], 0);
    const ratio = total("found") / total("foretold");
    assert.ok(
      Math.abs(ratio - 1) <= 0.1,
      `${total("found")} series, ${total("foretold")} foretold\n${table.join("\n")}`,
    );
  });

  it("report each connection once, even if it carries many requests", () => {
    const spans = exports.flatMap((each) =>
      each.signal === "traces"
        ? each.decoded.resourceSpans.flatMap((r) => r.scopeSpans.flatMap(({ spans }) => spans))
        : [],
    );
    const ends = spans.filter(({ name }) => name === "tcp connection").map(({ attributes }) => attributes);
    for (const { pid, localPort, sent, received } of [...mixed.ends, ...mixed.kept]) {
      const own = ends.filter((a) => a["process.pid"] === pid && a["network.local.port"] === localPort);
      assert.deepEqual(
        own.map((a) => [a["wirespan.tcp.bytes_sent"], a["wirespan.tcp.bytes_received"]]),
        [[sent, received]],
      );
    }
    assert.deepEqual(
      mixed.kept.map(({ connections }) => connections),
      [1, 1],
    );
    const nginx = ends.filter((a) => a["process.executable.name"] === "nginx");
    assert.deepEqual(
      nginx.map((a) => [a["wirespan.tcp.bytes_sent"], a["wirespan.tcp.bytes_received"]]).sort(),
      mixed.kept.map(({ sent, received }) => [received, sent]).sort(),
    );
    const failed = ends.filter((a) => a["process.executable.name"] === "pcli").map((a) => a["error.type"]);
    assert.deepEqual(failed.sort(), ["connection_refused", "connection_refused", "timed_out"]);
  });
});
