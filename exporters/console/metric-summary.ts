// One collection of metrics as a few lines: rates of what happened, and levels that changed.
import type { AnyAttributes, Metric, MetricSpec, Point } from "../../core/plugin/signals.ts";
import { isLoss, plain } from "./describe.ts";
import { clockTime, type Paint, quantity } from "./format.ts";

/** Series shown of one metric, and metrics shown of a collection; the others are summed up in their number. */
const MAX_SERIES = 3;
const MAX_METRICS = 16;
/** Of the agent itself only what is lost or does not run is news. */
const OWN = /^(otel\.sdk\.|wirespan\.(agent|bpf)\.)/;

/** A series as it was when last seen. */
interface Seen {
  /** Nanoseconds since boot. */
  readonly bootNs: number;
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

  /** The lines of one collection; "" if nothing happened. */
  write(metrics: readonly Metric[], paint: Paint): string {
    const now = new Map<string, Seen>();
    const rows = new Map<MetricSpec, Row[]>();
    for (const metric of metrics) {
      const ofMetric = rows.get(metric.spec) ?? [];
      rows.set(metric.spec, ofMetric);
      for (const point of metric.points) {
        if (!isNews(metric.spec, point)) continue;
        const row = this.#row(metric, point, now);
        if (row !== undefined) ofMetric.push(row);
      }
    }
    this.#before = now;
    const said = [...rows].filter(([, all]) => all.length > 0);
    const [first] = metrics;
    if (first === undefined || said.length === 0) return "";
    const lines = said.slice(0, MAX_METRICS).map(([spec, all]) => line(spec, all, paint));
    const more = said.length - lines.length;
    return [
      `${paint.dim(`${clockTime(first.time)}  metrics`)}\n`,
      ...lines,
      more > 0 ? `  ${paint.dim(`and ${more} more metrics`)}\n` : "",
    ].join("");
  }

  #row(metric: Metric, point: Point, now: Map<string, Seen>): Row | undefined {
    const { spec, time, resource } = metric;
    const { value } = point;
    const service = plain(resource.attributes["service.name"] ?? "");
    const label = labelOf(point.attributes) || service;
    const key = `${spec.name}\u0000${JSON.stringify(resource.attributes)}\u0000${JSON.stringify(point.attributes)}`;
    const histogram = typeof value !== "number";
    const seen = {
      bootNs: time.bootNs,
      count: histogram ? value.count : value,
      sum: histogram ? value.sum : value,
    };
    now.set(key, seen);
    const before = this.#before.get(key);
    if (spec.instrument === "gauge" || spec.instrument === "updowncounter") {
      if (seen.sum === (before?.sum ?? 0)) return undefined;
      return { text: `${label} ${quantity(seen.sum, spec.unit)}`, weight: Math.abs(seen.sum) };
    }
    const count = seen.count - (before?.count ?? 0);
    const elapsed = (time.bootNs - (before?.bootNs ?? point.start.bootNs)) / 1e9;
    if (count <= 0 || elapsed <= 0) return undefined;
    if (!histogram) return { text: `${label} ${rate(count / elapsed, spec.unit)}`, weight: count };
    const mean = quantity((seen.sum - (before?.sum ?? 0)) / count, spec.unit);
    return { text: `${label} ${quantity(count / elapsed, "1")}/s of ${mean}`, weight: count };
  }
}

/** The agent's own metrics say nothing as long as nothing is lost. */
function isNews({ name }: MetricSpec, { attributes, value }: Point): boolean {
  if (!OWN.test(name)) return true;
  if (name === "wirespan.agent.plugin.state")
    return value === 1 && attributes["wirespan.agent.plugin.state"] !== "running";
  return isLoss(name, attributes);
}

function line(spec: MetricSpec, rows: Row[], paint: Paint): string {
  rows.sort((a, b) => b.weight - a.weight);
  const shown = rows.slice(0, MAX_SERIES).map(({ text }) => text);
  if (rows.length > MAX_SERIES) shown.push(paint.dim(`and ${rows.length - MAX_SERIES} more`));
  return `  ${paint.name(titleOf(spec.name))}  ${shown.join(paint.dim(" | "))}\n`;
}

/** `tcp connection duration`. */
const titleOf = (name: string): string => name.replace(/^wirespan\./, "").replaceAll(/[._]/g, " ");

/** Seconds spent in a second are a share of one CPU. */
function rate(perSecond: number, unit: string): string {
  return unit === "s" ? `${Number((perSecond * 100).toPrecision(3))} %` : `${quantity(perSecond, unit)}/s`;
}

/** What tells series apart for people: not the numbers of namespaces and the like. */
function labelOf(attributes: AnyAttributes): string {
  return Object.entries(attributes)
    .filter(([key, value]) => value !== undefined && !/^wirespan\.netns\./.test(key))
    .map(([, value]) => plain(value!))
    .join(" ");
}
