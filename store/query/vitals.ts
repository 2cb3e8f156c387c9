// The vitals of an interval: from sums by edge, and from metrics of the host. Tests: store/query/queries.test.ts,
// store/query/vitals.test.ts, test/system/viewer-screens.kernel.test.ts.
import type { VitalLines, Vitals } from "../answers.ts";
import { Sums } from "../sums/edge.ts";
import type { EdgeWindows } from "./edges.ts";
import { grid } from "./overview.ts";
import type { Interval } from "./scan.ts";
import type { SeriesOfInterval, SeriesTotal } from "./series.ts";

/** Maximum values of a sparkline. */
export const LINE = 60;

const DROPS = ["wirespan.tcp.packet.dropped", "wirespan.tcp.listener.dropped"];
const SOFTIRQS = "wirespan.softirq.time";

/** The metrics that vitals are made of. */
export const VITAL_METRICS = [...DROPS, SOFTIRQS];

const dropsOf = (host: SeriesOfInterval) => DROPS.flatMap((metric) => host.of(metric));
const netRxOf = (host: SeriesOfInterval) =>
  host.of(SOFTIRQS).filter(({ series }) => series.attributes["wirespan.softirq.vector"] === "net_rx");

function hostVitals(host: SeriesOfInterval) {
  const perSecond = (all: readonly SeriesTotal[]) =>
    all.reduce((sum, { total }) => sum + total, 0) / host.seconds;
  return { dropsPerSecond: perSecond(dropsOf(host)), netRxShare: perSecond(netRxOf(host)) };
}

/** Increases per second. */
function hostLine(
  { covered, step }: SeriesOfInterval,
  interval: Interval,
  all: readonly SeriesTotal[],
): number[] {
  const { t0, step: bar, bars } = grid(interval, step, LINE);
  const at = (begin: number) => Math.min(bars - 1, Math.max(0, Math.floor((begin - t0) / bar)));
  const seconds = new Array<number>(bars).fill(0);
  const line = new Array<number>(bars).fill(0);
  for (const [begin, length] of covered) seconds[at(begin)]! += length;
  for (const { values } of all) for (const [begin, value] of values) line[at(begin)]! += value;
  return line.map((value, i) => value / Math.max(1, seconds[i]!));
}

/** The sums of an interval, in as many steps as a sparkline has values. */
export interface Steps {
  /** Seconds. */
  readonly step: number;
  /** When the first window begins, seconds. */
  readonly first: number;
  readonly parts: readonly Sums[];
}

export function steps({ all, seconds }: EdgeWindows, interval: Interval): Steps {
  const { t0, step, bars } = grid(interval, seconds, LINE);
  const parts = Array.from({ length: bars }, () => new Sums());
  let first = Number.POSITIVE_INFINITY;
  for (const { begin, sums } of all) {
    sums.addTo(parts[Math.min(bars - 1, Math.max(0, Math.floor((begin - t0) / step)))]!);
    first = Math.min(first, begin);
  }
  return { step, parts, first: all.length > 0 ? first : 0 };
}

/** The vitals of an interval; undefined: nothing was measured. `host`: of its metrics, unless they are filtered out. */
export function vitals(
  { parts, first }: Steps,
  interval: Interval,
  host: SeriesOfInterval | undefined,
): Vitals {
  const sum = new Sums();
  for (const part of parts) sum.merge(part);
  // Shortly after a start there is less than was requested.
  const seconds = Math.max(1, interval.to / 1e6 - Math.max(first, interval.from / 1e6));
  const { connect, rtt, queue } = sum.histograms;
  const attempts = sum.get("connects");
  return {
    connectionsPerSecond: sum.get("connections") / seconds,
    bytesPerSecond: (sum.get("sent") + sum.get("received")) / seconds,
    failedShare: attempts > 0 ? sum.get("failed") / attempts : undefined,
    failed: sum.get("failed"),
    connectP50: connect.quantile(0.5),
    connectP99: connect.quantile(0.99),
    rttP50: rtt.quantile(0.5),
    queueP99: queue.quantile(0.99),
    retransmitShare: sum.get("segments") > 0 ? sum.get("retransmits") / sum.get("segments") : undefined,
    retransmits: sum.get("retransmits") + sum.get("synRetransmits"),
    resets: sum.get("resets"),
    synsPerSecond: sum.get("synsAgain") / seconds,
    ...(host && host.seconds > 0 && hostVitals(host)),
  };
}

/** The vitals over time: as many values of each as a sparkline shows. */
export function vitalLines(
  { parts, step }: Steps,
  interval: Interval,
  host: SeriesOfInterval | undefined,
): VitalLines {
  const share = (part: number, whole: number) => (whole > 0 ? part / whole : 0);
  const each = (of: (sums: Sums) => number) => parts.map(of);
  return {
    connectionsPerSecond: each((sums) => sums.get("connections") / step),
    failedShare: each((sums) => share(sums.get("failed"), sums.get("connects"))),
    connectP99: each((sums) => sums.histograms.connect.quantile(0.99) ?? 0),
    rttP50: each((sums) => sums.histograms.rtt.quantile(0.5) ?? 0),
    queueP99: each((sums) => sums.histograms.queue.quantile(0.99) ?? 0),
    retransmitShare: each((sums) => share(sums.get("retransmits"), sums.get("segments"))),
    synsPerSecond: each((sums) => sums.get("synsAgain") / step),
    dropsPerSecond: host ? hostLine(host, interval, dropsOf(host)) : [],
    netRxShare: host ? hostLine(host, interval, netRxOf(host)) : [],
  };
}
