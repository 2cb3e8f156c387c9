// tcpretrans: retransmitted TCP segments, and why.
import { formatAddress } from "../../core/plugin/address.ts";
import { plugin } from "../../core/plugin/plugin.ts";
import { TCP_STATES } from "../../core/plugin/semconv.ts";
import { networkType } from "../../core/plugin/series.ts";
import { services } from "../../core/plugin/services.ts";
import { failureOf, signals } from "./signals.ts";
import { type FlowKey, skeleton } from "./tcpretrans.skel.ts";
import { trace } from "./trace.ts";

export default plugin({
  name: "tcpretrans",
  summary: "TCP retransmissions: whose, what caused them, and how many segments and bytes they took.",

  config: {
    eventRate: {
      doc: "Events per second for each type, also the size of a burst; 0: none. Retransmissions beyond are counted as suppressed.",
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

  start: ({ emit, use: { connections, series, clock, namespaces } }) => ({
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
      const { connection, happenedAt, attempt, suppressed } = record;
      const { conn, traffic } = connection;
      // The span of a SYN has other ids if the other end answers than if it does not.
      const hasIds = conn.ownIsn !== 0 || conn.peerIsn !== 0;
      const span = connections.inTrace(connection, happenedAt);
      const attributes = {
        "wirespan.tcp.retransmit.type": attempt.type,
        "network.connection.state": TCP_STATES[attempt.state],
        "error.type": failureOf(attempt.error),
        "wirespan.tcp.sequence": attempt.sequence,
        "wirespan.tcp.flags": attempt.flags & 0xff,
        "wirespan.tcp.segments": attempt.segments,
        "wirespan.tcp.bytes": attempt.bytes,
        "network.interface.name": attempt.interface || undefined,
        "wirespan.interface.index": attempt.ifindex || undefined,
        "wirespan.tcp.cwnd": traffic.cwnd || undefined,
        "wirespan.tcp.rtt.smoothed": traffic.srttUs ? traffic.srttUs / 1e6 : undefined,
        "wirespan.event.suppressed": suppressed || undefined,
      };
      if (span) emit.inTrace({ ...span, attributes: { ...span.attributes, ...attributes } });
      if (connection.context.source !== "none") return;
      emit.retransmit({
        time: clock.wall(happenedAt),
        resource: connections.resource(conn.owner),
        ...(hasIds && { context: { traceId: connection.traceId, spanId: connection.spanId } }),
        attributes: {
          ...connections.attributes(connection),
          ...attributes,
        },
      });
    },
  }),

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
