// What a plugin may use from the agent: `uses: { clock: services.clock }`. Implemented in core/bridge, core/identity
// and core/engine, where the tests are.
import type { Task } from "../../bpf/tracker/tracker.skel.ts";
import { token } from "../base/container.ts";
import type { Connections } from "./connection.ts";
import type { Log } from "./log.ts";
import type { SeriesOf } from "./series.ts";
import type { Exemplar, Instant, MutableTime, Resource, SpanContext, Time } from "./signals.ts";

/** Conversions from the boot clock, with which the kernel stamps records, to the wall clock. */
export interface Clock {
  /** Nanoseconds since boot, now. */
  bootNow(): number;
  now(): Time;
  /** Nanoseconds since boot as a wall-clock instant. */
  wall(bootNs: number): Time;
  /** Converts both ends of a span with one offset, so that a step of the clock never affects its duration. */
  span(startNs: number, endNs: number, to: { readonly start: MutableTime; readonly end: MutableTime }): void;
  /** For values that are kept and compared later, since the wall clock may be stepped in between. */
  instant(bootNs: number): Instant;
}

/** The subject of a process's telemetry: its Resource, and the program that it runs. */
export interface Workload {
  /** Its number in keys of tables (workload_of in bpf/include/wirespan/owner.h); 1: it has no number of its own. */
  readonly number: number;
  /** Undefined: the host's. */
  readonly resource: Resource | undefined;
  readonly executable: string | undefined;
  /** The attributes that identify the workload in a series. */
  readonly series: {
    readonly "process.executable.name"?: string | undefined;
    readonly "otel.metric.overflow"?: true;
  };
}

/** Processes as workloads. */
export interface Identity {
  /** The workload of a process, which never changes for one image of it. Never throws. */
  of(process: Task): Workload;
  /** Whether names of its container are still being requested; `of` does not wait for them. */
  waits(process: Task): boolean;
  /** The workload with this number in a table's key. */
  workload(number: number): Workload;
}

export interface Kernel {
  /** Names by value of an enum, from the running kernel's BTF; `name` is the enum's, or one of its values'. */
  enumNames(name: string): ReadonlyMap<number, string>;
  /** The function that contains an address, and the offset: `tcp_v4_rcv+0x1a2`; undefined: none. Words as they are in memory. */
  symbol(word: number, high: number): string | undefined;
}

/** Names of network namespaces. */
export interface Namespaces {
  /** The name that it had at the first call; undefined: no name is visible to the agent. */
  of(cookie: number, inode: number): string | undefined;
  /** The attributes of semconv.ts for a namespace. */
  attributes(cookie: number, inode: number): NetnsAttributes;
}

export interface NetnsAttributes {
  readonly "wirespan.netns.cookie": number | undefined;
  readonly "wirespan.netns.inode": number | undefined;
  readonly "wirespan.netns.name": string | undefined;
}

/** One network interface with its own counters. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** Its kind in rtnetlink's terms, `macvlan`; empty for hardware. */
  readonly kind: string;
  /** Frames and bytes received so far; exact below 2^53. */
  readonly packets: number;
  readonly bytes: number;
}

export interface NetnsLinks {
  /** The namespace's inode, as lsns prints it. */
  readonly netns: number;
  /** Unique until the host reboots, unlike the inode. */
  readonly cookie: number;
  readonly links: readonly Link[];
}

export interface FoundLinks {
  readonly namespaces: readonly NetnsLinks[];
  /** Why some namespaces were omitted: the first error, usually EACCES or EPERM. */
  readonly refused: NodeJS.ErrnoException | undefined;
}

/** The network interfaces of all namespaces that the filters pass and that this process may enter. */
export interface Interfaces {
  /** Costs a system call for each process on the host and a thread for each namespace, so it is not meant for every packet. */
  read(): FoundLinks;
}

/** Process ids. */
export interface Pids {
  /** The process's number in /proc; undefined: it is in none of its namespaces. */
  inProc(pid: number): number | undefined;
}

/**
 * The exemplars of one row of a table of histograms: for each histogram the largest value since the last collection.
 */
export interface ExemplarRow {
  /**
   * Offers a value whose span is exported: `ns` nanoseconds that ended at `atNs`, nanoseconds since boot. `histogram`:
   * one of the plugin's, by any name. The last one of equal values is kept.
   */
  offer(histogram: string, ns: number, atNs: number, span: SpanContext): void;
  of(histogram: string): Exemplar | undefined;
}

export interface Exemplars {
  /** For a key, given its parts. Must be used immediately: the next collection has its own rows. */
  row(...key: readonly (string | number)[]): ExemplarRow;
}

export const services = {
  clock: token<Clock>("clock"),
  identity: token<Identity>("identity"),
  series: token<SeriesOf>("series"),
  kernel: token<Kernel>("kernel"),
  namespaces: token<Namespaces>("namespaces"),
  pids: token<Pids>("pids"),
  connections: token<Connections>("connections"),
  interfaces: token<Interfaces>("interfaces"),
  exemplars: token<Exemplars>("exemplars"),
  log: token<Log>("log"),
} as const;
