// One collection of metrics as a few lines: last values, and rates where there is a collection before.
import type { AnyAttributes, Metric, MetricSpec, Point } from "../../core/signals.ts";
import { clockTime, type Paint, quantity } from "./format.ts";

/** Series shown of one metric; the others are summed up in their number. */
const MAX_SERIES = 4;

/** A series as it was when last seen. */
interface Seen {
  /** Seconds since boot. */
  readonly at: number;
  readonly count: number;
  readonly sum: number;
}

interface Row {
  readonly text: string;
  readonly weight: number;
}

export class Summary {
  /** Only what the last collection had: what ends is forgotten. */
  #before = new Map<string, Seen>();

  /** The lines of one collection; "" where nothing changed. */
  write(metrics: readonly Metric[], paint: Paint): string {
    const now = new Map<string, Seen>();
    const rows = new Map<MetricSpec, Row[]>();
    for (const metric of metrics) {
      const ofMetric = rows.get(metric.spec) ?? [];
      rows.set(metric.spec, ofMetric);
      const service = metric.resource.attributes["service.name"];
      for (const point of metric.points) {
        const row = this.#row(metric, point, String(service ?? ""), now);
        if (row !== undefined) ofMetric.push(row);
      }
    }
    this.#before = now;
    const lines = [...rows].filter(([, all]) => all.length > 0).map(([spec, all]) => line(spec, all, paint));
    const first = metrics[0];
    return first === undefined || lines.length === 0
      ? ""
      : `${paint.dim(`${clockTime(first.time)}  metrics`)}\n${lines.join("")}`;
  }

  #row(metric: Metric, point: Point, service: string, now: Map<string, Seen>): Row | undefined {
    const { spec, time } = metric;
    const { value } = point;
    const label = labelOf(point.attributes) || service;
    const key = `${spec.name}\u0000${service}\u0000${JSON.stringify(point.attributes)}`;
    const at = time.bootNs / 1e9;
    const histogram = typeof value !== "number";
    const seen = { at, count: histogram ? value.count : value, sum: histogram ? value.sum : value };
    now.set(key, seen);
    if (spec.instrument === "gauge" || spec.instrument === "updowncounter") {
      return { text: `${label} ${quantity(seen.sum, spec.unit)}`, weight: Math.abs(seen.sum) };
    }
    const before = this.#before.get(key) ?? {
      at: point.start.bootNs / 1e9,
      count: 0,
      sum: 0,
    };
    const count = seen.count - before.count;
    const elapsed = at - before.at;
    if (count <= 0 || elapsed <= 0) return undefined;
    if (!histogram) return { text: `${label} ${rate(count / elapsed, spec.unit)}`, weight: count };
    const mean = quantity((seen.sum - before.sum) / count, spec.unit);
    return { text: `${label} ${quantity(count / elapsed, "1")}/s of ${mean}`, weight: count };
  }
}

function line(spec: MetricSpec, rows: Row[], paint: Paint): string {
  rows.sort((a, b) => b.weight - a.weight);
  const shown = rows.slice(0, MAX_SERIES).map(({ text }) => text);
  if (rows.length > MAX_SERIES) shown.push(paint.dim(`and ${rows.length - MAX_SERIES} more`));
  return `  ${paint.name(spec.name)}  ${shown.join(paint.dim(" | "))}\n`;
}

/** Seconds spent in a second are a share of one CPU. */
function rate(perSecond: number, unit: string): string {
  return unit === "s" ? `${Number((perSecond * 100).toPrecision(3))} %` : `${quantity(perSecond, unit)}/s`;
}

function labelOf(attributes: AnyAttributes): string {
  return Object.values(attributes)
    .filter((value) => value !== undefined)
    .map(String)
    .join(" ");
}
