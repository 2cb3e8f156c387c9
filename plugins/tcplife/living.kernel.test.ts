// What tcplife sums and reports about open connections: each byte once, whatever happens in between.
import assert from "node:assert/strict";
import { copyFileSync, linkSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { countersOf } from "../../core/engine/readings.ts";
import type { Metric, Point } from "../../core/plugin/signals.ts";
import { inodeOf } from "../../test/support/connection-ends.ts";
import { type Watch, watch } from "../../test/support/engine.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { build, one, pick, run, start } from "../../test/support/workload.ts";

const IO = "wirespan.tcp.io";
const CLOSED = "wirespan.tcp.connection.closed";

/** tcplife for one namespace only, so that its sums are the test's own. */
function watchOnly(netns: Netns, settings: Readonly<Record<string, string>> = {}): Promise<Watch> {
  return watch(["tcplife"], {
    "plugins.tcplife.filter.include.netns": String(inodeOf(netns)),
    ...settings,
  });
}

function points(metrics: readonly Metric[], name: string): readonly Point[] {
  return metrics.filter(({ spec }) => spec.name === name).flatMap((metric) => metric.points);
}

/** Sums over all series, including the overflow's. */
function sum(found: readonly Point[]): number {
  return found.reduce((all, { value }) => all + (typeof value === "number" ? value : value.count), 0);
}

interface Moved {
  readonly sent: number;
  readonly received: number;
}

function io(metrics: readonly Metric[]): Moved {
  const of = (direction: string) =>
    sum(points(metrics, IO).filter(({ attributes }) => attributes["network.io.direction"] === direction));
  return { sent: of("transmit"), received: of("receive") };
}

/** Collects until that much has been transferred; throws if it is ever more. */
async function untilMoved(seen: Watch, expected: Moved): Promise<void> {
  for (const end = performance.now() + 20_000; performance.now() < end; await delay(20)) {
    const found = io(await seen.collect());
    if (found.sent === expected.sent && found.received === expected.received) return;
    assert.ok(found.sent <= expected.sent && found.received <= expected.received, JSON.stringify(found));
  }
  assert.deepEqual(io(await seen.collect()), expected);
}

describe("tcplife's sums", () => {
  let netns: Netns;

  before(async function () {
    needsRoot(this);
    await build();
  });

  beforeEach(async () => {
    netns = await Netns.create();
  });

  afterEach(() => netns[Symbol.asyncDispose]());

  it("include open connections' bytes, and at the close only what is new", async () => {
    await using seen = await watchOnly(netns);
    await using held = await start(netns, "held", { up: 100, later: 23, down: 45 });
    await held.until("opened");
    await untilMoved(seen, { sent: 100, received: 100 });
    for (const { attributes } of points(await seen.collect(), IO)) {
      assert.equal(attributes["wirespan.tcp.close.reason"], "none");
    }
    assert.equal(sum(points(await seen.collect(), CLOSED)), 0);
    held.goOn();
    await held.done();
    await untilMoved(seen, { sent: 168, received: 168 });
    const reasons = points(await seen.collect(), CLOSED).map(({ attributes, value }) => [
      attributes["wirespan.tcp.close.reason"],
      attributes["process.executable.name"],
      value,
    ]);
    assert.deepEqual(reasons.sort(), [
      ["fin_local", "pcli", 1],
      ["fin_remote", "psrv", 1],
    ]);
  });

  it("leave out what was transferred before the agent started", async () => {
    await using held = await start(netns, "held", { up: 100, later: 23, down: 45 });
    await held.until("opened");
    await delay(100); // the acknowledgement may be a delayed one
    await using seen = await watchOnly(netns);
    await untilMoved(seen, { sent: 0, received: 0 });
    held.goOn();
    await held.done();
    await untilMoved(seen, { sent: 68, received: 68 });
  });

  it("leave out what was transferred while the plugin was disabled", async () => {
    const settings = { "plugins.tcplife.filter.include.netns": String(inodeOf(netns)) };
    await using puppet = await start(netns, "puppet");
    await using seen = await watchOnly(netns);
    await puppet.act("listen l", "connect c l", "accept a l", "send c a 100");
    await untilMoved(seen, { sent: 100, received: 100 });
    await seen.reload({ ...settings, "plugins.tcplife.enabled": "false" });
    await puppet.act("send c a 20");
    await delay(100); // as above
    await seen.reload(settings);
    await untilMoved(seen, { sent: 0, received: 0 });
    await puppet.act("send c a 3");
    await untilMoved(seen, { sent: 3, received: 3 });
  });

  it("count each byte once while connections close under the sweep", async () => {
    await using seen = await watchOnly(netns);
    const workload = run(netns, "clientCloses", { count: 2000, delay: 0 });
    const burst = run(netns, "burst", { count: 5000, up: 7 });
    let done = false;
    const all = Promise.all([workload, burst]).finally(() => {
      done = true;
    });
    let sweeps = 0;
    let before: Moved = { sent: 0, received: 0 };
    for (; !done; sweeps++) {
      const now = io(await seen.collect());
      assert.ok(now.sent >= before.sent && now.received >= before.received, "sums only grow");
      before = now;
    }
    const [lines, summary] = await all;
    assert.ok(sweeps > 20, `${sweeps} sweeps`);
    const sent = pick(lines, "end").reduce((bytes, line) => bytes + line.sent, 0);
    assert.equal(sent, 2000 * 1500);
    const bytes = sent + one(summary, "summary", "client").sent;
    await untilMoved(seen, { sent: bytes, received: bytes });
    assert.equal(sum(points(await seen.collect(), CLOSED)), 2 * 7000);
    assert.equal(sum(points(await seen.collect(), "wirespan.tcp.connection.duration")), 2 * 7000);
  });

  it("have a series for what does not fit in the kernel's table", async () => {
    const many = 2100;
    await using seen = await watchOnly(netns, {
      "plugins.tcplife.filter.include.direction": "outbound",
      "metrics.maxSeries": "100000",
    });
    await using server = await start(netns, "burst", { count: 0 });
    await server.done();
    const folder = mkdtempSync(join(tmpdir(), "wirespan-names-"));
    try {
      mkdirSync(join(folder, "bin"));
      copyFileSync("/bin/bash", join(folder, "bin/1"));
      for (let i = 2; i <= many; i++) linkSync(join(folder, "bin/1"), join(folder, `bin/${i}`));
      // Nothing listens there: attempts have rows, too.
      const each = '"$i" -c ": >/dev/tcp/127.0.0.1/9" 2>/dev/null';
      await netns.run("bash", "-c", `for i in ${folder}/bin/*; do ${each}; done; true`);
    } finally {
      rmSync(folder, { recursive: true });
    }
    await seen.until("all attempts", () => seen.spans.length >= many);
    const closed = points(await seen.collect(), CLOSED);
    assert.equal(sum(closed), many);
    const [overflow, ...others] = closed.filter(({ attributes }) => attributes["otel.metric.overflow"]);
    assert.deepEqual(others, []);
    assert.ok(overflow && typeof overflow.value === "number");
    // Some of those without a row belong to programs that no longer have a workload of their own.
    const withoutRow = countersOf(seen.engine.readers).tcplife?.overflows ?? 0;
    assert.ok(
      withoutRow > 0 && overflow.value >= withoutRow && overflow.value < many / 10,
      `${overflow.value}`,
    );
  });
});

describe("tcplife's checkpoints", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  async function held(settings: Readonly<Record<string, string>>, ms: number): Promise<Watch> {
    await using netns = await Netns.create();
    await using seen = await watchOnly(netns, settings);
    await using running = await start(netns, "held", { up: 100, later: 23, down: 45 });
    await running.until("opened");
    for (const end = performance.now() + ms; performance.now() < end; await delay(20)) await seen.collect();
    running.goOn();
    await running.done();
    await seen.until("both ends", () => seen.spans.length >= 2);
    const reported = seen.events.length;
    await seen.collect();
    assert.equal(seen.events.length, reported, "what is closed is reported no more");
    return seen;
  }

  it("report each open end periodically, in its trace", async () => {
    const { spans, events } = await held({ "plugins.tcplife.checkpoint": "200ms" }, 1000);
    assert.equal(spans.length, 2);
    for (const span of spans) {
      const own = events.filter(({ spanId }) => spanId === span.spanId);
      // One for each 200 ms, each later by up to one sweep.
      assert.ok(own.length >= 2 && own.length <= 6, `${own.length} checkpoints`);
      for (const { name, traceId, attributes } of own) {
        assert.equal(name, "wirespan.tcp.connection.checkpoint");
        assert.equal(traceId, span.traceId);
        assert.equal(attributes["process.pid"], span.attributes["process.pid"]);
        assert.equal(attributes["wirespan.connection.id"], span.attributes["wirespan.connection.id"]);
      }
      const outbound = span.attributes["wirespan.connection.direction"] === "outbound";
      const { attributes } = own.at(-1)!;
      const [sent, received] = outbound ? [100, 0] : [0, 100];
      assert.equal(attributes["wirespan.tcp.bytes_sent"], sent);
      assert.equal(attributes["wirespan.tcp.bytes_received"], received);
    }
    assert.equal(events.length, events.filter(({ spanId }) => spans.some((s) => s.spanId === spanId)).length);
  });

  it("report no younger connections, and none if they are disabled", async () => {
    assert.deepEqual((await held({ "plugins.tcplife.checkpoint": "10s" }, 300)).events, []);
    assert.deepEqual((await held({ "plugins.tcplife.checkpoint": "0s" }, 300)).events, []);
  });
});
