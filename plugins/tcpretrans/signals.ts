// What tcpretrans reports.
import { CONNECTION, IN_TRACE, NETNS, TCP_STATE, WORKLOAD } from "../../core/plugin/semconv.ts";
import type { AttributeSpecs, Signals } from "../../core/plugin/signals.ts";

/** By the result of __tcp_retransmit_skb: a negative errno, or a positive code of the device's queue (NET_XMIT_DROP). */
const TYPES = {
  // Its first copy is still in a queue on this host.
  "-16": "queued",
  // The receiver's window has no room for it.
  "-11": "window_closed",
  "-12": "no_memory",
  "-105": "no_memory",
  "-101": "network_unreachable",
  "-113": "host_unreachable",
  // A netfilter or cgroup program dropped it on its way out.
  "-1": "filtered",
  "1": "queue_full",
} as const;

type FailureType = (typeof TYPES)[keyof typeof TYPES] | "_OTHER";

const FAILURES = [
  "queued",
  "window_closed",
  "no_memory",
  "network_unreachable",
  "host_unreachable",
  "filtered",
  "queue_full",
  "_OTHER",
] as const satisfies readonly FailureType[];

/** Why a retransmission did not leave the host; undefined: it did. */
export function failureOf(error: number): FailureType | undefined {
  if (error === 0) return undefined;
  return (TYPES as Readonly<Record<string, FailureType>>)[String(error)] ?? "_OTHER";
}

const TYPE = {
  "wirespan.tcp.retransmit.type": {
    type: "string",
    requirement: "required",
    enum: ["rto", "tlp", "fast", "slow_start", "syn", "synack"],
    expectedValues: "each",
    description:
      "What made TCP retransmit: a timeout (rto), a tail loss probe (tlp), recovery by duplicate or selective acknowledgements or RACK (fast), acknowledgements that arrive again after a timeout (slow_start), or an unanswered SYN or SYN-ACK of a handshake.",
  },
} as const satisfies AttributeSpecs;

const FAILURE = {
  "error.type": {
    type: "string",
    requirement: "conditional",
    enum: FAILURES,
    description:
      "Why the segment did not leave the host; absent if it did. Kernels before 6.18 report only segments that left.",
  },
} as const satisfies AttributeSpecs;

const SERIES = { ...WORKLOAD, ...TYPE, ...TCP_STATE } as const satisfies AttributeSpecs;

/** What the event has in addition to the connection's attributes. */
export const SEGMENT = {
  ...TYPE,
  ...TCP_STATE,
  ...FAILURE,
  "wirespan.tcp.sequence": {
    type: "int",
    requirement: "recommended",
    description: "The segment's sequence number, as in its header.",
  },
  "wirespan.tcp.flags": {
    type: "int",
    requirement: "recommended",
    description: "The segment's TCP flags, as in its header.",
  },
  "wirespan.tcp.segments": {
    type: "int",
    requirement: "required",
    description: "Segments sent; 0 if the attempt failed before there was one.",
  },
  "wirespan.tcp.bytes": {
    type: "int",
    requirement: "required",
    description: "Payload of these segments, bytes.",
  },
  "network.interface.name": {
    type: "string",
    requirement: "conditional",
    description:
      "The interface that the connection's route leads to; absent for a SYN-ACK, and if there is no route.",
  },
  "wirespan.interface.index": {
    type: "int",
    requirement: "conditional",
    description: "That interface's index, as `ip link` shows it.",
  },
  "wirespan.tcp.cwnd": {
    type: "int",
    requirement: "conditional",
    description: "Congestion window, segments; absent in a handshake, and while it is still the initial one.",
  },
  "wirespan.tcp.rtt.smoothed": {
    type: "double",
    requirement: "conditional",
    description:
      "Smoothed round-trip time, seconds; absent if only a handshake with retransmissions was measured, or nothing.",
  },
  "wirespan.event.suppressed": {
    type: "int",
    requirement: "conditional",
    description:
      "Retransmissions of this type since the last event that exceeded `eventRate` and have no event of their own.",
  },
} as const satisfies AttributeSpecs;

export const signals = {
  retransmits: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.tcp.retransmits",
    unit: "{segment}",
    description: "Segments retransmitted: the same as RetransSegs counts.",
    attributes: { ...SERIES, ...FAILURE },
  },
  io: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.tcp.retransmit.io",
    unit: "By",
    description: "Payload retransmitted.",
    attributes: SERIES,
  },
  failures: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.tcp.retransmit.failures",
    unit: "{attempt}",
    description: "Retransmissions that failed on this host, before or after a segment was built.",
    attributes: { ...SERIES, "error.type": { ...FAILURE["error.type"], expectedValues: "each" } },
  },
  flows: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.tcp.flow.retransmits",
    unit: "{segment}",
    description: "Segments retransmitted, by connection (setting `flows`).",
    attributes: {
      "process.executable.name": WORKLOAD["process.executable.name"],
      "network.type": CONNECTION["network.type"],
      "network.local.address": CONNECTION["network.local.address"],
      "network.local.port": CONNECTION["network.local.port"],
      "network.peer.address": CONNECTION["network.peer.address"],
      "network.peer.port": CONNECTION["network.peer.port"],
      ...NETNS,
    },
  },
  retransmit: {
    signal: "event",
    name: "wirespan.tcp.retransmit",
    severity: "INFO",
    description: "An attempt to retransmit a segment.",
    attributes: { ...CONNECTION, ...SEGMENT },
  },
  inTrace: {
    signal: "span",
    name: "tcp retransmit",
    description:
      "A retransmitted segment, in the trace of the request whose bytes it contains; it lasts 1 ns.",
    attributes: { ...CONNECTION, ...SEGMENT, ...IN_TRACE },
  },
} as const satisfies Signals;
