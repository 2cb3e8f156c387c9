import assert from "node:assert/strict";
import { isLater } from "../bridge/clock.ts";
import type { ExponentialHistogram, Instant, Metric, MetricSpec, Resource } from "../plugin/signals.ts";
import { createInstruments } from "./instruments.ts";

const KEY = { "wirespan.test.key": { type: "int", requirement: "required", description: "A key." } } as const;
const counter = {
  signal: "metric",
  instrument: "counter",
  name: "wirespan.test.count",
  unit: "{thing}",
  description: "Things.",
  attributes: {
    ...KEY,
  },
} as const satisfies MetricSpec;
const histogram = { ...counter, instrument: "histogram", name: "wirespan.test.time", unit: "s" } as const;

const gauge = { ...counter, instrument: "gauge", name: "wirespan.test.level" } as const;

const host: Resource = { attributes: { "service.name": "host" } };
const other: Resource = { attributes: { "service.name": "other" } };
const second = 1e9;
/** A wall clock that is this many seconds ahead of the boot clock. */
class Hands {
  ahead = 0;
  instant = (bootNs: number): Instant => ({ sec: bootNs / second + this.ahead, nsec: 0, bootNs });
}
const startNs = second;

function emission(maxSeries: number, clock = new Hands()) {
  const sink = { span() {}, event() {}, metrics() {} };
  const scope = { name: "wirespan.test", version: "1" };
  return createInstruments({ counter, gauge, histogram }, { scope, sink, host, clock, startNs, maxSeries });
}

function points(metrics: readonly Metric[], name: string = counter.name) {
  return metrics.filter((m) => m.spec.name === name).flatMap((m) => m.points);
}

function total(metrics: readonly Metric[]): number {
  return points(metrics).reduce((sum, p) => sum + (p.value as number), 0);
}

function one(offset: number, counts: number[], max: number): ExponentialHistogram {
  const count = counts.reduce((a, b) => a + b, 0);
  return { count, sum: count, scale: 3, zeroCount: 0, offset, counts, max };
}

describe("what a plugin emits", () => {
  it("limits 100,000 keys, and the totals stay exact", () => {
    const { emit, collect } = emission(2000);
    let expected = 0;
    for (let key = 0; key < 100_000; key++) {
      emit.counter.observe(key % 977, { "wirespan.test.key": key });
      expected += key % 977;
    }
    const metrics = collect(startNs);
    assert.equal(points(metrics).length, 2000);
    assert.equal(total(metrics), expected);
    const overflow = points(metrics).filter((p) => p.attributes["otel.metric.overflow"]);
    assert.equal(overflow.length, 1);
  });

  it("keeps the largest series, and each of them however the others grow", () => {
    const { emit, collect } = emission(4);
    const values = [5, 50, 40, 1, 30];
    const observe = () => {
      for (const [key, v] of values.entries()) emit.counter.observe(v, { "wirespan.test.key": key });
    };
    const keys = () =>
      points(collect(startNs))
        .map((p) => p.attributes["wirespan.test.key"] ?? "rest")
        .sort();
    observe();
    assert.deepEqual(keys(), [1, 2, 4, "rest"]);
    values[0] = 500;
    observe();
    assert.deepEqual(keys(), [1, 2, 4, "rest"]);
  });

  it("gives an ended series' slot to a new one, never to one of the overflow", () => {
    const { emit, collect } = emission(3);
    const keysOf = (...observed: readonly number[]) => {
      for (const key of observed) emit.counter.observe(10 - key, { "wirespan.test.key": key });
      return points(collect(startNs)).map((p) => [p.attributes["wirespan.test.key"] ?? "rest", p.value]);
    };
    assert.deepEqual(keysOf(1, 2, 3), [
      [1, 9],
      [2, 8],
      ["rest", 7],
    ]);
    assert.deepEqual(keysOf(2, 3), [
      [2, 8],
      ["rest", 7],
    ]);
    assert.deepEqual(keysOf(2, 3, 4), [
      [2, 8],
      [4, 6],
      ["rest", 7],
    ]);
  });

  it("starts a new sum at the last collection without it, and keeps that start", () => {
    const { emit, collect } = emission(10);
    const starts = (nowNs: number, keys: readonly number[], isComplete?: boolean) => {
      for (const key of keys) emit.counter.observe(1, { "wirespan.test.key": key });
      return points(collect(nowNs, isComplete)).map(({ start }) => start.bootNs / second);
    };
    assert.deepEqual(starts(10 * second, [1]), [1]);
    assert.deepEqual(starts(20 * second, [1, 2]), [1, 10]);
    assert.deepEqual(starts(30 * second, [1], false), [1]);
    assert.deepEqual(starts(40 * second, [1, 2, 3]), [1, 10, 20], "the third may have begun before 30 s");
  });

  it("reports once which series have ended", () => {
    const { emit, collect } = emission(3);
    const ends = (...keys: readonly number[]) => {
      for (const key of keys) emit.gauge.observe(10 - key, { "wirespan.test.key": key });
      return collect(startNs).flatMap(({ resource, ended = [], points }) =>
        ended.map((attributes) => [resource, attributes, points.length]),
      );
    };
    assert.deepEqual(ends(1, 2, 3), []);
    assert.deepEqual(ends(1), [[host, { "wirespan.test.key": 2 }, 1]]);
    assert.deepEqual(ends(), [[host, { "wirespan.test.key": 1 }, 0]]);
    assert.deepEqual(ends(), []);
    assert.deepEqual(ends(2), [], "it begins again");
  });

  it("reports the start of a sum that began later than the agent", () => {
    const { emit, collect } = emission(3);
    emit.counter.observe(1, { "wirespan.test.key": 1 }, other, 5 * second);
    assert.deepEqual(
      points(collect(7 * second)).map((p) => p.start),
      [{ sec: 5, nsec: 0, bootNs: 5 * second }],
    );
  });

  it("reports the same start at each collection while the wall clock is slewed or stepped forward", () => {
    const clock = new Hands();
    const { emit, collect } = emission(3, clock);
    const starts = [0, 1e-4, 2e-4, 3600, 3600.1].map((ahead, i) => {
      clock.ahead = ahead;
      emit.counter.observe(i, { "wirespan.test.key": 1 });
      return points(collect((i + 2) * second))[0]!.start.sec;
    });
    assert.deepEqual(starts, [1, 1, 1, 1, 1]);
  });

  it("moves a start back once if the wall clock is stepped to before it", () => {
    const clock = new Hands();
    const { emit, collect } = emission(3, clock);
    const starts = [0, -3600, -3600, -3599.9, -7200, 0].map((ahead, i) => {
      clock.ahead = ahead;
      emit.counter.observe(i, { "wirespan.test.key": 1 });
      const [metric] = collect((i + 2) * second);
      const { start } = metric!.points[0]!;
      assert.ok(!isLater(start, metric!.time), `${start.sec} is later than ${metric!.time.sec}`);
      assert.equal(start.bootNs, startNs);
      return start.sec;
    });
    assert.deepEqual(starts, [1, -3599, -3599, -3599, -7199, -7199]);
  });

  it("never reports a start after a sum's own time, although the clock is re-measured meanwhile", () => {
    const clock = new Hands();
    const { emit, collect } = emission(3, clock);
    let asked = 0;
    clock.instant = (bootNs) => ({ sec: bootNs / second + asked++ * 100, nsec: 0, bootNs });
    emit.counter.observe(1, { "wirespan.test.key": 1 });
    const [metric] = collect(2 * second);
    assert.deepEqual(metric!.points[0]!.start, { ...metric!.time, bootNs: startNs });
  });

  it("keeps bytes sent and bytes received apart in the overflow", () => {
    const direction = {
      type: "string",
      requirement: "required",
      enum: ["transmit", "receive"],
      description: "Direction.",
    } as const;
    const io = { ...counter, attributes: { ...counter.attributes, "network.io.direction": direction } };
    const sink = { span() {}, event() {}, metrics() {} };
    const scope = { name: "wirespan.test", version: "1" };
    const { emit, collect } = createInstruments(
      { io },
      { scope, sink, host, clock: new Hands(), startNs, maxSeries: 4 },
    );
    for (const key of [1, 2, 3]) {
      emit.io.observe(10 * key, { "wirespan.test.key": key, "network.io.direction": "transmit" });
      emit.io.observe(key, { "wirespan.test.key": key, "network.io.direction": "receive" });
    }
    const overflow = points(collect(startNs)).filter((p) => p.attributes["otel.metric.overflow"]);
    assert.deepEqual(
      overflow.map((p) => [p.attributes["network.io.direction"], p.value]),
      [
        ["transmit", 10],
        ["receive", 6],
      ],
    );
  });

  it("adds what did not fit into a kernel table to the same overflow series", () => {
    const { emit, collect } = emission(3);
    for (const key of [1, 2, 3]) emit.counter.observe(10 * key, { "wirespan.test.key": key });
    emit.counter.overflow(7);
    const metrics = collect(startNs);
    assert.equal(total(metrics), 67);
    assert.equal(points(metrics).length, 3);
    assert.equal(points(metrics).find((p) => p.attributes["otel.metric.overflow"])?.value, 17);
  });

  it("merges histograms of the overflow by bucket", () => {
    const { emit, collect } = emission(1);
    emit.histogram.observe(one(-3, [1, 2], 0.9), { "wirespan.test.key": 1 });
    emit.histogram.observe(one(-1, [4], 2), { "wirespan.test.key": 2 });
    const [point] = points(collect(startNs), histogram.name);
    const value = point!.value as ExponentialHistogram;
    assert.deepEqual([value.offset, Array.from(value.counts), value.count, value.max], [-3, [1, 2, 4], 7, 2]);
  });

  it("adds up two values of one series, and takes the last of a gauge", () => {
    const { emit, collect } = emission(10);
    for (const value of [5, 7]) {
      emit.counter.observe(value, { "wirespan.test.key": 1 });
      emit.gauge.observe(value, { "wirespan.test.key": 1 });
    }
    emit.histogram.observe(one(-3, [1], 0.9), { "wirespan.test.key": 1 });
    emit.histogram.observe(one(-3, [2], 2), { "wirespan.test.key": 1 });
    const metrics = collect(startNs);
    assert.deepEqual(
      points(metrics, counter.name).map(({ value }) => value),
      [12],
    );
    assert.deepEqual(
      points(metrics, gauge.name).map(({ value }) => value),
      [7],
    );
    const [histogramPoint] = points(metrics, histogram.name);
    assert.equal((histogramPoint!.value as ExponentialHistogram).count, 3);
  });

  it("takes the larger exemplar of histograms that are merged", () => {
    const { emit, collect } = emission(10);
    const ids = { traceId: new Uint8Array(16), spanId: new Uint8Array(8) };
    for (const value of [0.7, 0.8, 0.75]) {
      const exemplar = { value, time: { sec: 1, nsec: 0 }, ...ids };
      emit.histogram.observe({ ...one(-4, [1], 0.8), exemplar }, { "wirespan.test.key": 1 });
    }
    emit.histogram.observe(one(-4, [1], 0.8), { "wirespan.test.key": 1 });
    const [point] = points(collect(startNs), histogram.name);
    assert.equal((point!.value as ExponentialHistogram).exemplar?.value, 0.8);
  });

  it("groups by resource, and forgets what is no longer reported", () => {
    const { emit, collect } = emission(10);
    emit.counter.observe(1, { "wirespan.test.key": 1 });
    emit.counter.observe(2, { "wirespan.test.key": 1 }, other);
    const metrics = collect(startNs);
    assert.deepEqual(
      metrics.map((m) => [m.resource, (m.points[0] as { value: number }).value]),
      [
        [host, 1],
        [other, 2],
      ],
    );
    assert.deepEqual(points(collect(startNs)), []);
    assert.deepEqual(collect(startNs), []);
  });
});
