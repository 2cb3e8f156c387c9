// tcpretrans: retransmitted TCP segments, and why.
import { formatAddress } from "../../core/plugin/address.ts";
import { ConnRecordCursor } from "../../core/plugin/connection.ts";
import { plugin } from "../../core/plugin/plugin.ts";
import { TCP_STATES } from "../../core/plugin/semconv.ts";
import { networkType } from "../../core/plugin/series.ts";
import { services } from "../../core/plugin/services.ts";
import { nested, values } from "../../core/plugin/values.ts";
import { failureOf, SEGMENT, signals } from "./signals.ts";
import { type FlowKey, RetransmitCursor, skeleton } from "./tcpretrans.skel.ts";
import { trace } from "./trace.ts";

const segment = values(RetransmitCursor, SEGMENT, {
  "wirespan.tcp.retransmit.type": { from: "attempt.type" },
  "network.connection.state": { from: "attempt.state", names: TCP_STATES },
  "error.type": { by: ({ attempt }) => failureOf(attempt.error) },
  "wirespan.tcp.sequence": { from: "attempt.sequence" },
  "wirespan.tcp.flags": { by: ({ attempt }) => attempt.flags & 0xff },
  "wirespan.tcp.segments": { from: "attempt.segments" },
  "wirespan.tcp.bytes": { from: "attempt.bytes" },
  "network.interface.name": { from: "attempt.interface", nonZero: true },
  "wirespan.interface.index": { from: "attempt.ifindex", nonZero: true },
  "wirespan.tcp.cwnd": { from: "connection.traffic.cwnd", nonZero: true },
  "wirespan.tcp.rtt.smoothed": {
    from: "connection.traffic.srttUs",
    per: 1e6,
    when: "connection.traffic.srttUs",
  },
  "wirespan.event.suppressed": { from: "suppressed", nonZero: true },
});

export default plugin({
  name: "tcpretrans",
  summary: "TCP retransmissions: owner, cause, segments and bytes.",

  config: {
    eventRate: {
      doc: "Events per second for each type, also the size of a burst; 0: none. Further retransmissions are counted as suppressed.",
      format: "count",
      default: 10,
    },
    flows: {
      doc: "Also count retransmissions by connection (wirespan.tcp.flow.retransmits).",
      format: "boolean",
      default: false,
    },
  },

  skeleton,
  probes: {
    retransmissions: { programs: [{ program: "on_attempt", args: 3 }, "on_retransmit"] },
    "retransmissions, in packets that interrupt the first": {
      programs: [{ program: "on_attempt_nested", args: 3 }, "on_retransmit_nested"],
    },
    "retransmitted SYN-ACKs": { programs: ["on_synack"] },
  },
  uses: {
    connections: services.connections,
    series: services.series,
    namespaces: services.namespaces,
    clock: services.clock,
  },
  signals,

  series: ({ flows }) => (flows ? {} : { flows: 0 }),
  constants: ({ eventRate, flows }) => ({ event_rate: eventRate, count_flows: flows }),

  start({ emit, use: { connections, series, clock, namespaces } }) {
    const connection = nested(ConnRecordCursor, "conn", connections.values);
    const event = nested(RetransmitCursor, "connection", connection).and(segment);
    const inTrace = nested(RetransmitCursor, "connection", connections.inTraceValues).and(segment);

    return {
      totals(rows) {
        for (const [key, { attempts, segments, bytes }] of rows) {
          const { attributes: workload, resource } = series(key, key.direction);
          const attributes = {
            ...workload,
            "wirespan.tcp.retransmit.type": key.type,
            "network.connection.state": TCP_STATES[key.state],
          };
          const error = failureOf(key.error);
          const failed = { ...attributes, "error.type": error };
          if (error) emit.failures.observe(attempts, failed, resource);
          if (!segments) continue;
          emit.retransmits.observe(segments, failed, resource);
          if (!error) emit.io.observe(bytes, attributes, resource);
        }
      },
      flows(rows) {
        for (const [key, { segments }] of rows) {
          const { attributes, resource } = series({ workload: key.workload });
          const namespace = namespaces.attributes(key.netnsCookie, key.netns);
          emit.flows.observe(segments, { ...attributes, ...flowOf(key), ...namespace }, resource);
        }
      },
      totals_overflow(rows) {
        for (const [, { segments, bytes }] of rows) {
          if (!segments) continue;
          emit.retransmits.overflow(segments);
          emit.io.overflow(bytes);
        }
      },
      flows_overflow(rows) {
        for (const [, { segments }] of rows) if (segments) emit.flows.overflow(segments);
      },
      retransmits(record) {
        const { connection, happenedAt } = record;
        const { conn } = connection;
        // A SYN's span has different ids depending on whether the other end answers.
        const hasIds = conn.establishedAt !== 0 || conn.peerIsn !== 0;
        const span = connections.inTrace(connection, happenedAt);
        if (span) emit.inTrace({ ...span, attributes: inTrace.of(record) });
        if (connection.context.source !== "none") return;
        emit.retransmit({
          time: clock.wall(happenedAt),
          resource: connections.resource(conn.owner),
          ...(hasIds && { context: { traceId: connection.traceId, spanId: connection.spanId } }),
          attributes: event.of(record),
        });
      },
    };
  },

  trace,
});

function flowOf({ ends }: FlowKey) {
  const family = networkType(ends.family) ?? "ipv4";
  return {
    "network.type": family,
    "network.local.address": formatAddress(ends.local, family),
    "network.local.port": ends.localPort,
    "network.peer.address": formatAddress(ends.peer, family),
    "network.peer.port": ends.peerPort,
  };
}
