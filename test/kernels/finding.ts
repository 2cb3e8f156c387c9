// What the battery found in a guest, as it says it on standard output, in JSON.
import type { DoctorReport } from "../../agent/doctor.ts";
import type { Again, Range } from "../support/loss.ts";
import type { Series, Told, ToldSpan } from "../support/received.ts";
import type { Line } from "../support/workload-lines.ts";
import type { Drawn } from "./peers.ts";

/** What counters of the kernel moved by, by name. */
export type Moved = Readonly<Record<string, number>>;

/** What an agent reads of 100 requests over one connection that loses packets. */
export interface Requests {
  readonly asked: readonly Range[];
  readonly answered: readonly Range[];
  /** What was sent again, by what is on the wire. */
  readonly again: readonly Again[];
  readonly spans: readonly ToldSpan[];
  readonly series: readonly Series[];
}

export interface Finding {
  readonly requests: Requests;
  readonly doctor: DoctorReport;
  /** The workloads' network namespace, as attributes name it. */
  readonly netns: number;
  /** The workloads' own account. */
  readonly lines: readonly Line[];
  readonly spans: readonly ToldSpan[];
  readonly events: readonly Told[];
  readonly series: readonly Series[];
  /** /proc/net/netstat and snmp of the workloads' namespace. */
  readonly counters: Moved;
  /** Its loopback's statistics. */
  readonly loopback: Moved;
  /** Packets that a rule threw away. */
  readonly thrownAway: number;
  /** What other tools printed meanwhile. */
  readonly peers: readonly Drawn[];
  /** The agent's exit code and what it said. */
  readonly agent: { readonly code: number | null; readonly stderr: readonly string[] };
}
