// What tcplife reports.
import { CLOSE_REASON, CONNECTION, FASTOPEN, IO_DIRECTION, WORKLOAD } from "../../core/plugin/semconv.ts";
import type { AttributeSpecs, Signals } from "../../core/plugin/signals.ts";

/** Added to the span and the event: the socket's own statistics. */
export const STATISTICS = {
  "wirespan.tcp.segments_sent": {
    type: "int",
    requirement: "recommended",
    description: "Segments sent, all kinds.",
  },
  "wirespan.tcp.segments_received": {
    type: "int",
    requirement: "recommended",
    description: "Segments received, all kinds.",
  },
  "wirespan.tcp.retransmits": {
    type: "int",
    requirement: "recommended",
    description: "Segments retransmitted, SYNs included.",
  },
  "wirespan.tcp.spurious_retransmits": {
    type: "int",
    requirement: "conditional",
    description:
      "Segments retransmitted although the first copy had arrived, as far as the peer reported it (DSACK, RFC 2883); absent if there were none.",
  },
  "wirespan.tcp.bytes_retransmitted": {
    type: "int",
    requirement: "recommended",
    description: "Payload retransmitted, bytes.",
  },
  "wirespan.tcp.bytes_unread": {
    type: "int",
    requirement: "conditional",
    description: "Payload received but unread at close, bytes; absent if there is none.",
  },
  "wirespan.tcp.lost": {
    type: "int",
    requirement: "recommended",
    description: "Segments marked lost (tcp_info lost).",
  },
  "wirespan.tcp.reordering": {
    type: "int",
    requirement: "conditional",
    description: "Observed reordering, segments; absent if there was none.",
  },
  "wirespan.tcp.rtt.smoothed": {
    type: "double",
    requirement: "conditional",
    description:
      "Smoothed round-trip time, seconds; absent if only a handshake with retransmissions was measured, or nothing.",
  },
  "wirespan.tcp.rtt.variation": {
    type: "double",
    requirement: "conditional",
    description: "Mean deviation of the round-trip time, seconds.",
  },
  "wirespan.tcp.rtt.min": {
    type: "double",
    requirement: "conditional",
    description: "Windowed minimum of the round-trip time, seconds.",
  },
  "wirespan.tcp.cwnd": {
    type: "int",
    requirement: "conditional",
    description: "Congestion window, segments; absent while it is still the initial one.",
  },
  ...FASTOPEN,
} as const satisfies AttributeSpecs;

/** Added to the event. */
export const SO_FAR = {
  "wirespan.tcp.bytes_sent": {
    type: "int",
    requirement: "required",
    description: "Payload that the peer acknowledged so far, bytes.",
  },
  "wirespan.tcp.bytes_received": {
    type: "int",
    requirement: "required",
    description: "Payload received in order so far, bytes.",
  },
} as const satisfies AttributeSpecs;

const SERIES = {
  ...WORKLOAD,
  "wirespan.tcp.close.reason": { ...CLOSE_REASON["wirespan.tcp.close.reason"], expectedValues: 1 },
} as const satisfies AttributeSpecs;

export const signals = {
  duration: {
    signal: "metric",
    instrument: "histogram",
    name: "wirespan.tcp.connection.duration",
    unit: "s",
    description: "Lifetime of connections, from the SYN to the close.",
    attributes: SERIES,
  },
  rtt: {
    signal: "metric",
    instrument: "histogram",
    name: "wirespan.tcp.connection.rtt",
    unit: "s",
    description: "Smoothed round-trip time of connections at close.",
    attributes: SERIES,
  },
  closed: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.tcp.connection.closed",
    unit: "{connection}",
    description: "Connections closed, counted at each end on this host.",
    attributes: SERIES,
  },
  io: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.tcp.io",
    unit: "By",
    description:
      "Payload of TCP connections, living ones included: acknowledged by the peer or received in order.",
    attributes: {
      ...SERIES,
      // Open connections are in the series of `none`.
      "wirespan.tcp.close.reason": { ...CLOSE_REASON["wirespan.tcp.close.reason"], expectedValues: 2 },
      ...IO_DIRECTION,
    },
  },
  checkpoint: {
    signal: "event",
    name: "wirespan.tcp.connection.checkpoint",
    severity: "INFO",
    description: "A connection that is still open, with its bytes so far.",
    attributes: {
      ...CONNECTION,
      ...STATISTICS,
      ...SO_FAR,
    },
  },
} as const satisfies Signals;
