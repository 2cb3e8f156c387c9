// tcpaccept: connections handed to accept(), those that never were, and calls that failed.
import { type ConnRecord, SPANS } from "../../core/plugin/connection.ts";
import { seconds } from "../../core/plugin/histogram.ts";
import { ACCEPT_PROBES, ACCEPT_SETTING, FAILED_ACCEPT_PROBES } from "../../core/plugin/hooks/accept.ts";
import { plugin } from "../../core/plugin/plugin.ts";
import { ACCEPTOR, CONNECTION } from "../../core/plugin/semconv.ts";
import { services } from "../../core/plugin/services.ts";
import type { AttributeSpecs } from "../../core/plugin/signals.ts";
import { acceptErrorOf, FAILURE } from "./failure.ts";
import { type AcceptKey, type Accepts, type FailureKey, skeleton } from "./tcpaccept.skel.ts";
import { trace } from "./trace.ts";

/** What tcpaccept adds to the span. */
const HANDSHAKE = {
  "wirespan.tcp.synack.retransmits": {
    type: "int",
    requirement: "required",
    description: "SYN-ACKs that were retransmitted; the span's duration includes the waits before them.",
  },
  "wirespan.tcp.fastopen": {
    type: "boolean",
    requirement: "conditional",
    description: "Data travelled with the SYN (RFC 7413).",
  },
} as const satisfies AttributeSpecs;

function handshake({ conn }: ConnRecord) {
  return {
    "wirespan.tcp.synack.retransmits": conn.handshakeRetransmits,
    ...(conn.fastopen && { "wirespan.tcp.fastopen": true }),
  };
}

const { "network.peer.address": _address, "network.peer.port": _port, ...LISTENER } = CONNECTION;

export default plugin({
  name: "tcpaccept",
  summary:
    "Accepted connections: by which process, after how long in the queue; those never accepted, and calls that failed.",

  config: {
    acceptHook: ACCEPT_SETTING,
    queued: {
      doc: "Report also connections that ended in the queue before accept() returned them.",
      format: "boolean",
      default: true,
    },
    eventRate: {
      doc: "Events a second for each error of accept(), and as many in one burst; 0: none. Those beyond are counted as suppressed.",
      format: "count",
      default: 10,
    },
  },

  skeleton,
  probes: {
    ...ACCEPT_PROBES,
    ...FAILED_ACCEPT_PROBES,
    "ends in the queue": { programs: ["on_end_in_queue"] },
  },
  uses: {
    connections: services.connections,
    identity: services.identity,
    clock: services.clock,
  },
  spans: { accept: { attributes: HANDSHAKE, enrich: handshake } },

  signals: {
    duration: {
      signal: "metric",
      instrument: "histogram",
      name: "wirespan.tcp.accept.duration",
      unit: "s",
      description:
        "How long connections took from the SYN until accept() returned them, or until they ended.",
      attributes: { ...ACCEPTOR, "error.type": SPANS.accept.attributes["error.type"] },
    },
    accepted: {
      signal: "metric",
      instrument: "counter",
      name: "wirespan.tcp.connection.accepted",
      unit: "{connection}",
      description: "Connections that accept() returned.",
      attributes: ACCEPTOR,
    },
    failures: {
      signal: "metric",
      instrument: "counter",
      name: "wirespan.tcp.accept.errors",
      unit: "{call}",
      description: "Calls of accept() on TCP listeners that failed; not those that would have had to wait.",
      attributes: { ...ACCEPTOR, ...FAILURE },
    },
    failure: {
      signal: "event",
      name: "wirespan.tcp.accept.error",
      severity: "WARN",
      description: "A call of accept() on a TCP listener that failed.",
      attributes: {
        ...LISTENER,
        ...FAILURE,
        "wirespan.errno": {
          type: "int",
          requirement: "required",
          description: "The error, as the kernel numbers it.",
        },
        "wirespan.event.suppressed": {
          type: "int",
          requirement: "conditional",
          description:
            "Calls with this error since the last event that exceeded `eventRate` and have no event of their own.",
        },
      },
    },
  },

  constants: ({ queued, eventRate }) => ({ count_queued: queued, event_rate: eventRate }),

  start({ emit, use: { connections, identity, clock } }) {
    const seriesOf = ({ workload, family }: Pick<AcceptKey | FailureKey, "workload" | "family">) =>
      ({
        ...identity.workload(workload).series,
        "network.type": family === 4 ? "ipv4" : "ipv6",
        "wirespan.connection.direction": "inbound",
      }) as const;

    function observe(key: AcceptKey | undefined, { connections: count, duration }: Accepts, queued: boolean) {
      const series = key ? seriesOf(key) : { "otel.metric.overflow": true };
      const resource = key && identity.workload(key.workload).resource;
      if (!queued) emit.accepted.observe(count, series, resource);
      const error = queued ? "never_accepted" : undefined;
      if (duration.count)
        emit.duration.observe(seconds(duration), { ...series, "error.type": error }, resource);
    }

    return {
      accepts(rows) {
        for (const [key, accepts] of rows) observe(key, accepts, key.queued === 1);
      },
      overflow(rows) {
        for (const [key, accepts] of rows)
          if (accepts.connections) observe(undefined, accepts, key.value === 1);
      },
      failures(rows) {
        for (const [key, { calls }] of rows) {
          const series = { ...seriesOf(key), "error.type": acceptErrorOf(key.error) };
          emit.failures.observe(calls, series, identity.workload(key.workload).resource);
        }
      },
      failure_overflow(rows) {
        for (const [, { calls }] of rows) {
          if (calls) emit.failures.observe(calls, { "otel.metric.overflow": true, "error.type": "_OTHER" });
        }
      },
      failed_accepts(record) {
        const { conn, suppressed } = record;
        const {
          "network.peer.address": _,
          "network.peer.port": __,
          ...listener
        } = connections.attributes(record);
        emit.failure({
          time: clock.wall(conn.openedAt),
          resource: connections.resource(conn.owner),
          attributes: {
            ...listener,
            "error.type": acceptErrorOf(conn.error),
            "wirespan.errno": conn.error,
            ...(suppressed && { "wirespan.event.suppressed": suppressed }),
          } as never,
        });
      },
    };
  },

  trace,
});
