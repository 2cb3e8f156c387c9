import assert from "node:assert/strict";
import type { ExponentialHistogram, Metric } from "../core/plugin/signals.ts";
import { acceptedSpec, softirqSpec } from "../test/support/telemetry.ts";
import { Deltas } from "./deltas.ts";

const at = (sec: number) => ({ sec, nsec: 0, bootNs: sec * 1e9 });
const resource = { attributes: {} };
const scope = { name: "wirespan.test", version: "1" };

function histogram(sec: number, counts: readonly number[], max: number): Metric {
  const count = counts.reduce((sum, n) => sum + n, 0);
  const value = { count, sum: count, scale: 3, zeroCount: 0, offset: -8, counts, max };
  return {
    spec: softirqSpec,
    scope,
    resource,
    time: at(sec),
    points: [{ attributes: {}, start: at(1), value }],
  };
}

const histogramOf = ([metric]: readonly Metric[]) => metric!.points[0]!.value as ExponentialHistogram;

describe("deltas", () => {
  it("trim the buckets that did not grow", () => {
    const deltas = new Deltas();
    deltas.next([histogram(10, [1, 2, 3, 4], 0.9)]);
    const { offset, counts, count } = histogramOf(deltas.next([histogram(20, [1, 5, 3, 4], 0.9)]));
    assert.deepEqual(
      { offset, counts: [...Array.from(counts)], count },
      { offset: -7, counts: [3], count: 3 },
    );
  });

  it("know the maximum of an interval only if it is the greatest of all", () => {
    const deltas = new Deltas();
    const maxima = [0.5, 0.5, 0.7].map(
      (max, i) => histogramOf(deltas.next([histogram(10 + i, [i + 1], max)])).max,
    );
    assert.deepEqual(maxima, [0.5, undefined, 0.7]);
  });

  it("keep an exemplar if its value was counted in the interval", () => {
    const deltas = new Deltas();
    /** As the last of these values was; buckets are above 0.5, 0.545, 0.595. */
    const after = (value: number, ...counts: readonly number[]) => {
      const metric = histogram(10 + value, counts, value);
      const exemplar = { value, time: at(1), traceId: new Uint8Array(16), spanId: new Uint8Array(8) };
      const points = metric.points.map((p) => ({ ...p, value: { ...histogramOf([metric]), exemplar } }));
      return histogramOf(deltas.next([{ ...metric, points }])).exemplar?.value;
    };
    assert.deepEqual(
      [after(0.52, 1, 0, 0), after(0.55, 1, 1, 0), after(0.55, 2, 1, 0), after(0.6, 2, 1, 1)],
      [0.52, 0.55, undefined, 0.6],
    );
  });

  it("leave out what the caller excludes, and levels by default", () => {
    const deltas = new Deltas();
    const counter = (value: number): Metric => ({
      spec: acceptedSpec,
      scope,
      resource,
      time: at(value),
      points: [{ attributes: {}, start: at(1), value }],
    });
    deltas.next([counter(10)]);
    assert.equal(deltas.next([counter(12)])[0]!.points[0]!.value, 2);
    assert.equal(deltas.next([counter(15)], () => false)[0]!.points[0]!.value, 15);
    const level = { ...counter(20), spec: { ...acceptedSpec, instrument: "updowncounter" as const } };
    assert.deepEqual(deltas.next([level]), [level]);
  });
});
