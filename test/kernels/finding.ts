// The results of the battery in a guest, which it writes to standard output as JSON.
import type { DoctorReport } from "../../agent/doctor.ts";
import type { Again, Range } from "../support/loss.ts";
import type { Series, Told, ToldSpan } from "../support/received.ts";
import type { Line } from "../support/workload-lines.ts";
import type { Drawn } from "./peers.ts";

/** Increments of kernel counters, by name. */
export type Moved = Readonly<Record<string, number>>;

/** What an agent reports about 100 requests over one connection that loses packets. */
export interface Requests {
  readonly asked: readonly Range[];
  readonly answered: readonly Range[];
  /** Retransmissions, according to what is on the wire. */
  readonly again: readonly Again[];
  readonly spans: readonly ToldSpan[];
  readonly series: readonly Series[];
}

export interface Finding {
  readonly requests: Requests;
  readonly doctor: DoctorReport;
  /** The workloads' network namespace, as in attributes. */
  readonly netns: number;
  /** The workloads' own reports. */
  readonly lines: readonly Line[];
  readonly spans: readonly ToldSpan[];
  readonly events: readonly Told[];
  readonly series: readonly Series[];
  /** /proc/net/netstat and snmp of the workloads' namespace. */
  readonly counters: Moved;
  /** Its loopback's statistics. */
  readonly loopback: Moved;
  /** Packets that a rule dropped. */
  readonly thrownAway: number;
  /** The output of other tools that ran at the same time. */
  readonly peers: readonly Drawn[];
  /** The agent's exit code and output. */
  readonly agent: { readonly code: number | null; readonly stderr: readonly string[] };
}
