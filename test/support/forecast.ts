// The series that `config print` forecasts, for what really occurred.
import type { ExpectedSeries } from "../../agent/cardinality.ts";

/** Something to report, by the attributes that it is reported with; undefined: absent there. */
export type Met = Readonly<Record<string, string | number | undefined>>;

/** How many combinations of the values of `each` were met. */
export function combinations({ each }: Pick<ExpectedSeries, "each">, met: readonly Met[]): number {
  const wanted = Object.entries(each);
  const of = met.filter((one) =>
    wanted.every(
      ([name, only]) =>
        Object.hasOwn(one, name) &&
        (only === "any" || only.includes(String(one[name])) || one[name] === undefined),
    ),
  );
  return new Set(of.map((one) => JSON.stringify(wanted.map(([name]) => one[name] ?? null)))).size;
}
