// Metric series over an interval. Tests: store/query/queries.test.ts.
import { Histogram } from "../histogram.ts";
import { COVERED, type Points, type Series } from "../points.ts";
import { LEVELS } from "../sums/windows.ts";
import type { Interval } from "./scan.ts";

export interface SeriesTotal {
  readonly series: Series;
  /** A counter's increase, a gauge's last value. */
  total: number;
  /** A gauge's maximum. */
  most: number;
  readonly histogram: Histogram;
  /** By beginning of the window, seconds. */
  readonly values: Map<number, number>;
}

/** The increase of a histogram in the window that begins at `begin`, seconds. */
export interface HistogramWindow {
  readonly begin: number;
  readonly histogram: Histogram;
}

export interface SeriesOfInterval {
  /** Of the windows in which anything was collected, seconds since the epoch, ascending. */
  readonly begins: readonly number[];
  /** Seconds between the collections of a window, by its beginning, and of all. */
  readonly covered: ReadonlyMap<number, number>;
  readonly seconds: number;
  /** Seconds of one window. */
  readonly step: number;
  of(metric: string): readonly SeriesTotal[];
}

export class SeriesQuery {
  readonly #points: Points;

  constructor(points: Points) {
    this.#points = points;
  }

  /** The series of some metrics, or of all, in an interval; at most `most` windows. */
  between(
    { from, to }: Interval,
    nowSeconds: number,
    names?: readonly string[],
    most = 360,
  ): SeriesOfInterval {
    const level = levelOf({ from, to }, nowSeconds, most);
    const totals = new Map<number, SeriesTotal>();
    const wanted = names && new Set(names);
    const skipped = new Set<number>();
    const begins: number[] = [];
    const covered = new Map<number, number>();
    for (const [begin, values] of this.#points.between(LEVELS.indexOf(level), from / 1e6, to / 1e6)) {
      begins.push(begin);
      covered.set(begin, Number(values.get(COVERED) ?? level.seconds));
      for (const [id, value] of values) {
        if (skipped.has(id)) continue;
        let total = totals.get(id);
        if (total === undefined) {
          const series = this.#points.series(id);
          if (series === undefined || wanted?.has(series.metric.name) === false) {
            skipped.add(id);
            continue;
          }
          total = { series, total: 0, most: 0, histogram: new Histogram(), values: new Map() };
          totals.set(id, total);
        }
        if (value instanceof Histogram) {
          total.histogram.merge(value);
          continue;
        }
        const isCounter = total.series.metric.instrument === "counter";
        total.total = isCounter ? total.total + value : value;
        total.most = Math.max(total.most, value);
        total.values.set(begin, value);
      }
    }
    const byMetric = Map.groupBy(totals.values(), ({ series }) => series.metric.name);
    return {
      begins,
      seconds: covered.values().reduce((sum, seconds) => sum + seconds, 0),
      covered,
      step: level.seconds,
      of: (metric) => byMetric.get(metric) ?? [],
    };
  }

  /** A histogram's windows, of the series that `matches` lets pass. */
  histograms(
    interval: Interval,
    nowSeconds: number,
    name: string,
    matches: (series: Series) => boolean,
  ): { readonly seconds: number; readonly all: readonly HistogramWindow[] } {
    const { from, to } = interval;
    const level = levelOf(interval, nowSeconds, 360);
    const all: HistogramWindow[] = [];
    for (const [begin, values] of this.#points.between(LEVELS.indexOf(level), from / 1e6, to / 1e6)) {
      for (const [id, value] of values) {
        if (!(value instanceof Histogram)) continue;
        const series = this.#points.series(id);
        if (series?.metric.name === name && matches(series)) all.push({ begin, histogram: value });
      }
    }
    return { seconds: level.seconds, all };
  }
}

/** The finest windows that reach back far enough and are not more than `most`. */
function levelOf({ from, to }: Interval, nowSeconds: number, most: number) {
  const [fine, coarse] = LEVELS;
  const isRecent = from / 1e6 >= nowSeconds - fine.kept;
  return isRecent && (to - from) / 1e6 / fine.seconds <= most ? fine : coarse;
}

/** Adds up series with the same `key`. */
export function groupTotals(
  all: readonly SeriesTotal[],
  key: (series: Series) => string,
): ReadonlyMap<string, SeriesTotal> {
  const groups = new Map<string, SeriesTotal>();
  for (const one of all) {
    const name = key(one.series);
    const group = groups.get(name);
    if (group === undefined) {
      const histogram = new Histogram();
      histogram.merge(one.histogram);
      groups.set(name, { ...one, histogram, values: new Map(one.values) });
      continue;
    }
    group.total += one.total;
    group.most += one.most;
    group.histogram.merge(one.histogram);
    for (const [begin, value] of one.values) group.values.set(begin, (group.values.get(begin) ?? 0) + value);
  }
  return groups;
}
