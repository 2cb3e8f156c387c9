// Reloads under load.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { programsOf } from "../../core/engine/readings.ts";
import type { Metric } from "../../core/plugin/signals.ts";
import { type Native, native } from "../../native/index.ts";
import { MAIN, startAgent } from "../support/agent.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { type Watch, watch } from "../support/engine.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { OtlpSink } from "../support/otlp-sink.ts";
import { until } from "../support/until.ts";
import { one, run, start } from "../support/workload.ts";

const main = fileURLToPath(new URL(`../../${MAIN}`, import.meta.url));
const execute = promisify(execFile);

/** What programs counted and missed, according to the agent's last report. */
function account(sink: OtlpSink): string {
  const last = new Map<string, bigint>();
  for (const { name, sum } of sink.metrics) {
    if (name !== "wirespan.agent.events" && name !== "wirespan.bpf.program.misses") continue;
    for (const { attributes, asInt = 0n } of sum?.dataPoints ?? []) {
      if (asInt > 0n) last.set(`${name} ${Object.values(attributes).join(" ")}`, asInt);
    }
  }
  return [...last].map(([name, value]) => `${name}: ${value}`).join(", ");
}

describe("a reloaded configuration", () => {
  let folder: string;

  before(function () {
    needsRoot(this);
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "wirespan-reload-"));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  const yaml = (sink: OtlpSink, softirqs: boolean, more = "") => `version: 1
metrics: { interval: 300ms }
control: { socket: ${folder}/control.sock }
plugins:
  softirqs: { enabled: ${softirqs} }
  tcpconnlat: { enabled: false }
  tcplife: { enabled: true }
exporters:
  sink: { type: otlp_grpc, endpoint: "${sink.endpoint}" }
${more}`;

  const reload = () => execute(process.execPath, [main, "reload", "--socket", `${folder}/control.sock`]);

  it("stops and starts one plugin without losing a single connection of another", async () => {
    await using sink = await OtlpSink.start("grpc");
    await using netns = await Netns.create();
    const file = join(folder, "wirespan.yaml");
    // On a busy machine this process is slow to read what the agent sends.
    const patient = `shutdown: { timeout: 30s }\nfilter: { include: { netns: ["${inodeOf(netns)}"] } }`;
    await writeFile(file, yaml(sink, true, patient));
    await using agent = await startAgent(["--config", file]);
    const load = await start(netns, "paced", { rate: 1000, seconds: 8, limit: 60_000 });
    for (let i = 0; i < 6; i++) {
      await writeFile(file, yaml(sink, i % 2 === 1, patient));
      const { stdout } = await reload();
      assert.match(stdout, i % 2 === 1 ? /^softirqs: started$/m : /^softirqs: stopped$/m);
      assert.doesNotMatch(stdout, /tcplife/);
    }
    const { connections, pid } = one(await load.done(), "summary", "client");
    const { code, stderr } = await agent.stop();
    assert.equal(code, 0);
    assert.deepEqual(
      stderr.filter((line) => line.includes("collecting metrics from")),
      [],
    );
    const ends = sink.spans.filter((s) => s.name === "tcp connection");
    const spans = ends.filter((s) => Number(s.attributes["process.pid"]) === pid);
    const [before, after] = [ends.length, spans.length];
    const said = [account(sink), ...stderr].join("\n");
    assert.equal(after, connections, `${after} spans of ${connections} ends, of ${before} in all\n${said}`);
    const closed = sink.metrics.filter((m) => m.name === "wirespan.tcp.connection.closed");
    assert.ok(closed.length > 3);
    const starts = new Set(closed.flatMap((m) => m.sum!.dataPoints.map((p) => p.startTimeUnixNano)));
    assert.equal(starts.size, 1, "tcplife's sums never restarted");
    const sums = new Set(
      sink.metrics
        .filter((m) => m.name === "wirespan.softirq.runs")
        .flatMap((m) => m.sum!.dataPoints.map((p) => p.startTimeUnixNano)),
    );
    assert.ok(sums.size >= 3, "the sums of softirqs restarted at each start");
  });

  it("does not remove the tables of a running collection", async () => {
    const off = { "plugins.softirqs.enabled": "false" };
    await using seen = await watch(["tcptop", "tcplife", "softirqs"]);
    for (let i = 0; i < 10; i++) {
      const hasRuns = (metrics: readonly Metric[]) =>
        metrics.some(({ spec }) => spec.name === "wirespan.softirq.runs");
      // Counted since it was restarted; and so that the next collection begins at once.
      await until("a softirq", async () => hasRuns(await seen.collect()));
      const [metrics] = await Promise.all([seen.collect(), seen.reload(off)]);
      assert.ok(hasRuns(metrics), `round ${i}`);
      await seen.reload({});
    }
  });

  it("no longer counts a plugin as failed if it is disabled or runs now", async () => {
    const limit = Object.assign(new Error("too many"), { code: "EMFILE", step: "load" });
    let refuses = true;
    const unwilling: Native = {
      ...native,
      load: async (name, object, options) => {
        if (name === "softirqs" && refuses) throw limit;
        return native.load(name, object, options);
      },
    };
    const tolerant = { strict: "false" };
    const failed = ({ engine }: Watch) => engine.failed.map(({ name }) => name);
    {
      await using seen = await watch(["tcplife", "softirqs"], tolerant, unwilling);
      assert.deepEqual(failed(seen), ["softirqs"]);
      await seen.reload({ ...tolerant, "plugins.softirqs.enabled": "false" });
      assert.deepEqual(failed(seen), []);
    }
    await using seen = await watch(["tcplife", "softirqs"], tolerant, unwilling);
    const [said, ...others] = await seen.reload({ ...tolerant, "plugins.tcplife.checkpoint": "1h" });
    assert.deepEqual([said, others.length], ["tcplife: restarted", 1]);
    assert.match(others[0]!, /^softirqs: still fails: .*descriptors/);
    assert.deepEqual(failed(seen), ["softirqs"]);
    await assert.rejects(seen.reload({}), "strict");
    assert.deepEqual(failed(seen), ["softirqs"], "a reload that fails changes nothing");
    refuses = false;
    await seen.reload(tolerant);
    assert.deepEqual(failed(seen), []);
    assert.deepEqual(
      seen.engine.runners.map(({ plugin }) => plugin.name),
      ["tcplife", "softirqs"],
    );
  });

  it("keeps a plugin running whose new instance cannot be started", async () => {
    let refuses = false;
    const unwilling: Native = {
      ...native,
      openRing: (map, bytes) => {
        if (refuses) throw Object.assign(new Error("too many"), { code: "EMFILE", step: "map ring" });
        return native.openRing(map, bytes);
      },
    };
    await using netns = await Netns.create();
    const listening = () => seen.events.filter(({ name }) => name === "wirespan.socket.listen").length;
    await using seen = await watch(["tcplife", "solisten"], {}, unwilling);
    const attached = programsOf(seen.engine.objects).length;
    const [, before] = seen.engine.runners;
    refuses = true;
    await assert.rejects(seen.reload({ "plugins.solisten.unattendedAfter": "5s" }));
    assert.equal(seen.engine.runners[1], before);
    assert.equal(programsOf(seen.engine.objects).length, attached, "the other's programs are gone");
    await run(netns, "listen");
    await seen.until("listen()", () => listening() > 0);
    refuses = false;
    await seen.reload({ "plugins.solisten.unattendedAfter": "5s" });
    assert.notEqual(seen.engine.runners[1], before);
    const count = listening();
    await run(netns, "listen");
    await seen.until("listen()", () => listening() > count);
  });

  it("applies its new filter to a restarted plugin's spans, and reports what requires a restart", async () => {
    await using sink = await OtlpSink.start("grpc");
    await using netns = await Netns.create();
    const file = join(folder, "wirespan.yaml");
    await writeFile(file, yaml(sink, false, "service: { name: probe }\n"));
    await using agent = await startAgent(["--config", file]);
    await writeFile(
      file,
      yaml(
        sink,
        false,
        "filter: { include: { direction: [inbound] } }\nids: { salt: new }\nlog: { level: warn }\n",
      ),
    );
    const said = (await Promise.all([reload(), reload()])).map(({ stdout }) => stdout);
    assert.equal(
      said.filter((text) => /^tcplife: restarted$/m.test(text)).length,
      1,
      "two at once: one after the other",
    );
    for (const text of said) {
      assert.match(text, /^ids: changed; takes effect at the next start$/m);
      assert.match(text, /^log: changed; takes effect at the next start$/m);
    }
    const lines = await run(netns, "paced", { rate: 50, seconds: 1 });
    await agent.stop();
    const pids = new Set(lines.map((line) => line.pid));
    const directions = sink.spans
      .filter((s) => pids.has(Number(s.attributes["process.pid"])))
      .map((s) => s.attributes["wirespan.connection.direction"]);
    const own = sink.received.flatMap((each) =>
      each.signal !== "metrics"
        ? []
        : each.decoded.resourceMetrics.filter((r) =>
            r.scopeMetrics.some(({ scope }) => scope.name === "wirespan.agent"),
          ),
    );
    assert.ok(own.length > 0);
    assert.ok(own.every(({ resource }) => resource.attributes["service.name"] === "probe"));
    assert.ok(directions.length > 0);
    assert.deepEqual([...new Set(directions)], ["inbound"]);
  });

  it("changes nothing if it is invalid, and reports why", async () => {
    await using sink = await OtlpSink.start("grpc");
    const file = join(folder, "wirespan.yaml");
    await writeFile(file, yaml(sink, true));
    await using agent = await startAgent(["--config", file]);
    await writeFile(file, yaml(sink, false, "fliter: {}\n"));
    await assert.rejects(reload(), (error: Error & { code: number; stderr: string }) => {
      assert.equal(error.code, 2);
      assert.match(error.stderr, /fliter: unknown key; did you mean filter/);
      return true;
    });
    process.kill(agent.pid, "SIGHUP");
    await sleep(500);
    const status = await execute(process.execPath, [
      main,
      "status",
      "--json",
      "--socket",
      `${folder}/control.sock`,
    ]);
    const { plugins } = JSON.parse(status.stdout) as { plugins: { name: string; state: string }[] };
    assert.deepEqual(
      plugins.filter((p) => p.name === "softirqs" || p.name === "tcplife").map((p) => p.state),
      ["running", "running"],
    );
    const { code, stderr } = await agent.stop();
    assert.equal(code, 0);
    assert.ok(stderr.some((line) => line.includes("the running configuration is unchanged")));
  });

  it("warns about a second agent on the host", async () => {
    await using sink = await OtlpSink.start("grpc");
    const file = join(folder, "wirespan.yaml");
    await writeFile(file, yaml(sink, true));
    await using first = await startAgent(["--config", file]);
    await using second = await startAgent(["--config", file]);
    const { stderr } = await second.stop();
    assert.ok(stderr.some((line) => line.includes("another wirespan agent is running on this host")));
    assert.equal((await first.stop()).code, 0);
  });
});
