// Runs of each softirq vector since boot, over all CPUs, as the kernel itself counts them.
import { readFileSync } from "node:fs";

export function softirqRuns(): ReadonlyMap<string, number> {
  const [, ...lines] = readFileSync("/proc/softirqs", "utf8").trim().split("\n");
  return new Map(
    lines.map((line) => {
      const [name = "", ...counts] = line.trim().split(/:?\s+/);
      return [name.toLowerCase(), counts.reduce((sum, count) => sum + Number(count), 0)];
    }),
  );
}

/**
 * Minimum number of traced runs out of `runs`: on an idle CPU some kernels run a few without the tracepoint, so that
 * every tool that uses it misses them.
 */
export const leastTraced = (runs: number): number => Math.floor(0.98 * runs) - 3;
