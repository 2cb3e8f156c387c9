// tcpconnlat: the latency of connect(), and its outcome.
import { ConnRecordCursor, connectError } from "../../core/plugin/connection.ts";
import { seconds } from "../../core/plugin/histogram.ts";
import { CONNECT_PROBES, FAILED_AT_ONCE_SETTING } from "../../core/plugin/hooks/connect.ts";
import { plugin } from "../../core/plugin/plugin.ts";
import { services } from "../../core/plugin/services.ts";
import { values } from "../../core/plugin/values.ts";
import { HANDSHAKE, signals } from "./signals.ts";
import { skeleton } from "./tcpconnlat.skel.ts";
import { trace } from "./trace.ts";

const handshake = values(ConnRecordCursor, HANDSHAKE, {
  "wirespan.tcp.syn.retransmits": { from: "conn.handshakeRetransmits" },
  "wirespan.tcp.rtt.smoothed": {
    by: ({ conn, traffic: { srttUs } }) =>
      conn.establishedAt && !conn.handshakeRetransmits && srttUs ? srttUs / 1e6 : undefined,
  },
  "wirespan.tcp.fastopen": { from: "conn.fastopen", nonZero: true },
});

export default plugin({
  name: "tcpconnlat",
  summary: "Connection latency: how long each handshake took, SYN retransmissions, and the outcome.",
  config: { failedAtOnce: FAILED_AT_ONCE_SETTING },
  skeleton,
  probes: CONNECT_PROBES,
  spans: { connect: HANDSHAKE },
  signals,
  uses: { connections: services.connections, series: services.series, exemplars: services.exemplars },
  start: ({ emit, use: { connections, series, exemplars } }) => ({
    handshakes(rows) {
      for (const [key, sum] of rows) {
        const { attributes, resource } = series(key, "outbound");
        const row = exemplars.row(key.workload, key.closeReason, key.error, key.family);
        const duration = seconds(sum, row.of("duration"));
        emit.duration.observe(duration, { ...attributes, "error.type": connectError(key) }, resource);
      }
    },
    handshakes_overflow(rows) {
      for (const [, sum] of rows) if (sum.count) emit.duration.overflow(seconds(sum));
    },
    enrich: { connect: handshake },
    exemplify: {
      connect({ conn }, span) {
        const { establishedAt, openedAt, closedAt, ends } = conn;
        const [reason, error] = establishedAt ? (["none", 0] as const) : [conn.closeReason, conn.error];
        const row = exemplars.row(connections.workload(conn.owner), reason, error, ends.family);
        const endedAt = establishedAt || closedAt;
        row.offer("duration", endedAt - openedAt, endedAt, span);
      },
    },
  }),
  trace,
});
