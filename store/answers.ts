// Responses of the paths of /api/v1, as JSON. Types only: the page is compiled against them as well, so nothing of Node
// may be used here. Times are in seconds since the epoch, durations in seconds, sizes in bytes.
import type { AgentSummary } from "./agent-answers.ts";

/** Common to every response. */
export interface Common {
  readonly asOf: number;
  /** There was not enough time to search everything. */
  readonly partial: boolean;
  /** Rows that were searched. */
  readonly scanned: number;
  /** One in this many uneventful rows is stored. */
  readonly oneIn: number;
}

export interface Meta {
  readonly host?: string;
  readonly version?: string;
  readonly kernel?: string;
  readonly started: number;
  readonly isRecording: boolean;
  readonly file: string;
  readonly bytes: number;
  /** Bytes of the file that individual connections use. */
  readonly used: number;
  /** Since when each kind of data is stored. */
  readonly keptFrom: {
    readonly calm?: number | undefined;
    readonly notable?: number | undefined;
    readonly sums?: number | undefined;
  };
  readonly keepsOneIn: number;
  readonly isEmpty: boolean;
  /** Absent: the agent has not reported yet, or this is a recording. */
  readonly agent?: AgentSummary | undefined;
}

export interface Finding {
  readonly rule: string;
  readonly severity: "failing" | "slow" | "unusual";
  readonly subject: string;
  /** A whole sentence with the numbers. */
  readonly text: string;
  readonly next: string;
  readonly count: number;
  /** Compared with the hour before. */
  readonly ratio?: number | undefined;
  /** The path of the page that shows it, with the filter. */
  readonly evidence: string;
  readonly since: number;
  /** The subject of an earlier finding, which may have caused it. */
  readonly likelyFrom?: string | undefined;
}

export interface Findings {
  readonly findings: readonly Finding[];
  /** How many rules are applied. */
  readonly checks: number;
}

/** Values by window: its beginning, and the value. */
export type Line = readonly (readonly [begin: number, value: number])[];

/** Ended connections, and failures or resets, by time. */
export interface Strip {
  readonly t0: number;
  readonly step: number;
  readonly calm: readonly number[];
  readonly failed: readonly number[];
}

export interface Vitals {
  readonly connectionsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly failedShare?: number | undefined;
  readonly failed: number;
  readonly connectP50?: number | undefined;
  readonly connectP99?: number | undefined;
  readonly rttP50?: number | undefined;
  readonly queueP99?: number | undefined;
  readonly retransmitShare?: number | undefined;
  readonly retransmits: number;
  readonly resets: number;
  /** Retransmitted ones. */
  readonly synsPerSecond: number;
  /** Of the host; absent if the answer is filtered. */
  readonly dropsPerSecond?: number | undefined;
  /** CPU time in net_rx, of one CPU. */
  readonly netRxShare?: number | undefined;
}

type Drawn =
  | ("connectionsPerSecond" | "failedShare" | "connectP99" | "rttP50" | "queueP99" | "retransmitShare")
  | ("synsPerSecond" | "dropsPerSecond" | "netRxShare");

/** The vitals that are drawn over time; 0 if nothing was measured. */
export type VitalLines = Readonly<Record<Drawn, readonly number[]>>;

/** Values by time and size. */
export interface Heat {
  readonly t0: number;
  readonly step: number;
  readonly columns: number;
  readonly total: number;
  readonly p50?: number | undefined;
  readonly p99?: number | undefined;
  /** Upper bounds of the rows, ascending. */
  readonly bounds: readonly number[];
  readonly counts: readonly (readonly number[])[];
  /** Values for `only`, the most frequent first: states, vectors, interfaces. */
  readonly parts?: readonly string[] | undefined;
  /** Of handshakes: seconds after which the first SYN, the second one and so on is retransmitted. */
  readonly synTimes?: readonly number[] | undefined;
  /** By the values of a field, the most values first. */
  readonly split?: readonly HeatPart[] | undefined;
}

export interface HeatPart {
  readonly value: string;
  readonly heat: Heat;
}

/** What the values in a box of a heatmap have in common, compared with all others of the interval. */
export interface Difference {
  readonly attribute: string;
  readonly value: string;
  /** Shares of the rows inside and outside that have this value, 0 to 1. */
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

export interface Differences {
  readonly inside: number;
  readonly outside: number;
  readonly differences: readonly Difference[];
}

/** One row of a list of spans. */
export interface ListRow {
  readonly trace: string;
  readonly connection?: string | undefined;
  readonly start: number;
  readonly duration: number;
  readonly service: string;
  readonly process?: string | undefined;
  readonly pid?: number | undefined;
  readonly direction?: string | undefined;
  readonly peer?: string | undefined;
  readonly port?: number | undefined;
  readonly sent?: number | undefined;
  readonly received?: number | undefined;
  readonly retransmits?: number | undefined;
  readonly rtt?: number | undefined;
  readonly ended?: string | undefined;
  readonly error?: string | undefined;
  readonly notable: boolean;
}

export interface List {
  readonly total: number;
  readonly rows: readonly ListRow[];
  readonly next?: number | undefined;
}

/** Rows that have the same value of a field. */
export interface Group {
  /** Absent: the rows have no value. */
  readonly value?: string | undefined;
  readonly count: number;
  /** Attempts that failed, and connections that were reset. */
  readonly failed: number;
  readonly sent: number;
  readonly received: number;
  readonly retransmits: number;
  /** Their durations. */
  readonly p50?: number | undefined;
  readonly p99?: number | undefined;
}

export interface Groups {
  readonly total: number;
  readonly values: number;
  readonly groups: readonly Group[];
}

/** A connection that is open, one end. */
export interface OpenConnection {
  readonly trace: string;
  readonly connection: string;
  readonly service: string;
  readonly process?: string | undefined;
  readonly pid?: number | undefined;
  readonly direction?: string | undefined;
  readonly peer?: string | undefined;
  readonly port?: number | undefined;
  readonly state: string;
  readonly age: number;
  readonly sent: number;
  readonly received: number;
  /** Data that the peer has not acknowledged, and data that the application has not read. */
  readonly sendQueue: number;
  readonly receiveQueue: number;
  readonly rtt?: number | undefined;
  readonly retransmits: number;
}

export interface Living {
  /** Numbers of connections: open on the host, listed by the agent, and matching. */
  readonly total: number;
  readonly listed: number;
  readonly matching: number;
  readonly rows: readonly OpenConnection[];
}

/** One edge of the map. */
export interface MapEdge {
  readonly from: string;
  readonly to: string;
  readonly port: number;
  /** The end that these numbers are from. */
  readonly seenBy: "opener" | "acceptor";
  readonly counts: Readonly<Record<string, number>>;
  /** Failed attempts by cause. */
  readonly causes: Readonly<Record<string, number>>;
  readonly connectP50?: number | undefined;
  readonly connectP99?: number | undefined;
  readonly rttP50?: number | undefined;
  readonly queueP99?: number | undefined;
}

export interface Topology {
  /** Peers that have been merged into subnets. */
  readonly folded: number;
  readonly edges: readonly MapEdge[];
}

/** Packets of one reason, type or service. */
export interface LossPart {
  readonly name: string;
  readonly count: number;
  readonly line: Line;
  readonly means?: string | undefined;
  /** The services whose packets they were, the most affected first, and how many. */
  readonly whose?: readonly (readonly [service: string, count: number])[] | undefined;
}

export interface Losses {
  readonly dropped: readonly LossPart[];
  readonly droppedOf: readonly LossPart[];
  readonly retransmitted: readonly LossPart[];
  readonly retransmittedOf: readonly LossPart[];
  readonly failures: readonly LossPart[];
  readonly rejected: readonly LossPart[];
}

/** One function of a merged stack: callers come first, one level less deep. */
export interface StackLine {
  readonly frame: string;
  readonly depth: number;
  readonly count: number;
  /** Of all examined drops, 0 to 1. */
  readonly share: number;
}

export interface Stacks {
  /** Drops that are stored individually, and those of them that have a stack. */
  readonly total: number;
  readonly withStack: number;
  readonly lines: readonly StackLine[];
}

export interface Listener {
  /** Whether it was there at the last collection of the interval. */
  readonly isOpen: boolean;
  readonly service: string;
  readonly resource: number;
  readonly port: number;
  readonly process: string;
  /** Waiting now, maximum in the interval, and limit. */
  readonly waiting: number;
  readonly mostWaiting: number;
  readonly limit: number;
  /** The queue over time. */
  readonly line: Line;
  readonly accepted: number;
  readonly rejected: number;
  /** Failed calls of accept(). */
  readonly errors: number;
  /** How long accepted connections waited in the queue. */
  readonly waitP50?: number | undefined;
  readonly waitP99?: number | undefined;
}

export interface Listeners {
  /** For how many seconds of the interval there are metrics. */
  readonly seconds: number;
  readonly listeners: readonly Listener[];
}

export interface Softirq {
  readonly vector: string;
  /** Absent: all CPUs. */
  readonly cpu?: number | undefined;
  readonly seconds: number;
  readonly line: Line;
}

/** How late a vector's handlers started. */
export interface SoftirqLatency {
  readonly vector: string;
  readonly p50?: number | undefined;
  readonly p99?: number | undefined;
  readonly count: number;
}

/** NAPI polls of a CPU, or of all. */
export interface Napi {
  readonly cpu?: number | undefined;
  readonly polls: number;
  readonly packets: number;
  /** Polls that exhausted their budget. */
  readonly exhausted: number;
}

export interface Queue {
  readonly netns: string;
  readonly interface: string;
  readonly queue: number;
  readonly direction: string;
  readonly packets: number;
  readonly bytes: number;
  readonly line: Line;
}

export interface Host {
  /** For how many seconds of the interval there are metrics, and of how many a window is. */
  readonly seconds: number;
  readonly step: number;
  readonly softirqs: readonly Softirq[];
  readonly latency: readonly SoftirqLatency[];
  readonly napi: readonly Napi[];
  readonly transmitFailures: number;
  readonly queues: readonly Queue[];
}

/** A span or an event; ids in hexadecimal. */
export interface TraceRow {
  readonly signal: "span" | "event";
  readonly name: string;
  readonly scope: string;
  readonly severity?: string | undefined;
  readonly trace: string;
  readonly span: string;
  readonly parent?: string | undefined;
  readonly start: number;
  /** Absent for an event. */
  readonly duration?: number | undefined;
  readonly kind?: string | undefined;
  readonly error?: string | undefined;
  readonly service: string;
  readonly resource: number;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
  readonly links?: readonly { readonly trace: string; readonly span: string }[] | undefined;
}

export interface Trace {
  /** With events of its connections from before they had a trace. */
  readonly rows: readonly TraceRow[];
  readonly resources: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** By span: the share of its edge's durations that were shorter; by `SPAN queue`, of its edge's waits to be accepted. */
  readonly ranks: Readonly<Record<string, number>>;
}

export interface Events {
  readonly events: readonly TraceRow[];
}
