// bcc's view of softirqs.
import type { ExponentialHistogram, Metric, Point } from "../../core/plugin/signals.ts";
import { log2Lines } from "../../core/plugin/trace/log2.ts";
import type { Column, Flags, Row, TraceView } from "../../core/plugin/trace/view.ts";

const TIME = "wirespan.softirq.time";
const RUNS = "wirespan.softirq.runs";
const DURATION = "wirespan.softirq.duration";
const LATENCY = "wirespan.softirq.latency";

const vectorOf = ({ attributes }: Pick<Row, "attributes">) => String(attributes["wirespan.softirq.vector"]);
const cpuOf = ({ attributes }: Pick<Row, "attributes">) =>
  attributes["cpu.logical_number"] as number | undefined;
const clock = (row: Row) => new Date(row.time).toTimeString().slice(0, 8);

/** Seconds; the upper edge of the highest bucket where the histogram does not know better. */
function greatest({ max, counts, offset, scale }: ExponentialHistogram): number {
  return max ?? (counts.length ? 2 ** ((offset + counts.length) / 2 ** scale) : 0);
}

function row(metric: Metric, { attributes, value }: Point): Row {
  const time = new Date(metric.time.sec * 1000 + metric.time.nsec / 1e6).toISOString();
  const of = typeof value === "number" ? { value } : { histogram: value };
  return { time, name: metric.spec.name, attributes, ...of };
}

const isEmpty = ({ value, histogram }: Row) => value === 0 || histogram?.count === 0;

/** One line a vector (and CPU), with everything that is known of it. */
function lines(all: readonly Row[]): Row[] {
  const groups = Map.groupBy(all, (r) => `${vectorOf(r)} ${cpuOf(r)}`);
  return [...groups.values()].flatMap((group): Row[] => {
    const of = (name: string) => group.find((r) => r.name === name);
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
  const all = delta.flatMap((metric) => metric.points.map((point) => row(metric, point)));
  const seen = all.filter((r) => !isEmpty(r));
  if (!flags.json) return lines(seen).sort(order(flags));
  const wanted = flags.dist ? DURATION : flags.count ? RUNS : undefined;
  return wanted ? seen.filter(({ name }) => name === wanted) : seen;
}

function columns({ nanoseconds, count, timestamp, wide, perCpu }: Flags): Column[] {
  const [unit, scale] = nanoseconds ? ["nsecs", 1e9] : ["usecs", 1e6];
  const inUnit = (seconds: number | undefined) =>
    seconds === undefined ? undefined : Math.round(seconds * scale);
  const number = (title: string, cell: Column["cell"]): Column => ({
    title,
    width: 11,
    align: "right",
    cell,
  });
  const total = number(`TOTAL_${unit}`, (r) => inUnit(r.value));
  const runs = number("TOTAL_count", (r) => r.figures?.runs);
  return [
    ...(timestamp ? [{ title: "TIME", width: 8, cell: clock }] : []),
    { title: "SOFTIRQ", width: 16, cell: vectorOf },
    ...(perCpu ? [{ title: "CPU", width: 4, align: "right", cell: cpuOf } as const] : []),
    ...(count && !nanoseconds && !wide ? [] : [total]),
    ...(count || wide ? [runs] : []),
    ...(wide
      ? [
          number(`MAX_${unit}`, (r) => inUnit(r.figures?.max)),
          number(`WAIT_avg_${unit}`, (r) => inUnit(r.figures?.waitMean)),
          number(`WAIT_max_${unit}`, (r) => inUnit(r.figures?.waitMax)),
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
  return timestamp && all[0] ? [clock(all[0]), ...printed] : printed;
}

export const trace: TraceView = {
  meansNothing: {
    "*": "softirqs run on a CPU for whoever is there, not for a process, connection or interface",
  },
  options: [
    { flags: "-T, --timestamp", doc: "print the time with each interval" },
    { flags: "-N, --nanoseconds", doc: "nanoseconds instead of microseconds" },
    { flags: "-C, --count", doc: "how often each ran instead of how long; with -N or --wide both" },
    { flags: "-d, --dist", doc: "histograms" },
    { flags: "-c, --cpu <cpus>", doc: "these CPUs only: 1, or 0,2-5", setting: "cpus" },
    { flags: "-P, --per-cpu", doc: "one line for each CPU", setting: "perCpu", value: "true" },
  ],
  arguments: "[interval] [count]",
  rows,
  columns,
  render: (all, flags) => (flags.dist ? histograms(all, flags) : undefined),
};
