// The map: who talks to whom, between services, processes or containers. Tests: store/query/queries.test.ts,
// test/system/viewer-screens.kernel.test.ts.
import type { MapEdge, Topology } from "../answers.ts";
import { Histogram } from "../histogram.ts";
import { COUNTS, Sums } from "../sums/edge.ts";
import { type Edges, type EdgeWindows, type OwnerOf, SPANS, totals } from "./edges.ts";
import { type Filter, parseFilter } from "./filter.ts";
import type { Interval, Progress, Scan, Slice } from "./scan.ts";
import type { SeriesQuery, SeriesTotal } from "./series.ts";

/** Maximum nodes of the map. */
const NODES = 60;

/** An edge between names, as it is being summed. */
interface Named {
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly inbound: boolean;
  readonly sums: Sums;
}

/** What is known about this host's own addresses. */
interface Own {
  /** Owners by the address and port at which they listen: `10.0.0.5 80`. */
  readonly served: ReadonlyMap<string, number>;
  /** Addresses from which connections were opened. */
  readonly openers: ReadonlySet<string>;
  /** Owners by the port at which only they listen. */
  readonly listening?: ReadonlyMap<number, number>;
}

/** A metric that every listener has, and within how many seconds it is collected. */
const LISTENERS = "wirespan.tcp.accept_queue.limit";
const LATEST = 120;

/** The owners of listeners by port, of those ports at which only one listens. */
function listenersOf(all: readonly SeriesTotal[]): ReadonlyMap<number, number> {
  const ports = Map.groupBy(all, ({ series }) => Number(series.attributes["server.port"]));
  const alone = [...ports].filter(
    ([, some]) => new Set(some.map(({ series }) => series.resource)).size === 1,
  );
  return new Map(alone.map(([port, [one]]) => [port, one!.series.resource]));
}

/** What the nodes of this host are. */
export const NODE_KINDS = ["service", "process", "container", "netns", "subnet"] as const;

/** The names of nodes that are not in the sums. */
const NAMES: Readonly<Record<"process" | "netns" | "subnet", (slice: Slice, row: number) => string>> = {
  /** `nginx 812`. */
  process: ({ signal, rows }, row) => {
    const text = (key: string) => signal.text(rows, row, key);
    const name = text("process.executable.name") ?? text("thread.name") ?? "unknown";
    const pid = signal.number(rows, row, "process.pid");
    return Number.isNaN(pid) ? name : `${name} ${pid}`;
  },
  netns: ({ signal, rows }, row) => {
    const inode = signal.number(rows, row, "wirespan.netns.inode");
    return signal.text(rows, row, "wirespan.netns.name") ?? (Number.isNaN(inode) ? "unknown" : `${inode}`);
  },
  subnet: ({ signal, rows }, row) => subnetOf(signal.text(rows, row, "network.local.address") ?? "unknown"),
};

/** Numbers for nodes that are not in the sums, and what is learnt from their rows. */
class Owners implements Own {
  readonly served = new Map<string, number>();
  readonly openers = new Set<string>();
  readonly #nameOf: (slice: Slice, row: number) => string;
  readonly #numbers = new Map<string, number>();
  readonly #names: string[] = [];

  constructor(nameOf: (slice: Slice, row: number) => string) {
    this.#nameOf = nameOf;
  }

  of: OwnerOf = (slice, row) => {
    const name = this.#nameOf(slice, row);
    let number = this.#numbers.get(name);
    if (number === undefined) {
      number = this.#names.push(name) - 1;
      this.#numbers.set(name, number);
    }
    learn(this, slice, row, number);
    return number;
  };

  name(number: number): string {
    return this.#names[number]!;
  }
}

/** Adds what the local address of a row reveals. */
function learn(
  { served, openers }: { readonly served: Map<string, number>; readonly openers: Set<string> },
  { signal, rows }: Slice,
  row: number,
  owner: number,
): void {
  const address = signal.text(rows, row, "network.local.address");
  if (address === undefined) return;
  if (signal.text(rows, row, "wirespan.connection.direction") === "outbound") openers.add(address);
  else served.set(`${address} ${signal.number(rows, row, "network.local.port")}`, owner);
}

/** This host's own addresses, by the connections that are stored individually. */
async function ownFromRows(scan: Scan, interval: Interval, progress: Progress): Promise<Own> {
  const own = { served: new Map<string, number>(), openers: new Set<string>() };
  await scan.rows(SPANS, interval, parseFilter(""), progress, (slice, row) =>
    learn(own, slice, row, slice.rows.resource[row]!),
  );
  return own;
}

/**
 * Between nodes of a kind: services and containers from sums, all else from the rows that are stored individually.
 * `own`: as far as it has been learnt.
 */
export async function topology(
  {
    edges,
    scan,
    series,
    own,
  }: { readonly edges: Edges; readonly scan: Scan; readonly series: SeriesQuery; readonly own: Own },
  by: (typeof NODE_KINDS)[number],
  { interval, filter, now }: { readonly interval: Interval; readonly filter: Filter; readonly now: number },
  progress: Progress,
): Promise<Topology> {
  if (by !== "service" && by !== "container") {
    const owners = new Owners(NAMES[by]);
    const windows = await edges.byOwner(interval, filter, progress, now, owners.of);
    return map(windows, owners, (owner) => owners.name(owner), by === "subnet");
  }
  // A recording, and a store that was started again, have learnt nothing.
  const known = own.served.size > 0 ? own : await ownFromRows(scan, interval, progress);
  const { resources } = scan;
  const latest = { from: Math.max(interval.from, interval.to - LATEST * 1e6), to: interval.to };
  const listeners = series.between(latest, now, [LISTENERS]).of(LISTENERS);
  const all = { ...known, listening: listenersOf(listeners) };
  return map(await edges.between(interval, filter, progress, now), all, (owner) =>
    by === "container" ? resources.containerNode(owner) : resources.service(owner),
  );
}

/**
 * Who talks to whom. A peer that listens on this host has its service's name, and a connection with both ends here is
 * its opener's edge. If there are many peers, the most important ones stay, and the rest are merged by subnet; all are
 * if `bySubnet`.
 */
function map(
  windows: EdgeWindows,
  { served, openers, listening }: Own,
  nodeName: (owner: number) => string,
  bySubnet = false,
): Topology {
  const named: Named[] = [];
  for (const { edge, sums } of totals(windows.all).values()) {
    const own = nodeName(edge.resource);
    const inbound = edge.direction === "inbound";
    // One that has never accepted is known by its port.
    const server = inbound
      ? undefined
      : (served.get(`${edge.peer} ${edge.port}`) ??
        (openers.has(edge.peer) ? listening?.get(edge.port) : undefined));
    const peer = server === undefined ? edge.peer : nodeName(server);
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
  const { edges, folded } = fold(
    bySubnet ? shown.map((one) => ({ ...one, from: subnetOf(one.from), to: subnetOf(one.to) })) : shown,
  );
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
  if (node.endsWith("/24") || node.endsWith("/64")) return node;
  const parts = node.split(".");
  if (parts.length === 4 && parts.every((part) => /^\d+$/.test(part)))
    return `${parts.slice(0, 3).join(".")}.0/24`;
  if (!node.includes(":")) return "others";
  const [left = ""] = node.split("::");
  const prefix = left.split(":").slice(0, 4).join(":");
  return `${prefix.replace(/(^|:)(0(:|$))+$/, "")}::/64`;
}
