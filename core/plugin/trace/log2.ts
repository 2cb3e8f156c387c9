// A histogram printed as in bcc: powers of two of a unit, with a bar for each. Tests:
// plugins/softirqs/softirqs.kernel.test.ts.
import type { ExponentialHistogram } from "../signals.ts";

const WIDTH = 40;

/**
 * Number of values in each of bcc's slots: slot 1 is 0 to 1, slot n is 2^(n-1) to 2^n - 1 units. Our buckets are eight
 * per power of two of the metric's unit; one that spans a slot's edge counts in the slot of its middle.
 */
export function slots(h: ExponentialHistogram, perUnit: number): number[] {
  const found = [0, h.zeroCount];
  for (let i = 0; i < h.counts.length; i++) {
    const middle = 2 ** ((h.offset + i + 0.5) / 2 ** h.scale) * perUnit;
    const slot = Math.max(1, Math.floor(Math.log2(middle)) + 1);
    while (found.length <= slot) found.push(0);
    found[slot]! += h.counts[i]!;
  }
  while (found.length > 2 && found.at(-1) === 0) found.pop();
  return found;
}

/**
 * The lines of the histogram; `unit` is its name, `perUnit` how many of it are one of the metric's unit: usecs, 1e6.
 */
export function log2Lines(h: ExponentialHistogram, unit: string, perUnit: number): string[] {
  const counts = slots(h, perUnit);
  const most = Math.max(...counts);
  const lines = [`     ${unit.padEnd(19)} : count     distribution`];
  for (let slot = 1; slot < counts.length; slot++) {
    const [low, high] = [slot === 1 ? 0 : 2 ** (slot - 1), 2 ** slot - 1];
    const count = counts[slot]!;
    const stars = "*".repeat(most ? Math.floor((WIDTH * count) / most) : 0);
    lines.push(
      `${String(low).padStart(10)} -> ${String(high).padEnd(10)} : ${String(count).padEnd(8)} |${stars.padEnd(WIDTH)}|`,
    );
  }
  return lines;
}
