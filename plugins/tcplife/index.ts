// tcplife: the life of TCP connections.

import { seconds } from "../../core/plugin/histogram.ts";
import { plugin } from "../../core/plugin/plugin.ts";
import { CLOSE_REASON, CONNECTION, WORKLOAD } from "../../core/plugin/semconv.ts";
import { services } from "../../core/plugin/services.ts";
import type { AttributeSpecs } from "../../core/plugin/signals.ts";
import { type ConnRecord, type Life, type LifeKey, skeleton } from "./tcplife.skel.ts";
import { trace } from "./trace.ts";

/** What tcplife adds to the connection's span: the socket's own statistics at its end. */
const STATISTICS = {
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
  "wirespan.tcp.bytes_retransmitted": {
    type: "int",
    requirement: "recommended",
    description: "Payload retransmitted, bytes.",
  },
  "wirespan.tcp.bytes_unread": {
    type: "int",
    requirement: "conditional",
    description:
      "Payload received that the owner closed the connection without reading, bytes; absent if there is none.",
  },
  "wirespan.tcp.lost": {
    type: "int",
    requirement: "recommended",
    description: "Segments that TCP marked as lost.",
  },
  "wirespan.tcp.reordering": {
    type: "int",
    requirement: "conditional",
    description: "Reordering that was observed, segments; absent if there was none.",
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
    description: "Its mean deviation, seconds.",
  },
  "wirespan.tcp.rtt.min": {
    type: "double",
    requirement: "conditional",
    description: "Smallest recent round-trip time, seconds.",
  },
  "wirespan.tcp.cwnd": {
    type: "int",
    requirement: "conditional",
    description: "Congestion window, segments; absent while it is still the initial one.",
  },
  "wirespan.tcp.fastopen": {
    type: "boolean",
    requirement: "conditional",
    description: "Data travelled with the SYN (RFC 7413).",
  },
} as const satisfies AttributeSpecs;

function statistics({ traffic, conn }: ConnRecord) {
  return {
    "wirespan.tcp.segments_sent": traffic.sentSegments,
    "wirespan.tcp.segments_received": traffic.receivedSegments,
    "wirespan.tcp.retransmits": traffic.retransmits,
    "wirespan.tcp.bytes_retransmitted": traffic.retransmittedBytes,
    "wirespan.tcp.lost": traffic.lost,
    ...(traffic.reordering && { "wirespan.tcp.reordering": traffic.reordering }),
    ...(traffic.cwnd && { "wirespan.tcp.cwnd": traffic.cwnd }),
    ...(traffic.srttUs && {
      "wirespan.tcp.rtt.smoothed": traffic.srttUs / 1e6,
      "wirespan.tcp.rtt.variation": traffic.rttVarUs / 1e6,
    }),
    ...(traffic.minRttUs && { "wirespan.tcp.rtt.min": traffic.minRttUs / 1e6 }),
    ...(traffic.unread && { "wirespan.tcp.bytes_unread": traffic.unread }),
    ...(conn.fastopen && { "wirespan.tcp.fastopen": true }),
  };
}

const SERIES = {
  ...WORKLOAD,
  "wirespan.tcp.close.reason": { ...CLOSE_REASON["wirespan.tcp.close.reason"], usual: 1 },
} as const satisfies AttributeSpecs;

export default plugin({
  name: "tcplife",
  summary: "The life of TCP connections: whose, how long, how many bytes, how they ended.",

  config: {
    checkpoint: {
      doc: "Report a connection that lives longer than this, and again each time as much has passed; 0s: never.",
      format: "duration",
      default: 300_000,
    },
  },

  skeleton,
  spans: { connection: { attributes: STATISTICS, enrich: statistics } },
  probes: {
    "ends of connections": { programs: ["on_close"] },
  },
  uses: {
    connections: services.connections,
    identity: services.identity,
    clock: services.clock,
  },

  signals: {
    duration: {
      signal: "metric",
      instrument: "histogram",
      name: "wirespan.tcp.connection.duration",
      unit: "s",
      description: "How long connections lived, from the SYN to the close.",
      attributes: SERIES,
    },
    rtt: {
      signal: "metric",
      instrument: "histogram",
      name: "wirespan.tcp.connection.rtt",
      unit: "s",
      description: "Smoothed round-trip time of connections at their close.",
      attributes: SERIES,
    },
    closed: {
      signal: "metric",
      instrument: "counter",
      name: "wirespan.tcp.connection.closed",
      unit: "{connection}",
      description: "Connections that ended, one end each.",
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
        // Living connections are in the series of `none`.
        "wirespan.tcp.close.reason": { ...CLOSE_REASON["wirespan.tcp.close.reason"], usual: 2 },
        "network.io.direction": {
          type: "string",
          requirement: "required",
          enum: ["transmit", "receive"],
          description: "The direction, from this host's view.",
        },
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
      },
    },
  },

  constants: ({ checkpoint }) => ({ checkpoint_ns: checkpoint * 1e6 }),

  start({ emit, use: { connections, identity, clock } }) {
    function observe(key: LifeKey | undefined, life: Life): void {
      const workload = key && identity.workload(key.workload);
      const resource = workload?.resource;
      const series = key
        ? ({
            ...workload?.series,
            "network.type": key.family === 4 ? "ipv4" : key.family === 6 ? "ipv6" : undefined,
            "wirespan.connection.direction": key.direction,
            "wirespan.tcp.close.reason": key.closeReason,
          } as const)
        : ({ "otel.metric.overflow": true, "wirespan.tcp.close.reason": "none" } as const);
      if (life.connections) emit.closed.observe(life.connections, series, resource);
      if (life.duration.count) emit.duration.observe(seconds(life.duration), series, resource);
      if (life.rtt.count) emit.rtt.observe(seconds(life.rtt), series, resource);
      emit.io.observe(life.sentBytes, { ...series, "network.io.direction": "transmit" }, resource);
      emit.io.observe(life.receivedBytes, { ...series, "network.io.direction": "receive" }, resource);
    }

    return {
      lives(rows) {
        for (const [key, life] of rows) observe(key, life);
      },
      overflow(rows) {
        for (const [, life] of rows)
          if (life.connections || life.sentBytes || life.receivedBytes) observe(undefined, life);
      },
      sweep(rows) {
        const time = clock.now();
        for (const row of rows) {
          emit.checkpoint({
            time,
            resource: connections.resource(row.conn.owner),
            context: { traceId: row.traceId, spanId: row.spanId },
            attributes: {
              ...connections.attributes(row),
              ...statistics(row),
              "wirespan.tcp.bytes_sent": row.traffic.sentBytes,
              "wirespan.tcp.bytes_received": row.traffic.receivedBytes,
            } as never,
          });
        }
      },
    };
  },

  trace,
});
