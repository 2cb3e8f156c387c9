// Exemplars of the kernel's histograms, compared with the exported spans and the programs' own measurements.
import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { inodeOf } from "../../test/support/connection-ends.ts";
import { watchContexts } from "../../test/support/contexts.ts";
import { type Kept, type Watch, watch } from "../../test/support/engine.ts";
import { get, talk, traceparent } from "../../test/support/http.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { build, pick, run, start } from "../../test/support/workload.ts";
import type { AnyAttributes, Exemplar, ExponentialHistogram, Time } from "../plugin/signals.ts";

const PLUGINS = ["tcplife", "tcpconnlat", "tcpaccept"];
const SPANS: Readonly<Record<string, string>> = {
  "wirespan.tcp.connection.duration": "tcp connection",
  "wirespan.tcp.connection.rtt": "tcp connection",
  "wirespan.tcp.connect.duration": "tcp connect",
  "wirespan.tcp.accept.duration": "tcp accept",
};

interface Found {
  readonly name: string;
  readonly attributes: AnyAttributes;
  readonly exemplar: Exemplar;
  readonly id: string;
}

const idOf = ({ traceId, spanId }: Exemplar): string =>
  `${Buffer.from(traceId).toString("hex")}-${Buffer.from(spanId).toString("hex")}`;
const nanos = ({ sec, nsec }: Time): bigint => BigInt(sec) * 1_000_000_000n + BigInt(nsec);

/** An exporter of traces; it is not created here. */
const TO_BACKEND = {
  "exporters.backend.type": "otlp_http",
  "exporters.backend.endpoint": "http://127.0.0.1:4318",
};

/** Attaches plugins to a namespace; their first collection, which begins with them, is over. */
async function settled(netns: Netns, settings: Readonly<Record<string, string>> = {}): Promise<Watch> {
  const netnsOnly = { "filter.include.netns": String(inodeOf(netns)) };
  const seen = await watch(PLUGINS, { ...TO_BACKEND, ...netnsOnly, ...settings });
  await seen.collect();
  return seen;
}

/** Those of one collection. */
async function exemplars(seen: Watch): Promise<readonly Found[]> {
  return (await seen.collect()).flatMap(({ spec: { name }, points }) =>
    points.flatMap(({ attributes, value }) => {
      const { exemplar } = value as ExponentialHistogram;
      return exemplar ? [{ name, attributes, exemplar, id: idOf(exemplar) }] : [];
    }),
  );
}

/** The value according to a span. */
function measured(span: Kept, metric: string): number {
  if (metric.endsWith("rtt")) return span.attributes["wirespan.tcp.rtt.smoothed"] as number;
  return Number(nanos(span.end) - nanos(span.start)) / 1e9;
}

/** Series of a metric, as far as spans have its attributes. */
function rowOf(metric: string, attributes: AnyAttributes): string {
  const reason = /^wirespan.tcp.connection/.test(metric) && attributes["wirespan.tcp.close.reason"];
  return [
    metric,
    attributes["process.executable.name"],
    attributes["wirespan.connection.direction"],
    reason,
  ].join(" ");
}

/** They are the largest values among the spans of each row, with their own times. */
function assertLargest(found: readonly Found[], spans: readonly Kept[]): void {
  const largest = new Map<string, number>();
  for (const metric of Object.keys(SPANS))
    for (const span of spans.filter(({ name }) => name === SPANS[metric])) {
      const row = rowOf(metric, span.attributes);
      largest.set(row, Math.max(largest.get(row) ?? 0, measured(span, metric)));
    }
  const rows = found.map(({ name, attributes }) => rowOf(name, attributes));
  assert.deepEqual(rows.sort(), [...largest.keys()].sort());
  for (const { name, attributes, exemplar, id } of found) {
    const span = spans.find(({ traceId, spanId }) => id === `${traceId}-${spanId}`);
    assert.ok(span, `${name}: ${id} is no span's`);
    assert.equal(span.name, SPANS[name]);
    assert.ok(Math.abs(exemplar.value - measured(span, name)) < 2e-9, `${exemplar.value} of ${name}`);
    const most = largest.get(rowOf(name, attributes))!;
    assert.ok(Math.abs(exemplar.value - most) < 2e-9, `${name}: ${exemplar.value} of ${most}`);
    assert.ok(Math.abs(Number(nanos(exemplar.time) - nanos(span.end))) < 1e6, name);
  }
}

describe("exemplars of histograms", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  it("are the largest value of each row in a collection, and refer to the span that reports it", async () => {
    await using netns = await Netns.create();
    await using seen = await settled(netns);
    for (const [slow, quick] of [
      [300, 20],
      [60, 10],
    ] as const) {
      seen.spans.length = 0;
      const quickOnes = await run(netns, "serverCloses", { delay: quick, count: 5 });
      const slowOnes = await run(netns, "serverCloses", { delay: slow, count: 1 });
      await seen.until("all spans", () => seen.spans.length >= 24);
      const found = await exemplars(seen);
      assertLargest(found, seen.spans);
      const [longest] = pick(slowOnes, "end", "client").map(({ startNs, endNs }) => (endNs - startNs) / 1e9);
      const ofClient = found.find(
        ({ name, attributes }) =>
          name.endsWith("connection.duration") && attributes["wirespan.connection.direction"] === "outbound",
      );
      assert.equal(pick(quickOnes, "end", "client").length, 5);
      const { value } = ofClient!.exemplar;
      assert.ok(value >= slow / 1e3 && Math.abs(value - longest!) < 0.05, `${value} of ${longest} s`);
    }
    assert.deepEqual(await exemplars(seen), []);
  });

  it("refer only to sampled spans, to the largest of them", async () => {
    await using netns = await Netns.create();
    await using some = await settled(netns, { "sampling.ratio": "0.25" });
    await using none = await settled(netns, { "sampling.ratio": "0" });
    for (let round = 0; round < 3; round++) {
      some.spans.length = 0;
      none.spans.length = 0;
      await run(netns, "burst", { count: 100 });
      await run(netns, "reset", { count: round });
      await some.until("some spans", () => some.spans.length >= 4);
      const found = await exemplars(some);
      assertLargest(found, some.spans);
      assertLargest(await exemplars(none), none.spans);
    }
  });

  it("do not refer to a handshake that was counted before its connection was sampled", async () => {
    await using netns = await Netns.create();
    await using seen = await settled(netns, { "sampling.ratio": "0", "sampling.slow": "200ms" });
    await using running = await start(netns, "held");
    await running.until("opened", "client");
    await seen.collect();
    await setTimeout(300);
    running.goOn();
    await running.done();
    await seen.until("all of its spans", () => seen.spans.length >= 4);
    const names = (await exemplars(seen)).map(({ name }) => name);
    assert.ok(names.includes("wirespan.tcp.connection.duration"));
    assert.ok(!names.includes("wirespan.tcp.connect.duration"));
  });

  it("refer to a handshake's span in the trace of the request that caused it", async () => {
    const mine = { ...TO_BACKEND, "filter.include.pid": String(process.pid) };
    for (const [flags, expected] of [
      ["01", true],
      ["00", false],
    ] as const) {
      await using w = await watchContexts(["tcpconnlat"], mine);
      await w.seen.collect();
      await talk([get([`traceparent: ${traceparent(1, flags)}`])]);
      await w.seen.until("its spans", () => w.seen.spans.length >= (expected ? 2 : 1));
      const [found, ...more] = await exemplars(w.seen);
      assert.deepEqual(more, []);
      const own = w.seen.spans.find(({ traceId, spanId }) => found!.id === `${traceId}-${spanId}`);
      assert.equal(own?.name, "tcp connect");
      assert.equal(own?.traceId === traceparent(1, flags).split("-")[1], expected, flags);
    }
  });

  it("are omitted if no exporter sends traces", async () => {
    await using netns = await Netns.create();
    await using seen = await settled(netns, { "exporters.backend.signals": "metrics" });
    await run(netns, "clientCloses");
    await seen.until("all spans", () => seen.spans.length >= 4);
    assert.deepEqual(await exemplars(seen), []);
  });
});
