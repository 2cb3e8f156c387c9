// Sums by edge over time, selected by a filter. Tests: store/query/queries.test.ts.

import type { Rows } from "../../exporters/local/columns.ts";
import { Histogram } from "../histogram.ts";
import { Measures } from "../measure.ts";
import { type Edge, keyOf, type Measured, type Summed, Sums } from "../sums/edge.ts";
import { LEVELS, type Windows } from "../sums/windows.ts";
import type { Filter, Subject } from "./filter.ts";
import type { Resources } from "./resources.ts";
import type { Interval, Progress, Scan, Slice } from "./scan.ts";
import type { HistogramWindow } from "./series.ts";

/** One edge in one window. */
export interface EdgeWindow {
  /** Seconds since the epoch. */
  readonly begin: number;
  readonly edge: Edge;
  readonly sums: Summed;
}

export interface EdgeWindows {
  /** Seconds of a window. */
  readonly seconds: number;
  readonly all: readonly EdgeWindow[];
}

/** Fields of edges. */
export const SPLIT = ["service", "peer", "port", "direction"] as const;

export function edgeField(edge: Edge, field: (typeof SPLIT)[number], resources: Resources): string {
  return field === "service" ? resources.service(edge.resource) : String(edge[field]);
}

export const SPANS = ["tcp connection", "tcp connect", "tcp accept"];

/** What an edge begins at in place of the row's resource. */
export type OwnerOf = (slice: Slice, row: number) => number;

export class Edges {
  readonly #windows: Windows;
  readonly #scan: Scan;
  readonly #resources: Resources;

  constructor(windows: Windows, scan: Scan) {
    this.#windows = windows;
    this.#scan = scan;
    this.#resources = scan.resources;
  }

  /** From the sums, which are exact, if they can answer the filter; otherwise from the individually stored rows. */
  async between(
    interval: Interval,
    filter: Filter,
    progress: Progress,
    nowSeconds: number,
    most?: number,
  ): Promise<EdgeWindows> {
    const from = interval.from / 1e6;
    const to = interval.to / 1e6;
    const level = this.#windows.levelFor(from, to, nowSeconds, most);
    const { seconds } = LEVELS[level]!;
    if (!filter.isOfEdges) return { seconds, all: await this.#fromRows(interval, filter, progress, seconds) };
    const all: EdgeWindow[] = [];
    for (const [begin, window] of this.#windows.between(level, from, to)) {
      for (const [id, sums] of window) {
        const edge = this.#windows.edge(id);
        if (filter.matches(this.#subject(edge))) all.push({ begin, edge, sums });
      }
      if (!(await progress.goOn(0, 1))) break;
    }
    return { seconds, all };
  }

  /** From the individually stored rows, with an edge for each owner. */
  async byOwner(
    interval: Interval,
    filter: Filter,
    progress: Progress,
    nowSeconds: number,
    ownerOf: OwnerOf,
  ): Promise<EdgeWindows> {
    const { seconds } = LEVELS[this.#windows.levelFor(interval.from / 1e6, interval.to / 1e6, nowSeconds)]!;
    return { seconds, all: await this.#fromRows(interval, filter, progress, seconds, ownerOf) };
  }

  async #fromRows(
    interval: Interval,
    filter: Filter,
    progress: Progress,
    seconds: number,
    ownerOf: OwnerOf = ({ rows }, row) => rows.resource[row]!,
  ): Promise<EdgeWindow[]> {
    const windows = new Map<string, EdgeWindow & { readonly sums: Sums }>();
    const measures = new WeakMap<Rows, Measures>();
    await this.#scan.rows(SPANS, interval, filter, progress, (slice, i) => {
      const { signal, rows } = slice;
      const measured = measures.get(rows) ?? new Measures(signal, rows);
      measures.set(rows, measured);
      if (!measured.isSummed(i)) return;
      const edge = measured.edge(i, ownerOf(slice, i));
      const end = (rows.start[i]! + rows.duration[i]! / 1000) / 1e6;
      const begin = Math.floor(end / seconds) * seconds;
      const key = `${begin} ${keyOf(edge)}`;
      let window = windows.get(key);
      if (window === undefined) {
        window = { begin, edge, sums: new Sums() };
        windows.set(key, window);
      }
      measured.sumInto([window.sums], i);
    });
    return [...windows.values()].sort((a, b) => a.begin - b.begin);
  }

  #subject(edge: Edge): Subject {
    return {
      text: (field) => {
        const own = SPLIT.find((one) => one === field);
        return own && edgeField(edge, own, this.#resources);
      },
      number: () => undefined,
    };
  }
}

export interface EdgeSums {
  readonly edge: Edge;
  readonly sums: Sums;
}

/** A histogram of all edges for each window. */
export function histograms(windows: readonly EdgeWindow[], of: Measured): HistogramWindow[] {
  const byBegin = new Map<number, HistogramWindow>();
  for (const { begin, sums } of windows) {
    let window = byBegin.get(begin);
    if (window === undefined) {
      window = { begin, histogram: new Histogram() };
      byBegin.set(begin, window);
    }
    sums.addHistogram(of, window.histogram);
  }
  return [...byBegin.values()];
}

/** The sums of all windows by their edges' keys. */
export function totals(windows: readonly EdgeWindow[]): Map<string, EdgeSums> {
  const byEdge = new Map<string, EdgeSums>();
  for (const { edge, sums } of windows) {
    const key = keyOf(edge);
    let total = byEdge.get(key);
    if (total === undefined) {
      total = { edge, sums: new Sums() };
      byEdge.set(key, total);
    }
    sums.addTo(total.sums);
  }
  return byEdge;
}
