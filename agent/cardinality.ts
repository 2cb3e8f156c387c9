// The number of metric series: an upper bound from the declarations of their attributes, and a typical number for each
// combination of values on the host.
import type { Config } from "../config/config.ts";
import type { Plugin } from "../core/plugin/plugin.ts";
import type { AttributeSpec, MetricSpec } from "../core/plugin/signals.ts";

/** Attributes, each with the values that count. */
export type Each = Readonly<Record<string, readonly string[] | "any">>;

export interface ExpectedSeries {
  readonly plugin: string;
  readonly metric: string;
  /** Upper bound for each resource. */
  readonly series: number;
  /** Some attribute has no closed set of values: only `metrics.maxSeries` limits the metric. */
  readonly bounded:
    | "by its attributes"
    | "by its plugin's settings"
    | "by the configuration"
    | "by metrics.maxSeries";
  /** Typical number for each combination of the values of `each` on the host; without any, for the host. */
  readonly expected: number;
  readonly each: Each;
}

/** Of every metric of the enabled plugins. */
export function expectedSeries(config: Config, plugins: readonly Plugin[]): readonly ExpectedSeries[] {
  const { maxSeries } = config.metrics;
  return plugins
    .filter(({ name }) => config.plugins[name]?.enabled)
    .flatMap((plugin) => {
      const settings = config.plugins[plugin.name]!.settings;
      const limits = plugin.series?.(settings) ?? {};
      const opted = plugin.opted?.(settings) ?? [];
      return Object.entries(plugin.signals).flatMap(([key, spec]): readonly ExpectedSeries[] =>
        spec.signal === "metric"
          ? [expected(plugin.name, withOpted(spec, opted), limits[key], maxSeries)]
          : [],
      );
    });
}

function expected(
  plugin: string,
  spec: MetricSpec,
  limit: number | undefined,
  maxSeries: number,
): ExpectedSeries {
  const series = limit ?? combinations(spec);
  const bounded = limit === undefined ? "by its attributes" : "by its plugin's settings";
  const rule = limit === 0 ? { expected: 0, each: {} } : expectedOf(spec);
  const metric = spec.name;
  if (series <= maxSeries) return { plugin, metric, series, bounded, ...rule };
  return { plugin, metric, series: maxSeries, bounded: "by metrics.maxSeries", ...rule };
}

/** With attributes that settings have enabled counted as always present. */
function withOpted(spec: MetricSpec, opted: readonly string[]): MetricSpec {
  const attributes = Object.entries(spec.attributes).map(([key, attribute]): [string, AttributeSpec] =>
    opted.includes(key) ? [key, { ...attribute, requirement: "recommended" }] : [key, attribute],
  );
  return { ...spec, attributes: Object.fromEntries(attributes) };
}

/** Opt-in attributes are excluded, as they are by default. */
function combinations({ attributes }: MetricSpec): number {
  return Object.values(attributes)
    .filter(({ requirement }) => requirement !== "opt_in")
    .reduce((product, attribute) => product * values(attribute), 1);
}

function values({ type, enum: closed, requirement }: AttributeSpec): number {
  const count = closed?.length ?? (type === "boolean" ? 2 : Number.POSITIVE_INFINITY);
  return requirement === "required" ? count : count + 1;
}

/** A required closed set counts completely, a conditional attribute is absent, any other depends on the host. */
function expectedOf({ attributes }: MetricSpec): Pick<ExpectedSeries, "expected" | "each"> {
  const each: Record<string, readonly string[] | "any"> = {};
  let count = 1;
  for (const [key, { expectedValues: declared, requirement, enum: closed }] of Object.entries(attributes)) {
    if (typeof declared === "number") count *= declared;
    else if (declared === "each") each[key] = closed ?? "any";
    else if (requirement === "required" && closed) count *= closed.length;
    else if (requirement === "required" || requirement === "recommended") each[key] = closed ?? "any";
  }
  return { expected: count, each };
}
