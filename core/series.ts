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
  readonly bounded: "by its attributes" | "by metrics.maxSeries";
}

/** Of every metric of the enabled plugins. */
export function expectedSeries(config: Config, plugins: readonly Plugin[]): readonly ExpectedSeries[] {
  const { maxSeries } = config.metrics;
  return plugins
    .filter(({ name }) => config.plugins[name]?.enabled)
    .flatMap(({ name, signals }) =>
      Object.values(signals)
        .filter((spec) => spec.signal === "metric")
        .map((spec): ExpectedSeries => {
          const series = combinations(spec);
          return series <= maxSeries
            ? { plugin: name, metric: spec.name, series, bounded: "by its attributes" }
            : { plugin: name, metric: spec.name, series: maxSeries, bounded: "by metrics.maxSeries" };
        }),
    );
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
