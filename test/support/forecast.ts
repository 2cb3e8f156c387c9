// The series that `config print` would forecast for what really occurred.
import type { ExpectedSeries } from "../../agent/cardinality.ts";

/** Something to report, by attribute; undefined: the attribute is absent. */
export type Met = Readonly<Record<string, string | number | undefined>>;

/** The number of distinct combinations of the values of `each`. */
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
