// The time strip and the map, from sums. Tests: store/query/queries.test.ts.
import type { MapEdge, Strip, Topology } from "../answers.ts";
import { Histogram } from "../histogram.ts";
import { COUNTS, Sums } from "../sums/edge.ts";
import { type EdgeWindows, totals } from "./edges.ts";
import type { Resources } from "./resources.ts";
import type { Interval } from "./scan.ts";

/** Bars of the strip. */
const BARS = 240;
/** Maximum nodes of the map. */
const NODES = 60;

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

/** An edge between names, as it is being summed. */
interface Named {
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly inbound: boolean;
  readonly sums: Sums;
}

/** What is known about this host's own addresses. */
export interface Own {
  /** Resources by the address and port at which they listen: `10.0.0.5 80`. */
  readonly served: ReadonlyMap<string, number>;
  /** Addresses from which connections were opened. */
  readonly openers: ReadonlySet<string>;
}

/**
 * Who talks to whom. A peer that listens on this host has its service's name, and a connection with both ends here is
 * its opener's edge. If there are many peers, the most important ones stay, and the rest are merged by subnet.
 */
export function topology(windows: EdgeWindows, resources: Resources, { served, openers }: Own): Topology {
  const named: Named[] = [];
  for (const { edge, sums } of totals(windows.all).values()) {
    const own = resources.service(edge.resource);
    const inbound = edge.direction === "inbound";
    const server = inbound ? undefined : served.get(`${edge.peer} ${edge.port}`);
    const peer = server === undefined ? edge.peer : resources.service(server);
    named.push({ from: inbound ? peer : own, to: inbound ? own : peer, port: edge.port, inbound, sums });
  }
  // For an accepted connection whose other end is here, only what the opener cannot know is added: the queue.
  const queues = new Map<string, Histogram>();
  const opened = new Set(named.filter(({ inbound }) => !inbound).map(({ to, port }) => `${to} ${port}`));
  const shown = named.filter(({ from, to, port, inbound, sums }) => {
    const at = `${to} ${port}`;
    if (!inbound || !openers.has(from) || !opened.has(at)) return true;
    const queue = queues.get(at) ?? new Histogram();
    queue.merge(sums.histograms.queue);
    queues.set(at, queue);
    return false;
  });
  const { edges, folded } = fold(shown);
  return {
    folded,
    edges: edges.map(({ from, to, port, inbound, sums }): MapEdge => {
      const queue = queues.get(`${to} ${port}`) ?? sums.histograms.queue;
      return {
        from,
        to,
        port,
        seenBy: inbound ? "acceptor" : "opener",
        counts: Object.fromEntries(COUNTS.map((count) => [count, sums.get(count)])),
        causes: Object.fromEntries(sums.causes),
        connectP50: sums.histograms.connect.quantile(0.5),
        connectP99: sums.histograms.connect.quantile(0.99),
        rttP50: sums.histograms.rtt.quantile(0.5),
        queueP99: queue.quantile(0.99),
      };
    }),
  };
}

/** Adds up the edges of the same names; `folded`: nodes that have become subnets. */
function fold(named: readonly Named[]): { readonly edges: readonly Named[]; readonly folded: number } {
  const weight = new Map<string, number>();
  for (const { from, to, inbound, sums } of named) {
    const heavy = sums.get("connections") + 100 * (sums.get("failed") + sums.get("retransmits")) + 1;
    // This host's own services are always kept.
    weight.set(from, (weight.get(from) ?? 0) + (inbound ? heavy : 1e9));
    weight.set(to, (weight.get(to) ?? 0) + (inbound ? 1e9 : heavy));
  }
  const stay = new Set(
    [...weight]
      .sort(([, a], [, b]) => b - a)
      .slice(0, NODES - 1)
      .map(([name]) => name),
  );
  const nameOf = (node: string) => (weight.size <= NODES || stay.has(node) ? node : subnetOf(node));
  const edges = new Map<string, Named>();
  for (const { sums, ...edge } of named) {
    const [from, to] = [nameOf(edge.from), nameOf(edge.to)];
    const key = `${from} ${to} ${edge.port} ${edge.inbound}`;
    let sum = edges.get(key);
    if (sum === undefined) {
      sum = { ...edge, from, to, sums: new Sums() };
      edges.set(key, sum);
    }
    sum.sums.merge(sums);
  }
  return { edges: [...edges.values()], folded: Math.max(0, weight.size - NODES) };
}

function subnetOf(node: string): string {
  const parts = node.split(".");
  if (parts.length === 4 && parts.every((part) => /^\d+$/.test(part)))
    return `${parts.slice(0, 3).join(".")}.0/24`;
  return node.includes(":") ? `${node.split(":").slice(0, 4).join(":")}::/64` : "others";
}
