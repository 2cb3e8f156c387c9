// A finding, and the input of a rule.
import type { Histogram } from "../histogram.ts";
import type { EdgeSums } from "../query/edges.ts";
import type { Resources } from "../query/resources.ts";
import type { SeriesTotal } from "../query/series.ts";
import { term } from "../query/term.ts";
import type { Edge } from "../sums/edge.ts";

/** How urgent: requests fail; requests are slow or data is retransmitted; something is unusual. */
export type Severity = "failing" | "slow" | "unusual";

/** Seconds between evaluations. */
export const PERIOD = 10;

/** Names of all rules. */
export const RULES = [
  ...(["connects-fail", "connects-unanswered", "syns-lost", "connects-slow", "rtt-long"] as const),
  ...(["segments-lost", "connections-reset", "bytes-unread", "sockets-pile-up"] as const),
  ...(["accept-queue-full", "accept-queue-fills", "accept-queue-slow", "accept-fails"] as const),
  ...(["listener-unattended", "packets-dropped", "queue-unbalanced", "transmit-fails"] as const),
  ...(["softirq-hogs-cpu", "softirq-waits", "napi-budget-exhausted", "agent-lost", "plugin-failed"] as const),
];

export interface Finding {
  readonly rule: (typeof RULES)[number];
  readonly severity: Severity;
  /** Its subject, in words: `web → 10.0.0.5:5432 (timed_out)`. */
  readonly subject: string;
  /** A whole sentence with the numbers. */
  readonly text: string;
  /** What to look at, or to do, next. */
  readonly next: string;
  /** How many in the last minute. */
  readonly count: number;
  /** Compared with the hour before: 3 is three times as much; absent if there is nothing to compare with. */
  readonly ratio?: number;
  /** The page that shows it: a path, with the filter. */
  readonly evidence: string;
}

/** Sums and metrics of an interval. */
export interface Evidence {
  readonly seconds: number;
  /** By their keys. */
  readonly edges: ReadonlyMap<string, EdgeSums>;
  /** When metrics were collected: beginnings of windows, seconds since the epoch, ascending. */
  readonly collected: readonly number[];
  /** Seconds between the collections of a window, by its beginning. */
  readonly covered: ReadonlyMap<number, number>;
  metric(name: string): readonly SeriesTotal[];
}

export interface Context {
  /** The last minute. */
  readonly now: Evidence;
  /** Its last windows, 10 to 20 seconds: for what must be detected before it has lasted most of a minute. */
  readonly recent: Pick<Evidence, "edges">;
  /** Up to an hour before it; its seconds are 0 if there is none. */
  readonly before: Evidence;
  readonly resources: Resources;
}

export type Rule = (context: Context) => readonly Finding[];

/** `web → 10.0.0.5:5432`, or `10.0.0.7 → web:80` as the acceptor sees it. */
export function nameOf({ resource, direction, peer, port }: Edge, resources: Resources): string {
  const own = resources.service(resource);
  const host = peer.includes(":") ? `[${peer}]` : peer;
  return direction === "inbound" ? `${peer} → ${own}:${port}` : `${own} → ${host}:${port}`;
}

/** A filter for an edge. */
export function filterOf({ resource, direction, peer, port }: Edge, resources: Resources): string {
  const service = term("service", resources.service(resource));
  return encodeURIComponent(`${service} ${term("peer", peer)} port:${port} direction:${direction}`);
}

/** `12.3 %`. */
export function percent(share: number): string {
  return `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
}

/** Seconds in readable form: `340 µs`, `1.2 s`. */
export function duration(seconds: number): string {
  if (seconds >= 1) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  if (seconds >= 1e-3) return `${(seconds * 1e3).toFixed(seconds < 1e-2 ? 1 : 0)} ms`;
  return `${(seconds * 1e6).toFixed(0)} µs`;
}

export function quantile(histogram: Histogram, q: number): number {
  return histogram.quantile(q) ?? 0;
}
