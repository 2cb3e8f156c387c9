// Compares which traces are sampled with an agent that keeps all.
import assert from "node:assert/strict";
import { inodeOf } from "../../test/support/connection-ends.ts";
import { watchContexts } from "../../test/support/contexts.ts";
import { type Kept, type Watch, watch } from "../../test/support/engine.ts";
import { get, talk, traceparent } from "../../test/support/http.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { build, run, start } from "../../test/support/workload.ts";
import type { ExponentialHistogram } from "../plugin/signals.ts";

const DIRECTION = "wirespan.connection.direction";
const RETRANSMITS = "wirespan.tcp.retransmits";
const PLUGINS = ["tcplife", "tcpconnlat", "tcpaccept"];

/** As specified in docs/traces.md. */
function hasSampledId({ traceId }: Kept, ratio: number): boolean {
  return BigInt(`0x${traceId.slice(-14)}`) >= BigInt((1 - ratio) * 2 ** 56);
}

const only = (netns: Netns) => ({ "filter.include.netns": String(inodeOf(netns)) });

/** With the tracestate of its sampling. */
const sorted = (spans: readonly Kept[]): string[] =>
  spans.map(({ name, traceId, spanId, traceState }) => `${traceId} ${spanId} ${name} ${traceState}`).sort();

/** Each span's name, end and parent: `-`: none, `?`: one that was not sent. */
function edges(spans: readonly Kept[]): string[] {
  const known = new Map(spans.map((span) => [span.traceId + span.spanId, span]));
  const short = ({ name, attributes }: Kept) => `${String(attributes[DIRECTION])} ${name.slice(4)}`;
  const found = spans.map((span) => {
    const parent = known.get(span.traceId + span.parentSpanId);
    return `${short(span)}: ${parent ? short(parent) : span.parentSpanId ? "?" : "-"}`;
  });
  return [...new Set(found)].sort();
}

/** Number of values in the histograms of this name. */
async function counted(seen: Watch, name: string): Promise<number> {
  const metrics = (await seen.collect()).filter(({ spec }) => spec.name === name);
  const values = metrics.flatMap(({ points }) => points.map(({ value }) => value as ExponentialHistogram));
  return values.reduce((sum, { count }) => sum + count, 0);
}

/** Restricts it to this process. */
const mine = { "filter.include.pid": String(process.pid) };

const ALL_KEPT = [
  "inbound accept: inbound connection",
  "inbound connection: -",
  "outbound connect: outbound connection",
  "outbound connection: -",
];

describe("sampling", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  it("keeps exactly the traces selected by their ids, the same at both ends, and metrics count all", async () => {
    await using netns = await Netns.create();
    await using all = await watch(["tcplife"], only(netns));
    await using some = await watch(["tcplife"], { ...only(netns), "sampling.ratio": "0.01" });
    await run(netns, "burst", { count: 10_000 });
    await all.until("20,000 ends", () => all.spans.length >= 20_000);
    some.engine.drain();
    const expected = all.spans.flatMap((span) => {
      const always = (span.attributes[RETRANSMITS] as number) > 0;
      if (!always && !hasSampledId(span, 0.01)) return [];
      return [{ ...span, traceState: always ? "ot=th:0" : "ot=th:fd70a3d70a3d7" }];
    });
    const kept = some.spans.filter(({ traceState }) => traceState !== "ot=th:0");
    assert.deepEqual(
      sorted(some.spans).map((line) => line.replace(/fd70a3d70a3d7[0-9a-f]$/, "fd70a3d70a3d7")),
      sorted(expected),
    );
    const traces = (direction: string) =>
      kept
        .filter((span) => span.attributes[DIRECTION] === direction)
        .map(({ traceId }) => traceId)
        .sort();
    const retransmitted = new Set(
      some.spans.filter(({ traceState }) => traceState === "ot=th:0").map(({ traceId }) => traceId),
    );
    const clean = (traceIds: readonly string[]) => traceIds.filter((id) => !retransmitted.has(id));
    assert.deepEqual(clean(traces("outbound")), clean(traces("inbound")));
    // Of 10,000 with a probability of 0.01: five standard deviations.
    const share = new Set(kept.map(({ traceId }) => traceId)).size;
    assert.ok(share >= 50 && share <= 150, `${share} of 10,000`);
    for (const seen of [all, some]) {
      assert.equal(await counted(seen, "wirespan.tcp.connection.duration"), 20_000);
      assert.equal(seen.counters().lost_spans, 0);
    }
    assert.equal(some.counters().seen_spans, some.spans.length);
    assert.equal(some.counters().unsampled_connections, 20_000 - some.spans.length);
    assert.equal(all.counters().unsampled_connections, 0);
  });

  it("keeps every span's parent, and all spans of each kept connection", async () => {
    await using netns = await Netns.create();
    await using all = await watch(PLUGINS, only(netns));
    await using some = await watch(PLUGINS, { ...only(netns), "sampling.ratio": "0.5" });
    await run(netns, "burst", { count: 200 });
    await run(netns, "reset", { count: 50 });
    await all.until("all spans", () => all.spans.length >= 250 * 4);
    some.engine.drain();
    const resets = new Set(
      all.spans.flatMap(({ attributes, traceId }) => (attributes["error.type"] ? [traceId] : [])),
    );
    assert.equal(resets.size, 50);
    const ofTrace = Map.groupBy(all.spans, ({ traceId }) => traceId);
    for (const span of all.spans) {
      const retransmitted = ofTrace.get(span.traceId)!.some((s) => (s.attributes[RETRANSMITS] as number) > 0);
      if (retransmitted) continue;
      const isKept = resets.has(span.traceId) || hasSampledId(span, 0.5);
      const found = some.spans.filter((s) => s.traceId === span.traceId && s.spanId === span.spanId);
      assert.equal(found.length, isKept ? 1 : 0, `${span.name} of ${span.traceId}`);
    }
    assert.ok(!edges(some.spans).some((edge) => edge.endsWith("?")), edges(some.spans).join("\n"));
    assert.deepEqual(edges(all.spans), [
      ...["inbound accept: inbound connection", "inbound connection: outbound connection"],
      ...["outbound connect: outbound connection", "outbound connection: -"],
    ]);
  });

  describe("keeps, whatever the ratio,", () => {
    const nothing = (netns: Netns) => ({ ...only(netns), "sampling.ratio": "0" });

    it("nothing of what went well", async () => {
      await using netns = await Netns.create();
      await using all = await watch(PLUGINS, only(netns));
      await using none = await watch(PLUGINS, { ...nothing(netns), "sampling.slow": "10s" });
      await run(netns, "clientCloses", { count: 5 });
      await all.until("all spans", () => all.spans.length >= 20);
      none.engine.drain();
      assert.deepEqual(none.spans, []);
      for (const name of ["connection", "connect", "accept"])
        assert.equal(
          await counted(none, `wirespan.tcp.${name}.duration`),
          name === "connection" ? 10 : 5,
          name,
        );
    });

    it("attempts that failed", async () => {
      await using netns = await Netns.create();
      await using seen = await watch(PLUGINS, nothing(netns));
      await run(netns, "attempt", { port: 9, count: 5 });
      await seen.until("both spans of each", () => seen.spans.length >= 10);
      assert.deepEqual(edges(seen.spans), [
        "outbound connect: outbound connection",
        "outbound connection: -",
      ]);
      assert.deepEqual(new Set(seen.spans.map(({ traceState }) => traceState)), new Set(["ot=th:0"]));
    });

    it("attempts that failed, of each workload as many as sampling.rate permits", async () => {
      await using netns = await Netns.create();
      await using filteredOut = await Netns.create();
      const began = performance.now();
      await using seen = await watch(PLUGINS, { ...nothing(netns), "sampling.rate": "20" });
      await run(filteredOut, "attempt", { port: 9, count: 100 });
      await run(netns, "attempt", { port: 9, count: 500 });
      const other =
        "import socket\nfor _ in range(5):\n    with socket.socket() as s:\n        s.connect_ex(('127.0.0.1', 10))";
      await netns.run("python3", "-c", other);
      const seconds = (performance.now() - began) / 1000;
      const ofOther = () =>
        seen.spans.filter(
          ({ attributes, name }) => name === "tcp connection" && attributes["network.peer.port"] === 10,
        );
      await seen.until("the other's", () => ofOther().length >= 5);
      const kept = seen.spans.filter(({ name }) => name === "tcp connection").length - 5;
      // Two shares: that of the process, until its workload is known, and the workload's.
      assert.ok(kept >= 20 && kept <= 2 * 20 + 20 * seconds, `${kept} in ${seconds} s`);
      assert.equal(seen.counters().beyond_kept_rate, 500 - kept);
      assert.equal(await counted(seen, "wirespan.tcp.connect.duration"), 505);
    });

    it("attempts that failed at once", async () => {
      await using netns = await Netns.create();
      await using seen = await watch(PLUGINS, {
        ...nothing(netns),
        "plugins.tcpconnlat.failedAtOnce": "true",
      });
      await run(netns, "attempt", { address: "203.0.113.1", port: 9, count: 5 });
      await seen.until("their spans", () => seen.spans.length >= 5);
      assert.deepEqual(
        seen.spans.map(({ name, error, traceState }) => [name, error, traceState]),
        Array(5).fill(["tcp connect", "network_unreachable", "ot=th:0"]),
      );
    });

    it("connections that were reset, completely", async () => {
      await using netns = await Netns.create();
      await using seen = await watch(PLUGINS, nothing(netns));
      await run(netns, "reset", { count: 5 });
      await seen.until("all spans", () => seen.spans.length >= 20);
      assert.equal(seen.spans.length, 20);
      // When the acceptor's end began, it was not known that the opener's would be sampled.
      assert.deepEqual(edges(seen.spans), ALL_KEPT);
      assert.deepEqual(new Set(seen.spans.map(({ traceState }) => traceState)), new Set(["ot=th:0"]));
      const accepts = seen.spans.filter(({ name }) => name === "tcp accept");
      assert.deepEqual(new Set(accepts.map(({ error }) => error)), new Set([undefined]));
    });

    it("connections that were never accepted", async () => {
      await using netns = await Netns.create();
      await using seen = await watch(PLUGINS, nothing(netns));
      await run(netns, "unaccepted");
      const of = () => seen.spans.filter(({ error }) => error === "never_accepted");
      await seen.until("what was never accepted", () => of().length >= 2);
      assert.deepEqual(new Set(of().map(({ traceState }) => traceState)), new Set(["ot=th:0"]));
    });

    it("long-lived connections", async () => {
      await using netns = await Netns.create();
      await using seen = await watch(PLUGINS, { ...nothing(netns), "sampling.slow": "300ms" });
      await run(netns, "halfClose", { delay: 0 });
      await run(netns, "halfClose", { delay: 600 });
      await seen.until("all spans of one", () => seen.spans.length >= 4);
      assert.deepEqual(edges(seen.spans), ALL_KEPT);
      assert.equal(new Set(seen.spans.map(({ traceId }) => traceId)).size, 1);
    });

    it("connections that carried a request whose trace its application keeps", async () => {
      for (const [flags, kept] of [
        ["00", 0],
        ["01", 2],
      ] as const) {
        const own = { ...mine, "sampling.ratio": "0" };
        await using w = await watchContexts(["tcplife"], own);
        await using all = await watch(["tcplife"], { ...mine, "self.exclude": "false" });
        // Nine requests: the first of them is no longer among the contexts that are kept for links.
        const later = Array.from({ length: 9 }, (_, i) => get([`traceparent: ${traceparent(i + 2, "00")}`]));
        await talk([get([`traceparent: ${traceparent(1, flags)}`]), ...later]);
        await all.until("both ends", () => all.spans.length >= 2);
        w.seen.engine.drain();
        const ends = w.seen.spans.filter(({ name }) => name === "tcp connection");
        assert.equal(ends.length, kept, `flags ${flags}`);
        assert.ok(ends.every(({ traceState }) => traceState === "ot=th:0"));
      }
    });

    it("connections that retransmitted, at the end that did", async () => {
      await using netns = await Netns.create();
      await using seen = await watch(PLUGINS, nothing(netns));
      const lost = await netns.rule("input", "tcp flags & (syn | ack) == syn", "drop");
      await using running = await start(netns, "clientCloses");
      while ((await lost.packets()) === 0);
      await lost.remove();
      await running.done();
      await seen.until("the opener's spans", () => seen.spans.length >= 2);
      assert.deepEqual(edges(seen.spans), [
        "outbound connect: outbound connection",
        "outbound connection: -",
      ]);
    });
  });
});
