// One collection of metrics as a few lines: rates of events, and levels that changed.
import type { Metric, MetricSpec, Point, Resource } from "../../core/plugin/signals.ts";
import { attributesKey, Deltas, isCumulative, ResourceNames } from "../deltas.ts";
import { isLoss, plain } from "./describe.ts";
import { clockTime, type Paint, quantity } from "./format.ts";

/** Series shown per metric, and metrics shown per collection; the others are only counted. */
const MAX_SERIES = 3;
const MAX_METRICS = 16;
/** Of the agent's own metrics, only losses and impaired plugins are shown. */
const OWN = /^(otel\.sdk\.|wirespan\.(agent|bpf)\.)/;

interface Row {
  readonly text: string;
  readonly weight: number;
}

export class MetricSummary {
  readonly #deltas = new Deltas();
  readonly #resources = new ResourceNames();
  /** Levels at the last collection only: a series that ends is forgotten. */
  #levels = new Map<string, number>();

  /** The lines of one collection; "" if nothing happened. */
  write(metrics: readonly Metric[], paint: Paint): string {
    const levels = new Map<string, number>();
    const rows = new Map<MetricSpec, Row[]>();
    const added = this.#deltas.next(metrics);
    for (const [i, metric] of metrics.entries()) {
      const ofMetric = rows.get(metric.spec) ?? [];
      rows.set(metric.spec, ofMetric);
      for (const [j, point] of metric.points.entries()) {
        if (!isNews(metric.spec, point)) continue;
        const row = isCumulative(metric.spec)
          ? increaseRow(metric, added[i]!.points[j]!)
          : this.#levelRow(metric, point, levels);
        if (row !== undefined) ofMetric.push(row);
      }
    }
    this.#levels = levels;
    const changed = [...rows].filter(([, all]) => all.length > 0);
    const [first] = metrics;
    if (first === undefined || changed.length === 0) return "";
    const lines = changed.slice(0, MAX_METRICS).map(([spec, all]) => line(spec, all, paint));
    const more = changed.length - lines.length;
    return [
      `${paint.dim(`${clockTime(first.time)}  metrics`)}\n`,
      ...lines,
      more > 0 ? `  ${paint.dim(`and ${more} more metrics`)}\n` : "",
    ].join("");
  }

  /** Undefined if the level has not changed. */
  #levelRow({ spec, resource }: Metric, point: Point, levels: Map<string, number>): Row | undefined {
    const key = `${spec.name}\n${this.#resources.of(resource)}\n${attributesKey(point.attributes)}`;
    const level = point.value as number;
    levels.set(key, level);
    if (level === (this.#levels.get(key) ?? 0)) return undefined;
    return { text: `${labelOf(point, resource)} ${quantity(level, spec.unit)}`, weight: Math.abs(level) };
  }
}

/** The increase of a counter or histogram; undefined if there is none. */
function increaseRow({ spec, time, resource }: Metric, point: Point): Row | undefined {
  const { value, start } = point;
  const label = labelOf(point, resource);
  const count = typeof value === "number" ? value : value.count;
  const elapsed = (time.bootNs - start.bootNs) / 1e9;
  if (count <= 0 || elapsed <= 0) return undefined;
  const perSecond = count / elapsed;
  if (typeof value === "number") return { text: `${label} ${rate(perSecond, spec.unit)}`, weight: count };
  const mean = quantity(value.sum / count, spec.unit);
  return { text: `${label} ${quantity(perSecond, "1")}/s of ${mean}`, weight: count };
}

/** The agent's own metrics are shown only if something is lost or impaired. */
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

/** What distinguishes series for people, without namespace numbers and the like; otherwise the service. */
function labelOf({ attributes }: Point, resource: Resource): string {
  const label = Object.entries(attributes)
    .filter(([key, value]) => value !== undefined && !/^wirespan\.netns\./.test(key))
    .map(([, value]) => plain(value!))
    .join(" ");
  return label || plain(resource.attributes["service.name"] ?? "");
}
