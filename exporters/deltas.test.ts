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
