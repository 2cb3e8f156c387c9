// Compares a store's answer with what is expected.
import type { Sample } from "../../test/backend/prometheus.ts";
import type { Expected, Range } from "./known.ts";

export const numberOf = ({ value }: Sample): number => Number(value?.[1]);

function matches({ metric }: Sample, of: Expected["of"] = {}): boolean {
  return Object.entries(of).every(([label, value]) => metric[label] === String(value));
}

/** The mismatches; empty if there are none. */
export function complaints(samples: readonly Sample[], expected: readonly Expected[]): string[] {
  const show = (s: readonly Sample[]) =>
    s.map(({ metric, value }) => `${JSON.stringify(metric)} ${value?.[1]}`).join("\n    ");
  const wrong: string[] = [];
  const named = new Set(
    expected.filter(({ total }) => total).flatMap(({ of }) => samples.filter((s) => matches(s, of))),
  );
  for (const { of, total, each, orAbsent } of expected) {
    // An expectation without labels for `each` applies to the series that no total names.
    const met = samples.filter((s) => matches(s, of) && (total || of || !named.has(s)));
    const sum = met.reduce((all, s) => all + numberOf(s), 0);
    const isIn = (value: number, [low, high]: Range) => value >= low && value <= high;
    const what = `${JSON.stringify(of ?? "all")}`;
    if (met.length === 0) {
      if (orAbsent === undefined && (of || samples.length === 0)) wrong.push(`${what}: no series`);
    } else if (total && !isIn(sum, total)) wrong.push(`${what}: ${sum}, not in ${total.join("..")}`);
    else if (each) {
      const out = met.filter((s) => !isIn(numberOf(s), each));
      if (out.length > 0) wrong.push(`${what}: not in ${each.join("..")}:\n    ${show(out)}`);
    }
  }
  const unnamed = samples.filter((s) => !expected.some(({ of }) => matches(s, of)));
  if (unnamed.length > 0) wrong.push(`nothing is expected of\n    ${show(unnamed)}`);
  return wrong.length > 0 ? [...wrong, `in\n    ${show(samples)}`] : [];
}
