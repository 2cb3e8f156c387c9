// What is known of the traffic that the stores are asked about, and how an expectation is stated.
import type { Round } from "../../test/support/dashboard-traffic.ts";

export interface Known extends Round {
  /** The window that the panels are asked for. */
  readonly seconds: number;
  /** So many rounds since the agent began, which the rules' five minutes cover. */
  readonly rounds: number;
  /** Namespaces of `pcli` and of `psrv`. */
  readonly netns: { readonly a: string; readonly b: string };
  /** Counters of the two namespaces' kernel in the window, such as `Tcp.RetransSegs`. */
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
  /** Labels of the series that it is about; all if absent. */
  readonly of?: Readonly<Record<string, string | number>>;
  /** Of the sum of these series, or of each of them. */
  readonly total?: Range;
  readonly each?: Range;
  /** Why there may be no such series. */
  readonly orAbsent?: string;
}

/** By panel; for each of its expressions, what is expected of its series: each series by one of them at least. */
export type Table = (known: Known) => Readonly<Record<string, readonly (readonly Expected[])[]>>;

/** A store extrapolates to the edges of its window: by a collection at each end. */
export const near = (value: number): Range => [value * 0.9, value * 1.25];

/** Events of which some virtual machines do not show every one to programs. */
export const seen = (value: number): Range => [value * 0.5, value * 1.25];

/** Of what goes on before and after the traffic was counted. */
export const about = (value: number): Range => [value * 0.75, value * 1.35];

/** A quantile of buckets: within the widest bucket that a store may have, which is twice as wide as its lower edge. */
export const within = (low: number, high: number): Range => [low / 2.1, high * 2.1];

export const NONE: Range = [0, 0];
