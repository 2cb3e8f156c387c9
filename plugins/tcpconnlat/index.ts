// tcpconnlat: how long connecting takes, and how it ends.
import { type ConnRecord, connectError } from "../../core/plugin/connection.ts";
import { seconds } from "../../core/plugin/histogram.ts";
import { plugin } from "../../core/plugin/plugin.ts";
import { ERROR_TYPE, OPENER } from "../../core/plugin/semconv.ts";
import { services } from "../../core/plugin/services.ts";
import type { AttributeSpecs } from "../../core/plugin/signals.ts";
import { type HandshakeKey, type Histogram, skeleton } from "./tcpconnlat.skel.ts";
import { trace } from "./trace.ts";

/** What tcpconnlat adds to the handshake's span. */
const HANDSHAKE = {
  "wirespan.tcp.syn.retransmits": {
    type: "int",
    requirement: "required",
    description: "SYNs that were retransmitted; the span's duration includes the waits before them.",
  },
  "wirespan.tcp.rtt.smoothed": {
    type: "double",
    requirement: "conditional",
    description:
      "The handshake's round-trip time, without waits, seconds; absent if a SYN was retransmitted, since the answer may be to either SYN.",
  },
  "wirespan.tcp.fastopen": {
    type: "boolean",
    requirement: "conditional",
    description: "Data travelled with the SYN (RFC 7413).",
  },
} as const satisfies AttributeSpecs;

function handshake({ conn, traffic }: ConnRecord) {
  return {
    "wirespan.tcp.syn.retransmits": conn.handshakeRetransmits,
    ...(conn.establishedAt &&
      !conn.handshakeRetransmits &&
      traffic.srttUs && { "wirespan.tcp.rtt.smoothed": traffic.srttUs / 1e6 }),
    ...(conn.fastopen && { "wirespan.tcp.fastopen": true }),
  };
}

export default plugin({
  name: "tcpconnlat",
  summary: "How long connecting takes, how often the SYN was retransmitted, and the outcome.",

  config: {
    failedAtOnce: {
      doc: "Report also attempts that fail before the socket's state changes (no route, not permitted). This uses the tracepoint at the return of connect(), which slows every system call of the host a little.",
      format: "boolean",
      default: false,
    },
  },

  skeleton,
  spans: { connect: { attributes: HANDSHAKE, enrich: handshake } },
  probes: {
    "ends of handshakes": { programs: ["on_handshake"] },
    "attempts that fail at once": {
      programs: ["on_failed_at_once"],
      setting: "failedAtOnce",
      lostWithout: "attempts that fail before the socket's state changes: no route, not permitted",
    },
  },
  uses: { identity: services.identity },

  signals: {
    duration: {
      signal: "metric",
      instrument: "histogram",
      name: "wirespan.tcp.connect.duration",
      unit: "s",
      description: "How long it took from the first SYN to the outcome, retransmissions included.",
      attributes: { ...OPENER, ...ERROR_TYPE },
    },
  },

  start({ emit, use: { identity } }) {
    function observe(key: HandshakeKey, histogram: Histogram): void {
      const { resource, series } = identity.workload(key.workload);
      emit.duration.observe(
        seconds(histogram),
        {
          ...series,
          "network.type": key.family === 4 ? "ipv4" : "ipv6",
          "wirespan.connection.direction": "outbound",
          "error.type": connectError(key.closeReason, key.error),
        },
        resource,
      );
    }

    return {
      handshakes(rows) {
        for (const [key, histogram] of rows) observe(key, histogram);
      },
      overflow(rows) {
        for (const [, histogram] of rows)
          if (histogram.count) emit.duration.observe(seconds(histogram), { "otel.metric.overflow": true });
      },
    };
  },

  trace,
});
