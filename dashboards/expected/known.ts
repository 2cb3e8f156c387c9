// What is known about the traffic in the stores, and how expectations are written.
import type { Round } from "../../test/support/dashboard-traffic.ts";

export interface Known extends Round {
  /** The window of the panels' queries. */
  readonly seconds: number;
  /** Rounds since the agent started, all within the rules' five minutes. */
  readonly rounds: number;
  /** Namespaces of `pcli` and of `psrv`. */
  readonly netns: { readonly a: string; readonly b: string };
  /** The kernel's counters of the two namespaces in the window, such as `Tcp.RetransSegs`. */
  readonly a: Readonly<Record<string, number>>;
  readonly b: Readonly<Record<string, number>>;
  /** Packets of the first one's interface in the window. */
  readonly sentPackets: number;
  readonly receivedPackets: number;
  /** Ports of listeners, and the limit of the first one's accept queue. */
  readonly waiting: number;
  readonly attended: readonly number[];
  readonly backlog: number;
  /** Runs of softirqs in the window, by vector. */
  readonly softirqs: Readonly<Record<string, number>>;
  readonly cpus: number;
  readonly plugins: number;
  /** Spans and events that a backend of the test received in the window. */
  readonly spans: number;
  readonly events: number;
}

/** Smallest and largest value. */
export type Range = readonly [number, number];

export interface Expected {
  /** Labels of the series that it applies to; all if absent. */
  readonly of?: Readonly<Record<string, string | number>>;
  /** The range of the sum of these series, or of each of them. */
  readonly total?: Range;
  readonly each?: Range;
  /** Why there may be no such series. */
  readonly orAbsent?: string;
}

/** By panel, for each of its expressions, what is expected of its series. Every series must match at least one of these. */
export type Table = (known: Known) => Readonly<Record<string, readonly (readonly Expected[])[]>>;

/** A store extrapolates to the edges of its window: by one collection at each end. */
export const near = (value: number): Range => [value * 0.9, value * 1.25];

/** For events that some virtual machines do not always show to programs. */
export const seen = (value: number): Range => [value * 0.5, value * 1.25];

/** For what also happens before and after the traffic is counted. */
export const about = (value: number): Range => [value * 0.75, value * 1.35];

/** For a quantile of buckets: a store's widest bucket ends at twice its lower edge. */
export const within = (low: number, high: number): Range => [low / 2.1, high * 2.1];

export const NONE: Range = [0, 0];
