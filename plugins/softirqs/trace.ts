// bcc's view of softirqs.
import type { ExponentialHistogram, Metric } from "../../core/plugin/signals.ts";
import { number, TIME as TIME_OF_DAY, timeOfDay } from "../../core/plugin/trace/columns.ts";
import { log2Lines } from "../../core/plugin/trace/log2.ts";
import { type Column, type Flags, pointRow, type Row, type TraceView } from "../../core/plugin/trace/view.ts";
import { signals } from "./signals.ts";

const { time: TIME, runs: RUNS, duration: DURATION, latency: LATENCY } = signals;

const vectorOf = ({ attributes }: Pick<Row, "attributes">) => String(attributes["wirespan.softirq.vector"]);
const cpuOf = ({ attributes }: Pick<Row, "attributes">) =>
  attributes["cpu.logical_number"] as number | undefined;

/** Seconds; if the histogram has no maximum, the upper bound of its highest bucket. */
function greatest({ max, counts, offset, scale }: ExponentialHistogram): number {
  return max ?? (counts.length ? 2 ** ((offset + counts.length) / 2 ** scale) : 0);
}

const isEmpty = ({ value, histogram }: Row) => value === 0 || histogram?.count === 0;

/** One line for each vector (and CPU), with all its figures. */
function lines(all: readonly Row[]): Row[] {
  const groups = Map.groupBy(all, (r) => `${vectorOf(r)} ${cpuOf(r)}`);
  return [...groups.values()].flatMap((group): Row[] => {
    const of = ({ name }: { readonly name: string }) => group.find((r) => r.name === name);
    const [time, duration, wait] = [of(TIME), of(DURATION)?.histogram, of(LATENCY)?.histogram];
    if (!time || !duration) return [];
    const figures = {
      runs: of(RUNS)?.value ?? 0,
      max: greatest(duration),
      waitMean: wait?.count ? wait.sum / wait.count : undefined,
      waitMax: wait?.count ? greatest(wait) : undefined,
    };
    return [{ ...time, histogram: duration, figures }];
  });
}

/** Ascending, as bcc sorts. */
const order = ({ dist, count }: Flags) =>
  dist
    ? (a: Row, b: Row) => (vectorOf(a) < vectorOf(b) ? -1 : 1)
    : (a: Row, b: Row) =>
        count ? (a.figures?.runs ?? 0) - (b.figures?.runs ?? 0) : (a.value ?? 0) - (b.value ?? 0);

function rows(delta: readonly Metric[], flags: Flags): Row[] {
  const all = delta.flatMap((metric) => metric.points.map((point) => pointRow(metric, point)));
  const seen = all.filter((r) => !isEmpty(r));
  if (!flags.json) return lines(seen).sort(order(flags));
  const wanted = flags.dist ? DURATION : flags.count ? RUNS : undefined;
  return wanted ? seen.filter(({ name }) => name === wanted.name) : seen;
}

function columns({ nanoseconds, count, timestamp, wide, perCpu }: Flags): Column[] {
  const [unit, scale] = nanoseconds ? ["nsecs", 1e9] : ["usecs", 1e6];
  const inUnit = (seconds: number | undefined) =>
    seconds === undefined ? undefined : Math.round(seconds * scale);
  const total = number(`TOTAL_${unit}`, 11, (r) => inUnit(r.value));
  const runs = number("TOTAL_count", 11, (r) => r.figures?.runs);
  return [
    ...(timestamp ? [TIME_OF_DAY] : []),
    { title: "SOFTIRQ", width: 16, cell: vectorOf },
    ...(perCpu ? [{ title: "CPU", width: 4, align: "right", cell: cpuOf } as const] : []),
    ...(count && !nanoseconds && !wide ? [] : [total]),
    ...(count || wide ? [runs] : []),
    ...(wide
      ? [
          number(`MAX_${unit}`, 11, (r) => inUnit(r.figures?.max)),
          number(`WAIT_avg_${unit}`, 11, (r) => inUnit(r.figures?.waitMean)),
          number(`WAIT_max_${unit}`, 11, (r) => inUnit(r.figures?.waitMax)),
        ]
      : []),
  ];
}

function histograms(all: readonly Row[], { nanoseconds, timestamp }: Flags): string[] {
  const [unit, scale] = nanoseconds ? (["nsecs", 1e9] as const) : (["usecs", 1e6] as const);
  const printed = all.flatMap((r) => {
    const cpu = cpuOf(r);
    const title = `softirq = ${vectorOf(r)}${cpu === undefined ? "" : `, cpu = ${cpu}`}`;
    return ["", title, ...log2Lines(r.histogram!, unit, scale)];
  });
  return timestamp && all[0] ? [timeOfDay(all[0].time), ...printed] : printed;
}

export const trace: TraceView = {
  meansNothing: {
    "*": "softirqs belong to a CPU, not to a process, connection or interface",
  },
  options: [
    { flags: "-T, --timestamp", doc: "print the time with each interval" },
    { flags: "-N, --nanoseconds", doc: "nanoseconds instead of microseconds" },
    { flags: "-C, --count", doc: "how often each ran instead of how long; with -N or --wide both" },
    { flags: "-d, --dist", doc: "histograms" },
    { flags: "-c, --cpu <cpus>", doc: "only these CPUs: 1, or 0,2-5", setting: "cpus" },
    { flags: "-P, --per-cpu", doc: "one line for each CPU", setting: "perCpu", value: "true" },
  ],
  arguments: "[interval] [count]",
  rows,
  columns,
  render: (all, flags) => (flags.dist ? histograms(all, flags) : undefined),
};
