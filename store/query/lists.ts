// Lists of single connections, and what distinguishes some of them. Tests: store/query/queries.test.ts.

import { IDS } from "../../exporters/local/columns.ts";
import type { Difference, Differences, List, ListRow } from "../answers.ts";
import { hex } from "../hex.ts";
import { bucketOf } from "../histogram.ts";
import type { Filter } from "./filter.ts";
import { type Interval, type Progress, RowSubject, type Scan, type Slice } from "./scan.ts";

/** Maximum rows of a response. */
const MOST = 500;

/** The spans that a list can be of. */
export const LISTS = {
  connection: "tcp connection",
  connect: "tcp connect",
  accept: "tcp accept",
} as const;
export type ListOf = keyof typeof LISTS;

/** How a list can be sorted: largest first. */
export const ORDERS = ["time", "duration", "sent", "received", "retransmits", "rtt"] as const;
export type Order = (typeof ORDERS)[number];

/** The first rows in an order. `after`: how many to skip. */
export async function list(
  scan: Scan,
  of: ListOf,
  interval: Interval,
  filter: Filter,
  order: Order,
  after: number,
  progress: Progress,
): Promise<List> {
  const found: { key: number; row: ListRow }[] = [];
  const limit = after + MOST + 1;
  let total = 0;
  let least = Number.NEGATIVE_INFINITY;
  await scan.rows([LISTS[of]], interval, filter, progress, (slice, row) => {
    total++;
    const key = keyOf(slice, row, order);
    if (found.length >= limit && key <= least) return;
    found.push({ key, row: rowOf(scan, slice, row) });
    // Sorted occasionally: cheaper than a heap, and also bounded.
    if (found.length >= 4 * limit) {
      found.sort((a, b) => b.key - a.key);
      found.length = limit;
      least = found.at(-1)!.key;
    }
  });
  found.sort((a, b) => b.key - a.key);
  const rows = found.slice(after, after + MOST).map(({ row }) => row);
  return { total, rows, ...(found.length > after + MOST && { next: after + MOST }) };
}

function keyOf({ signal, rows }: Slice, i: number, order: Order): number {
  const number = (key: string) => {
    const value = signal.number(rows, i, key);
    return Number.isNaN(value) ? -1 : value;
  };
  switch (order) {
    case "time":
      return rows.start[i]! + rows.duration[i]! / 1000;
    case "duration":
      return rows.duration[i]!;
    case "sent":
      return number("wirespan.tcp.bytes_sent");
    case "received":
      return number("wirespan.tcp.bytes_received");
    case "retransmits":
      return Math.max(number("wirespan.tcp.retransmits"), number("wirespan.tcp.syn.retransmits"));
    case "rtt":
      return number("wirespan.tcp.rtt.smoothed");
  }
}

function rowOf(scan: Scan, slice: Slice, i: number): ListRow {
  const { signal, rows } = slice;
  const subject = new RowSubject(slice, scan.resources);
  subject.row = i;
  const number = (key: string) => {
    const value = signal.number(rows, i, key);
    return Number.isNaN(value) ? undefined : value;
  };
  const port = subject.text("port");
  return {
    trace: hex(rows.ids.subarray(i * IDS, i * IDS + 16)),
    connection: signal.text(rows, i, "wirespan.connection.id"),
    start: rows.start[i]! / 1e6,
    duration: rows.duration[i]! / 1e9,
    service: subject.text("service")!,
    process: subject.text("process"),
    pid: number("process.pid"),
    direction: subject.text("direction"),
    peer: subject.text("peer"),
    port: port === undefined ? undefined : Number(port),
    sent: number("wirespan.tcp.bytes_sent"),
    received: number("wirespan.tcp.bytes_received"),
    retransmits: number("wirespan.tcp.retransmits") ?? number("wirespan.tcp.syn.retransmits"),
    rtt: number("wirespan.tcp.rtt.smoothed"),
    ended: subject.text("ended"),
    error: subject.text("cause"),
    notable: slice.class === "notable",
  };
}

const COMPARED = [
  "service",
  "process",
  "peer",
  "port",
  "netns",
  "container",
  "direction",
  "ended",
  "cause",
] as const;

/** What the rows in a box have in common. `least`, `most`: the measured duration in seconds; `box`: the time. */
export async function differences(
  scan: Scan,
  of: ListOf,
  interval: Interval,
  box: Interval & { readonly least: number; readonly most: number },
  filter: Filter,
  progress: Progress,
): Promise<Differences> {
  const counts = new Map<string, [inside: number, outside: number]>();
  const total: [number, number] = [0, 0];
  await scan.rows([LISTS[of]], interval, filter, progress, (slice, row) => {
    const { start, duration } = slice.rows;
    const end = start[row]! + duration[row]! / 1000;
    const seconds = duration[row]! / 1e9;
    const bucket = bucketOf(Math.max(1e-9, seconds));
    const inTime = end >= box.from && end <= box.to;
    const inValue = bucket >= bucketOf(box.least) && bucket <= bucketOf(box.most);
    const side = inTime && inValue ? 0 : 1;
    total[side]++;
    const subject = new RowSubject(slice, scan.resources);
    subject.row = row;
    for (const attribute of COMPARED) {
      const value = subject.text(attribute);
      if (value === undefined) continue;
      const key = `${attribute}\n${value}`;
      let both = counts.get(key);
      if (both === undefined) {
        if (counts.size > 10_000) continue;
        both = [0, 0];
        counts.set(key, both);
      }
      both[side]++;
    }
  });
  const [inside, outside] = total;
  const differences: Difference[] = [];
  for (const [key, [within, without]] of counts) {
    const share = within / Math.max(1, inside);
    const other = without / Math.max(1, outside);
    if (!isMore(within, inside, other)) continue;
    const [attribute = "", value = ""] = key.split("\n");
    differences.push({ attribute, value, inside: share, outside: other, count: within });
  }
  differences.sort((a, b) => b.inside - b.outside - (a.inside - a.outside));
  return { inside, outside, differences: differences.slice(0, 20) };
}

/**
 * Whether `count` of `n` deviates from a share of `expected` by more than chance: four standard deviations of a
 * binomial.
 */
export function isMore(count: number, n: number, expected: number): boolean {
  if (n === 0 || count < 3) return false;
  const p = Math.min(1 - 1e-9, Math.max(expected, 0.5 / n));
  return count > n * p + 4 * Math.sqrt(n * p * (1 - p));
}
