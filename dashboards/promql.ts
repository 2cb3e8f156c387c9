// PromQL over the metrics that the plugins and the agent declare, with names and labels as Prometheus and VictoriaMetrics derive them
// from OTLP. An undeclared metric or attribute is an error. Tests: dashboards/promql.test.ts.
import { INTERNAL_TELEMETRY } from "../agent/internal-telemetry.ts";
import { importPlugin, installedPlugins } from "../core/engine/discover.ts";
import type { MetricSpec, Signals } from "../core/plugin/signals.ts";

const plugins = await Promise.all(installedPlugins().map((name) => importPlugin(name)));
const declared = new Map(
  [...plugins.map(({ signals }) => signals), INTERNAL_TELEMETRY as Signals]
    .flatMap((signals) => Object.values(signals))
    .filter((signal) => signal.signal === "metric")
    .map((metric) => [metric.name, metric]),
);

/** Resource attributes that the stores must have as labels. */
const RESOURCE_LABELS = ["host.name", "service.namespace", "service.name", "service.instance.id"];

const SUFFIXES: Readonly<Record<string, string>> = { s: "_seconds", By: "_bytes" };

function specOf(name: string): MetricSpec {
  const spec = declared.get(name);
  if (!spec) throw new Error(`no plugin declares the metric ${name}`);
  return spec;
}

/** `service.name` → `service_name`. */
export const labelOf = (attribute: string): string => attribute.replaceAll(".", "_");

/** A metric's name in a store: `wirespan.tcp.io` → `wirespan_tcp_io_bytes_total`. */
export function nameOf(metric: string): string {
  const { instrument, unit } = specOf(metric);
  return labelOf(metric) + (SUFFIXES[unit] ?? "") + (instrument === "counter" ? "_total" : "");
}

/** A label of a metric, checked against its declaration. */
function labelIn(metric: string, attribute: string): string {
  if (!RESOURCE_LABELS.includes(attribute) && !(attribute in specOf(metric).attributes))
    throw new Error(`${metric} has no attribute ${attribute}`);
  return labelOf(attribute);
}

/** Conditions on attributes: operator and value, such as `!=""` or `=~"rst_.*"`. */
export type Where = Readonly<Record<string, string>>;

/** Expressions with the same matchers in each selector and the same window in each range. */
export class Queries {
  /** For example `service_name=~"$service"`. */
  readonly matchers: readonly string[];
  /** For example `5m`. */
  readonly window: string;

  constructor(matchers: readonly string[], window: string) {
    this.matchers = matchers;
    this.window = window;
  }

  /** The sum per second. */
  rate(metric: string, by: readonly string[], where: Where = {}): string {
    return this.#over("sum", "rate", metric, by, where);
  }

  /**
   * The increase within the window, for rare events: VictoriaMetrics counts a series from 0, while its rate() misses the
   * first value; so does Prometheus with the feature created-timestamp-zero-ingestion.
   */
  increase(metric: string, by: readonly string[], where: Where = {}): string {
    return this.#over("sum", "increase", metric, by, where);
  }

  /** The ratio of two metrics' increases; absent if either has no series. */
  share(
    by: readonly string[],
    [part, ofPart = {}]: readonly [string, Where?],
    [whole, ofWhole = {}]: readonly [string, Where?],
  ): string {
    return `${this.increase(part, by, ofPart)} / ${this.increase(whole, by, ofWhole)}`;
  }

  /** The sum of the last values. Without a window, stores show the last value of an ended series for minutes. */
  now(metric: string, by: readonly string[], where: Where = {}): string {
    return this.#over("sum", "last_over_time", metric, by, where);
  }

  /** An aggregation of a function over the window, for example the maximum of `max_over_time`. */
  over(aggregate: string, range: string, metric: string, by: readonly string[], where: Where = {}): string {
    return this.#over(aggregate, range, metric, by, where);
  }

  /**
   * A quantile of a histogram, in whatever form the store has it: buckets by `le` (explicit) or by `vmrange` (VictoriaMetrics),
   * or native ones (Prometheus).
   */
  quantile(q: number, metric: string, by: readonly string[], where: Where = {}): string {
    if (specOf(metric).instrument !== "histogram") throw new Error(`${metric} is not a histogram`);
    const labels = this.#labels(metric, by);
    const within = (suffix: string) =>
      `increase(${this.#select(nameOf(metric) + suffix, metric, where)}[${this.window}])`;
    const buckets = `sum by (${["le", "vmrange", labels].filter(Boolean).join(", ")}) (${within("_bucket")})`;
    const native = `sum by (${labels}) (${within("")})`;
    return `histogram_quantile(${q}, ${buckets}) or histogram_quantile(${q}, ${native})`;
  }

  #over(aggregate: string, range: string, metric: string, by: readonly string[], where: Where): string {
    const selector = this.#select(nameOf(metric), metric, where);
    return `${aggregate} by (${this.#labels(metric, by)}) (${range}(${selector}[${this.window}]))`;
  }

  #labels(metric: string, by: readonly string[]): string {
    return by.map((attribute) => labelIn(metric, attribute)).join(", ");
  }

  #select(name: string, metric: string, where: Where): string {
    const conditions = Object.entries(where).map(
      ([attribute, condition]) => labelIn(metric, attribute) + condition,
    );
    const all = [...this.matchers, ...conditions].join(", ");
    return all === "" ? name : `${name}{${all}}`;
  }
}
