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
  uses: { series: services.series },
  start: ({ emit, use: { series } }) => ({
    handshakes(rows) {
      for (const [key, sum] of rows) {
        const { attributes, resource } = series(key, "outbound");
        emit.duration.observe(seconds(sum), { ...attributes, "error.type": connectError(key) }, resource);
      }
    },
    handshakes_overflow(rows) {
      for (const [, sum] of rows) if (sum.count) emit.duration.overflow(seconds(sum));
    },
    enrich: { connect: handshake },
  }),
  trace,
});
