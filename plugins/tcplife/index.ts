// tcplife: the life of TCP connections.
import { ConnRecordCursor, isStartKnown } from "../../core/plugin/connection.ts";
import { seconds } from "../../core/plugin/histogram.ts";
import { plugin } from "../../core/plugin/plugin.ts";
import { services } from "../../core/plugin/services.ts";
import { nested, values } from "../../core/plugin/values.ts";
import { SO_FAR, STATISTICS, signals } from "./signals.ts";
import { skeleton } from "./tcplife.skel.ts";
import { trace } from "./trace.ts";

const statistics = values(ConnRecordCursor, STATISTICS, {
  "wirespan.tcp.segments_sent": { from: "traffic.sentSegments" },
  "wirespan.tcp.segments_received": { from: "traffic.receivedSegments" },
  "wirespan.tcp.retransmits": { from: "traffic.retransmits" },
  "wirespan.tcp.bytes_retransmitted": { from: "traffic.retransmittedBytes" },
  "wirespan.tcp.spurious_retransmits": { from: "traffic.spurious", nonZero: true },
  "wirespan.tcp.lost": { from: "traffic.lost" },
  "wirespan.tcp.reordering": { from: "traffic.reordering", nonZero: true },
  "wirespan.tcp.cwnd": { from: "traffic.cwnd", nonZero: true },
  "wirespan.tcp.rtt.smoothed": { from: "traffic.srttUs", per: 1e6, when: "traffic.srttUs" },
  "wirespan.tcp.rtt.variation": { from: "traffic.rttVarUs", per: 1e6, when: "traffic.srttUs" },
  "wirespan.tcp.rtt.min": { from: "traffic.minRttUs", per: 1e6, when: "traffic.minRttUs" },
  "wirespan.tcp.bytes_unread": { from: "traffic.unread", nonZero: true },
  "wirespan.tcp.fastopen": { from: "conn.fastopen", nonZero: true },
});

const soFar = values(ConnRecordCursor, SO_FAR, {
  "wirespan.tcp.bytes_sent": { from: "traffic.sentBytes" },
  "wirespan.tcp.bytes_received": { from: "traffic.receivedBytes" },
});

export default plugin({
  name: "tcplife",
  summary: "The life of TCP connections: owner, duration, bytes, and how each ended.",

  config: {
    checkpoint: {
      doc: "Report a connection that is open for longer than this, and again after each further interval of this length; 0s: never.",
      format: "duration",
      default: 300_000,
    },
  },

  skeleton,
  spans: { connection: STATISTICS },
  probes: { "ends of connections": { programs: ["on_close"] } },
  uses: {
    connections: services.connections,
    series: services.series,
    clock: services.clock,
    exemplars: services.exemplars,
  },
  signals,
  constants: ({ checkpoint }) => ({ checkpoint_ns: checkpoint * 1e6 }),

  start({ emit, use: { connections, series, clock, exemplars } }) {
    const checkpoint = nested(ConnRecordCursor, "conn", connections.values).and(statistics).and(soFar);

    return {
      lives(rows) {
        for (const [key, life] of rows) {
          const { attributes: workload, resource } = series(key, key.direction);
          const attributes = { ...workload, "wirespan.tcp.close.reason": key.closeReason };
          const row = exemplars.row(key.workload, key.direction, key.closeReason, key.family);
          const duration = seconds(life.duration, row.of("duration"));
          const rtt = seconds(life.rtt, row.of("rtt"));
          if (life.connections) emit.closed.observe(life.connections, attributes, resource);
          if (duration.count) emit.duration.observe(duration, attributes, resource);
          if (rtt.count) emit.rtt.observe(rtt, attributes, resource);
          emit.io.observe(life.sentBytes, { ...attributes, "network.io.direction": "transmit" }, resource);
          emit.io.observe(life.receivedBytes, { ...attributes, "network.io.direction": "receive" }, resource);
        }
      },
      lives_overflow(rows) {
        for (const [, { connections: count, duration, rtt, sentBytes, receivedBytes }] of rows) {
          if (!count && !sentBytes && !receivedBytes) continue;
          if (count) emit.closed.overflow(count);
          if (duration.count) emit.duration.overflow(seconds(duration));
          if (rtt.count) emit.rtt.overflow(seconds(rtt));
          emit.io.overflow(sentBytes, "transmit");
          emit.io.overflow(receivedBytes, "receive");
        }
      },
      sweep(rows) {
        const time = clock.now();
        for (const row of rows) {
          if (connections.waits(row.conn.owner)) continue;
          emit.checkpoint({
            time,
            resource: connections.resource(row.conn.owner),
            context: { traceId: row.traceId, spanId: row.spanId },
            attributes: checkpoint.of(row),
          });
        }
      },
      enrich: { connection: statistics },
      exemplify: {
        connection({ conn, traffic }, span) {
          const { openedAt, closedAt, direction, closeReason } = conn;
          const workload = connections.workload(conn.owner);
          const row = exemplars.row(workload, direction, closeReason, conn.ends.family);
          if (isStartKnown(conn)) row.offer("duration", closedAt - openedAt, closedAt, span);
          if (traffic.srttUs) row.offer("rtt", traffic.srttUs * 1000, closedAt, span);
        },
      },
    };
  },

  trace,
});
