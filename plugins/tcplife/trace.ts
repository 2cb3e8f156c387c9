// bcc's view of tcplife.
import * as column from "../../core/plugin/trace/columns.ts";
import { options, ports } from "../../core/plugin/trace/options.ts";
import type { TraceView } from "../../core/plugin/trace/view.ts";

const { text, number, kilobytes } = column;

export const trace: TraceView = {
  options: [
    options.time,
    options.timestamp,
    {
      flags: "-w, --wide",
      doc: "wide columns for IPv6, and the close reason, retransmits and round-trip time",
    },
    { flags: "-s, --csv", doc: "comma-separated values" },
    options.pid,
    ports("-L, --localport <ports>", "local"),
    ports("-D, --remoteport <ports>", "remote"),
    ...options.family,
  ],
  rows: "tcp connection",
  columns({ time, timestamp, wide }) {
    const width = column.addressWidth(wide, 15);
    return [
      ...(time ? [column.TIME] : []),
      ...(timestamp ? [column.elapsed()] : []),
      ...column.OWNER,
      column.FAMILY,
      ...column.end("local", width, "LADDR", "LPORT"),
      ...column.end("peer", width, "RADDR", "RPORT"),
      number("TX_KB", 8, kilobytes("wirespan.tcp.bytes_sent")),
      number("RX_KB", 8, kilobytes("wirespan.tcp.bytes_received")),
      number("MS", 10, (row) => ((row.duration ?? 0) * 1000).toFixed(2)),
      ...(wide
        ? [
            { title: "REASON", width: 12, cell: text("wirespan.tcp.close.reason") },
            number("RETRANS", 7, text("wirespan.tcp.retransmits")),
            number("RTT_MS", 8, column.milliseconds("wirespan.tcp.rtt.smoothed", 3)),
          ]
        : []),
    ];
  },
};
