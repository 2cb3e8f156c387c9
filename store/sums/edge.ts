// An edge (the two sides of connections, and the server's port) and its sums in a window of time.
import { Histogram } from "../histogram.ts";
import type { ByteReader, ByteWriter } from "../varint.ts";

export interface Edge {
  /** Number of the resource at this end. */
  readonly resource: number;
  readonly direction: "outbound" | "inbound" | "unknown";
  readonly peer: string;
  /** The server's port. */
  readonly port: number;
}

/** The same text for the same edge. */
export function keyOf({ resource, direction, peer, port }: Edge): string {
  return `${resource} ${direction} ${port} ${peer}`;
}

/** Edges beyond the limit of a window are summed as this one. */
export const OTHER: Edge = { resource: 0, direction: "unknown", peer: "other", port: 0 };

export const COUNTS = [
  "connections",
  "connects",
  "accepts",
  "failed",
  "resets",
  "sent",
  "received",
  "segments",
  "retransmits",
  "synRetransmits",
  "synackRetransmits",
  "unread",
  /** Retransmitted SYNs, also of attempts that have not ended. */
  "synsAgain",
  /** Retransmissions of data that had arrived. */
  "spurious",
] as const;
export type Count = (typeof COUNTS)[number];

export const HISTOGRAMS = ["connect", "accept", "queue", "rtt", "life"] as const;
/** In seconds: handshakes of openers, SYN to accept(), time in the accept queue, smoothed round trips, lifetimes. */
export type Measured = (typeof HISTOGRAMS)[number];

/** Causes of failed attempts, as in `error.type`; the order is part of the file's format. */
const CAUSES = [
  "_OTHER",
  "connection_refused",
  "timed_out",
  "network_unreachable",
  "host_unreachable",
  "address_not_available",
  "permission_denied",
  "connection_reset",
  "aborted",
  "never_accepted",
];

const INDEX = Object.fromEntries(COUNTS.map((count, i) => [count, i])) as Readonly<Record<Count, number>>;

/** Sums that may be in the file's format: reading a part of them is cheaper. */
export interface Summed {
  get(count: Count): number;
  addHistogram(of: Measured, total: Histogram): void;
  addTo(total: Sums): void;
}

export class Sums implements Summed {
  /** Not a typed array: V8 allocates those outside of its heap. */
  readonly counts = COUNTS.map(() => 0);
  /** Failed attempts by cause. */
  readonly causes = new Map<string, number>();
  readonly histograms: Readonly<Record<Measured, Histogram>> = {
    connect: new Histogram(),
    accept: new Histogram(),
    queue: new Histogram(),
    rtt: new Histogram(),
    life: new Histogram(),
  };

  get(count: Count): number {
    return this.counts[INDEX[count]]!;
  }

  addHistogram(of: Measured, total: Histogram): void {
    total.merge(this.histograms[of]);
  }

  addTo(total: Sums): void {
    total.merge(this);
  }

  /** `value`: NaN and undefined are not counted. */
  add(count: Count, value: number | undefined): void {
    if (value! > 0) this.counts[INDEX[count]]! += value!;
  }

  fail(cause: string): void {
    this.add("failed", 1);
    this.causes.set(cause, (this.causes.get(cause) ?? 0) + 1);
  }

  merge(other: Sums): void {
    for (let i = 0; i < COUNTS.length; i++) this.counts[i]! += other.counts[i]!;
    for (const [cause, count] of other.causes) this.causes.set(cause, (this.causes.get(cause) ?? 0) + count);
    for (const name of HISTOGRAMS) this.histograms[name].merge(other.histograms[name]);
  }

  write(to: ByteWriter): void {
    for (const count of this.counts) to.uint(count);
    to.uint(this.causes.size);
    for (const [cause, count] of this.causes) {
      to.uint(Math.max(0, CAUSES.indexOf(cause)));
      to.uint(count);
    }
    for (const name of HISTOGRAMS) this.histograms[name].write(to);
  }

  /** One of the counts that `write` wrote. */
  static get(from: ByteReader, count: Count): number {
    for (let i = 0; i < INDEX[count]; i++) from.uint();
    return from.uint();
  }

  /** Adds one of the histograms that `write` wrote. */
  static addHistogram(from: ByteReader, of: Measured, total: Histogram): void {
    for (let i = 0; i < COUNTS.length; i++) from.uint();
    for (let left = 2 * from.uint(); left > 0; left--) from.uint();
    for (let i = 0; i < HISTOGRAMS.indexOf(of); i++) Histogram.skip(from);
    total.mergeFrom(from);
  }

  /** Skips what `write` wrote. */
  static skip(from: ByteReader): void {
    for (let i = 0; i < COUNTS.length; i++) from.uint();
    for (let left = 2 * from.uint(); left > 0; left--) from.uint();
    for (const _ of HISTOGRAMS) Histogram.skip(from);
  }

  /** Adds what `write` wrote. */
  mergeFrom(from: ByteReader): void {
    for (let i = 0; i < COUNTS.length; i++) this.counts[i]! += from.uint();
    for (let left = from.uint(); left > 0; left--) {
      const cause = CAUSES[from.uint()] ?? CAUSES[0]!;
      this.causes.set(cause, (this.causes.get(cause) ?? 0) + from.uint());
    }
    for (const name of HISTOGRAMS) this.histograms[name].mergeFrom(from);
  }
}
