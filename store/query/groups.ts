// Individual connections, grouped by the value of a field. Tests:
// test/system/viewer-parts.kernel.test.ts.
import type { Group, Groups } from "../answers.ts";
import { Histogram } from "../histogram.ts";
import type { Filter } from "./filter.ts";
import { LISTS, type ListOf } from "./lists.ts";
import { type Interval, type Progress, RowSubject, type Scan, type Slice } from "./scan.ts";

/** The fields by which rows can be grouped. */
export const GROUPED = [
  ...["service", "process", "pid", "uid", "peer", "port"],
  ...["netns", "container", "direction", "cause", "ended"],
] as const;
export type GroupedBy =
  | "service"
  | "process"
  | "pid"
  | "uid"
  | "peer"
  | "port"
  | "netns"
  | "container"
  | "direction"
  | "cause"
  | "ended";

/** Values that are distinguished, and groups of a response. */
const MOST = { values: 10_000, rows: 500 };

interface Sum {
  count: number;
  failed: number;
  sent: number;
  received: number;
  retransmits: number;
  readonly took: Histogram;
}

/** The largest groups first. Rows without a value, or beyond the limit of values, form a group without a value. */
export async function groups(
  scan: Scan,
  of: ListOf,
  by: GroupedBy,
  interval: Interval,
  filter: Filter,
  progress: Progress,
): Promise<Groups> {
  const sums = new Map<string | undefined, Sum>();
  let subject: { readonly of: Slice; readonly row: RowSubject } | undefined;
  await scan.rows([LISTS[of]], interval, filter, progress, (slice, i) => {
    if (subject?.of !== slice) subject = { of: slice, row: new RowSubject(slice, scan.resources) };
    subject.row.row = i;
    const value = subject.row.text(by);
    const key = sums.has(value) || sums.size < MOST.values ? value : undefined;
    let sum = sums.get(key);
    if (sum === undefined) {
      sum = { count: 0, failed: 0, sent: 0, received: 0, retransmits: 0, took: new Histogram() };
      sums.set(key, sum);
    }
    add(sum, slice, i, subject.row);
  });
  const all = [...sums].sort(([, a], [, b]) => b.count - a.count);
  return {
    total: all.reduce((total, [, { count }]) => total + count, 0),
    values: all.length,
    groups: all.slice(0, MOST.rows).map(([value, { took, ...counts }]): Group => {
      return { value, ...counts, p50: took.quantile(0.5), p99: took.quantile(0.99) };
    }),
  };
}

function add(sum: Sum, { signal, rows }: Slice, i: number, subject: RowSubject): void {
  const number = (key: string) => signal.number(rows, i, key) || 0;
  sum.count++;
  if (subject.text("cause") !== undefined || subject.text("ended")?.startsWith("rst")) sum.failed++;
  sum.sent += number("wirespan.tcp.bytes_sent");
  sum.received += number("wirespan.tcp.bytes_received");
  sum.retransmits += number("wirespan.tcp.retransmits") + number("wirespan.tcp.syn.retransmits");
  sum.took.add(rows.duration[i]! / 1e9);
}
