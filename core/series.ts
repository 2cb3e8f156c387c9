// How many series a metric can have, from what its attributes are declared to be.
import type { Config } from "../config/config.ts";
import type { Plugin } from "./plugin.ts";
import type { AttributeSpec, MetricSpec } from "./signals.ts";

export interface ExpectedSeries {
  readonly plugin: string;
  readonly metric: string;
  /** At most, for each resource. */
  readonly series: number;
  /** Some attribute has no closed set of values: `metrics.maxSeries` is what bounds the metric. */
  readonly bounded: "by its attributes" | "by its plugin's settings" | "by metrics.maxSeries";
}

/** Of every metric of the enabled plugins. */
export function expectedSeries(config: Config, plugins: readonly Plugin[]): readonly ExpectedSeries[] {
  const { maxSeries } = config.metrics;
  return plugins
    .filter(({ name }) => config.plugins[name]?.enabled)
    .flatMap((plugin) => {
      const limits = plugin.series?.(config.plugins[plugin.name]!.settings as never) ?? {};
      return Object.entries(plugin.signals).flatMap(([key, spec]): readonly ExpectedSeries[] =>
        spec.signal === "metric" ? [expected(plugin.name, spec, limits[key], maxSeries)] : [],
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
  const metric = spec.name;
  if (series > maxSeries) return { plugin, metric, series: maxSeries, bounded: "by metrics.maxSeries" };
  return { plugin, metric, series, bounded: limit ? "by its plugin's settings" : "by its attributes" };
}

/** Opt-in attributes are left out, as they are by default. */
function combinations({ attributes }: MetricSpec): number {
  return Object.values(attributes)
    .filter(({ requirement }) => requirement !== "opt_in")
    .reduce((product, attribute) => product * values(attribute), 1);
}

function values({ type, enum: closed, requirement }: AttributeSpec): number {
  const count = closed?.length ?? (type === "boolean" ? 2 : Number.POSITIVE_INFINITY);
  return requirement === "required" ? count : count + 1;
}
