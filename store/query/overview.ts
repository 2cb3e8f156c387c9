// The time strip, from sums, and how all pictures divide time. Tests: store/query/queries.test.ts.
import type { Strip } from "../answers.ts";
import type { EdgeWindows } from "./edges.ts";
import type { Interval } from "./scan.ts";

/** Bars of the strip. */
const BARS = 240;

/** Ended connections and failed attempts by time: `t0` and `step` in seconds. */
export function strip({ all, seconds }: EdgeWindows, interval: Interval): Strip {
  const { t0, step, bars } = grid(interval, seconds, BARS);
  const calm = new Array<number>(bars).fill(0);
  const failed = new Array<number>(bars).fill(0);
  for (const { begin, sums } of all) {
    const bar = Math.min(bars - 1, Math.max(0, Math.floor((begin - t0) / step)));
    calm[bar]! += sums.get("connections");
    failed[bar]! += sums.get("failed") + sums.get("resets");
  }
  return { t0, step, calm, failed };
}

/** Steps of whole windows (seconds) over an interval, at most `most`. */
export function grid({ from, to }: Interval, seconds: number, most: number) {
  const t0 = Math.floor(from / 1e6 / seconds) * seconds;
  const step = seconds * Math.max(1, Math.ceil((to / 1e6 - t0) / seconds / most));
  return { t0, step, bars: Math.max(1, Math.ceil((to / 1e6 - t0) / step)) };
}
