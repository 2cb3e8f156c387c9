import assert from "node:assert/strict";
import fc from "fast-check";
import type { ExponentialHistogram, Metric, MetricSpec, Point, Resource } from "../core/plugin/signals.ts";
import { acceptedSpec, instant, resource, scope, softirqSpec } from "../test/support/telemetry.ts";
import { type ExplicitHistogram, MetricConverter } from "./temporality.ts";

const gaugeSpec: MetricSpec = { ...acceptedSpec, instrument: "gauge", name: "g" };
const levelSpec: MetricSpec = { ...acceptedSpec, instrument: "updowncounter", name: "l" };

const at = instant;

/** One collection at `time` of one series that began at `start`. */
function metric(
  spec: MetricSpec,
  time: number,
  value: Point["value"],
  {
    start = 100,
    attributes = {},
    of = resource,
  }: { start?: number; attributes?: Point["attributes"]; of?: Resource } = {},
): Metric {
  return { spec, scope, resource: of, time: at(time), points: [{ attributes, start: at(start), value }] };
}

function histogram(
  offset: number,
  counts: readonly number[],
  more: Partial<ExponentialHistogram> = {},
): ExponentialHistogram {
  const count = counts.reduce((sum, n) => sum + n, more.zeroCount ?? 0);
  return { count, sum: count / 8, scale: 3, zeroCount: 0, offset, counts, ...more };
}

/** The conversion of one metric. */
function formed(converter: MetricConverter, given: Metric) {
  const [{ data, delta, points }] = converter.convert([given]) as [
    ReturnType<MetricConverter["convert"]>[number],
  ];
  return { data, delta, start: points[0]!.start.sec, value: points[0]!.value };
}

describe("temporality and buckets of metrics", () => {
  it("are unchanged by default", () => {
    const converter = new MetricConverter({});
    for (const value of [5, 5, 9]) {
      assert.deepEqual(formed(converter, metric(acceptedSpec, 110, value)), {
        data: "sum",
        delta: false,
        start: 100,
        value,
      });
    }
  });

  it("as delta report what was added since the previous collection, first since the start", () => {
    const converter = new MetricConverter({ temporality: "delta" });
    const given = [metric(acceptedSpec, 110, 5), metric(acceptedSpec, 120, 5), metric(acceptedSpec, 130, 9)];
    assert.deepEqual(
      given.map((m) => formed(converter, m)),
      [
        { data: "sum", delta: true, start: 100, value: 5 },
        { data: "sum", delta: true, start: 110, value: 0 },
        { data: "sum", delta: true, start: 120, value: 4 },
      ],
    );
  });

  it("as delta treat a series with a new start as a new one", () => {
    const converter = new MetricConverter({ temporality: "delta" });
    formed(converter, metric(acceptedSpec, 110, 50));
    const again = metric(acceptedSpec, 120, 60, { start: 115 });
    assert.deepEqual(formed(converter, again), { data: "sum", delta: true, start: 115, value: 60 });
    const on = metric(acceptedSpec, 130, 61, { start: 115 });
    assert.deepEqual(formed(converter, on), { data: "sum", delta: true, start: 120, value: 1 });
  });

  it("as delta give a series that is new after a step of the wall clock its own length", () => {
    const converter = new MetricConverter({ temporality: "delta" });
    const [time, start] = [
      { sec: 3730, nsec: 0, bootNs: 130e9 },
      { sec: 100, nsec: 0, bootNs: 100e9 },
    ];
    const given = {
      spec: acceptedSpec,
      scope,
      resource,
      time,
      points: [{ attributes: {}, start, value: 1 }],
    };
    const [metric] = converter.convert([given]);
    assert.equal(time.sec - metric!.points[0]!.start.sec, 30);
  });

  for (const step of [-3600, 3600]) {
    it(`as delta survive a step of the wall clock by ${step} s, each interval keeping its length`, () => {
      const converter = new MetricConverter({ temporality: "delta" });
      const given = [5, 7, 9, 14].map((value, i): Metric => {
        const stepped = i >= 2 ? step : 0;
        const bootNs = (110 + i * 10) * 1e9;
        const time = { sec: bootNs / 1e9 + stepped, nsec: i * 1000, bootNs };
        // A sum that would begin later than its own time is moved, and remains the same sum.
        const start = { sec: Math.min(100, 100 + stepped), nsec: 0, bootNs: 100e9 };
        return { spec: acceptedSpec, scope, resource, time, points: [{ attributes: {}, start, value }] };
      });
      const intervals = given.map((one) => {
        const [{ time, points }] = converter.convert([one]) as [
          ReturnType<MetricConverter["convert"]>[number],
        ];
        const { start, value } = points[0]!;
        return [time.sec - start.sec, start.nsec, value];
      });
      assert.deepEqual(intervals, [
        [10, 0, 5],
        [10, 0, 2],
        // Derived from its end time.
        [10, 2000, 2],
        [10, 2000, 5],
      ]);
    });
  }

  it("as delta identify a series by its attributes and those of its resource", () => {
    const converter = new MetricConverter({ temporality: "delta" });
    const other: Resource = { attributes: { ...resource.attributes, "service.name": "wget" } };
    const same: Resource = { attributes: { ...resource.attributes } };
    const values = [
      metric(acceptedSpec, 110, 5, { attributes: { "server.port": 1 } }),
      metric(acceptedSpec, 110, 7, { attributes: { "server.port": 2 } }),
      metric(acceptedSpec, 110, 8, { attributes: { "server.port": 1 }, of: other }),
      metric(acceptedSpec, 120, 6, { attributes: { "server.port": 1 }, of: same }),
    ].map((m) => formed(converter, m).value);
    assert.deepEqual(values, [5, 7, 8, 1]);
  });

  it("as delta continue a series after a gap, and forget it eventually", () => {
    const converter = new MetricConverter({ temporality: "delta" });
    formed(converter, metric(acceptedSpec, 110, 5));
    for (let i = 0; i < 10; i++) converter.convert([]);
    assert.equal(formed(converter, metric(acceptedSpec, 230, 6)).value, 1);
    for (let i = 0; i < 100; i++) converter.convert([]);
    assert.equal(formed(converter, metric(acceptedSpec, 990, 6)).value, 6);
  });

  it("as delta exclude levels and gauges; as lowmemory only histograms are deltas", () => {
    const kinds = (temporality: "delta" | "lowmemory") =>
      [acceptedSpec, softirqSpec, levelSpec, gaugeSpec].map((spec) => {
        const value = spec === softirqSpec ? histogram(0, [1]) : 1;
        return formed(new MetricConverter({ temporality }), metric(spec, 110, value)).delta;
      });
    assert.deepEqual(kinds("delta"), [true, true, false, false]);
    assert.deepEqual(kinds("lowmemory"), [false, true, false, false]);
  });

  it("as delta subtract histograms by bucket, without extremes, and keep no reference to the buffer", () => {
    const converter = new MetricConverter({ temporality: "delta" });
    const buffer = Float64Array.of(1, 2, 3);
    const first = histogram(-10, [1, 2, 3], { zeroCount: 1, zeroThreshold: 2 ** -24, min: 0.1, max: 0.9 });
    const whole = formed(converter, metric(softirqSpec, 110, { ...first, counts: buffer }))
      .value as ExponentialHistogram;
    assert.deepEqual([whole.count, whole.min, whole.max], [7, undefined, undefined]);
    buffer.fill(99);
    const second = histogram(-12, [4, 0, 1, 5, 3, 0, 2], { zeroCount: 3, zeroThreshold: 2 ** -24, max: 1 });
    const delta = formed(converter, metric(softirqSpec, 120, second)).value as ExponentialHistogram;
    assert.deepEqual(
      { ...delta, counts: [...Array.from(delta.counts)] },
      {
        count: 11,
        sum: 11 / 8,
        scale: 3,
        zeroCount: 2,
        zeroThreshold: 2 ** -24,
        offset: -12,
        counts: [4, 0, 0, 3, 0, 0, 2],
      },
    );
  });

  it("as deltas add up to the cumulative sums, whatever comes", () => {
    const steps = fc.array(fc.array(fc.nat({ max: 9 }), { minLength: 12, maxLength: 12 }), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(steps, (increments) => {
        const converter = new MetricConverter({ temporality: "delta", histograms: "explicit" });
        const whole = new MetricConverter({ histograms: "explicit" });
        const counts = new Array<number>(12).fill(0);
        let sum: number[] = [];
        let last: ExplicitHistogram | undefined;
        for (const [i, increment] of increments.entries()) {
          for (const [j, n] of increment.entries()) counts[j]! += n;
          const given = metric(softirqSpec, 110 + i, histogram(-40, [...counts]));
          const delta = formed(converter, given).value as ExplicitHistogram;
          sum = delta.counts.map((n, j) => n + (sum[j] ?? 0));
          last = formed(whole, given).value as ExplicitHistogram;
        }
        assert.deepEqual(sum, last!.counts);
      }),
    );
  });

  it("with explicit buckets put every value in the right bucket, for powers of two", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -190, max: 60 }), { minLength: 1, maxLength: 50 }),
        (indices) => {
          const offset = Math.min(...indices);
          const counts = new Array<number>(Math.max(...indices) - offset + 1).fill(0);
          for (const index of indices) counts[index - offset]!++;
          const value = formed(
            new MetricConverter({ histograms: "explicit" }),
            metric(softirqSpec, 110, histogram(offset, counts)),
          ).value as ExplicitHistogram;
          const expected = new Array<number>(value.bounds.length + 1).fill(0);
          for (const index of indices) {
            // The middle of the bucket represents all of it: no bound is inside.
            const middle = 2 ** ((index + 0.5) / 8);
            const bucket = value.bounds.findIndex((bound) => middle <= bound);
            expected[bucket < 0 ? value.bounds.length : bucket]!++;
          }
          assert.deepEqual(value.counts, expected);
          assert.equal(value.count, indices.length);
        },
      ),
    );
  });

  it("with custom boundaries are off by at most half a bucket at each of them", () => {
    const boundaries = [0.001, 0.005, 0.01, 0.3, 7];
    fc.assert(
      fc.property(fc.double({ min: 1e-6, max: 50, noNaN: true }), (seconds) => {
        const index = Math.ceil(Math.log2(seconds) * 8) - 1;
        const converter = new MetricConverter({ histograms: "explicit", boundaries });
        const { counts } = formed(converter, metric(softirqSpec, 110, histogram(index, [1])))
          .value as ExplicitHistogram;
        const bucket = counts.indexOf(1);
        const [above = 0, below = Number.POSITIVE_INFINITY] = [boundaries[bucket - 1], boundaries[bucket]];
        const slack = 2 ** (1.001 / 16);
        assert.ok(seconds > above / slack && seconds <= below * slack, `${seconds} in (${above}, ${below}]`);
      }),
    );
  });

  it("with explicit buckets keep zeros, extremes and sums, and use powers of two from 1 for other units", () => {
    const given = histogram(0, [2, 1], { zeroCount: 4, zeroThreshold: 2 ** -24, min: 0, max: 1.1, sum: 3 });
    const converter = new MetricConverter({ histograms: "explicit" });
    const { data, value } = formed(converter, metric(softirqSpec, 110, given));
    const explicit = value as ExplicitHistogram;
    assert.equal(data, "explicit");
    assert.deepEqual([explicit.count, explicit.sum, explicit.min, explicit.max], [7, 3, 0, 1.1]);
    assert.deepEqual([explicit.counts[0], explicit.counts[explicit.bounds.indexOf(2)]], [4, 3]);
    const bytes = formed(converter, metric({ ...softirqSpec, unit: "By" }, 110, histogram(80, [1]))).value;
    assert.deepEqual((bytes as ExplicitHistogram).bounds.slice(0, 3), [1, 2, 4]);
    assert.equal((bytes as ExplicitHistogram).counts[11], 1, "(1024, 1117] is above 1024");
  });
});
