// Heatmaps: how many values there were by time and size, from sums. Tests: store/query/queries.test.ts.
import type { Heat, HeatPart } from "../answers.ts";
import { Histogram, upperBound } from "../histogram.ts";
import type { Edge } from "../sums/edge.ts";
import type { EdgeWindow } from "./edges.ts";
import { grid } from "./overview.ts";
import type { Interval } from "./scan.ts";
import type { HistogramWindow } from "./series.ts";

/** Maximum columns of a heatmap. */
const COLUMNS = 240;
/** Maximum parts of one. */
const PARTS = 6;

/** Values by time and bucket. `seconds`: of a window. */
export function heat(all: readonly HistogramWindow[], seconds: number, interval: Interval): Heat {
  const { t0, step, bars } = grid(interval, seconds, COLUMNS);
  const cells = new Map<number, Float64Array>();
  const sum = new Histogram();
  let total = 0;
  for (const { begin, histogram } of all) {
    sum.merge(histogram);
    const column = Math.min(bars - 1, Math.max(0, Math.floor((begin - t0) / step)));
    for (const [bucket, count] of histogram.buckets) {
      let row = cells.get(bucket);
      if (row === undefined) {
        row = new Float64Array(bars);
        cells.set(bucket, row);
      }
      row[column]! += count;
      total += count;
    }
  }
  const buckets = [...cells.keys()].sort((a, b) => a - b);
  return {
    t0,
    step,
    columns: bars,
    total,
    p50: sum.quantile(0.5),
    p99: sum.quantile(0.99),
    bounds: buckets.map(upperBound),
    counts: buckets.map((bucket) => Array.from(cells.get(bucket)!)),
  };
}

/** A heatmap for each of the values that most windows have. */
export function split(
  all: readonly EdgeWindow[],
  field: (edge: Edge) => string,
  drawn: (some: readonly EdgeWindow[]) => Heat,
): HeatPart[] {
  return [...Map.groupBy(all, ({ edge }) => field(edge))]
    .map(([value, some]) => ({ value, heat: drawn(some) }))
    .filter(({ heat: { total } }) => total > 0)
    .sort((a, b) => b.heat.total - a.heat.total)
    .slice(0, PARTS);
}

/**
 * Seconds after which a SYN without an answer is retransmitted the first time, the second time and so on: the timeout
 * is a second, and doubles after the linear ones.
 */
export function synTimes(linear: number): number[] {
  const times: number[] = [];
  let timeout = 1;
  for (let at = timeout; at < 64; at += timeout) {
    times.push(at);
    if (times.length > linear) timeout *= 2;
  }
  return times;
}
