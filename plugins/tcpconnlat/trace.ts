// bcc's view of tcpconnlat, and the outcome, without which a refusal reads like a fast connection.
import { FAILED_AT_ONCE_OPTION } from "../../core/plugin/hooks/connect.ts";
import * as column from "../../core/plugin/trace/columns.ts";
import { options } from "../../core/plugin/trace/options.ts";
import type { TraceView } from "../../core/plugin/trace/view.ts";

const { text, number } = column;

export const trace: TraceView = {
  arguments: "[minimum]",
  operands: { minimum: { setting: "filter.minDuration", unit: "ms" } },
  options: [
    options.timestamp,
    options.pid,
    options.localPort,
    ...options.family,
    options.failures,
    FAILED_AT_ONCE_OPTION,
  ],
  rows: "tcp connect",
  columns({ timestamp, lport, wide }) {
    const width = column.addressWidth(wide);
    return [
      ...(timestamp ? [column.elapsed()] : []),
      ...column.OWNER,
      column.FAMILY,
      { title: "SADDR", width, cell: text("network.local.address") },
      ...(lport ? [{ title: "LPORT", width: 5, cell: text("network.local.port") }] : []),
      { title: "DADDR", width, cell: text("network.peer.address") },
      { title: "DPORT", width: 5, cell: text("network.peer.port") },
      number("LAT(ms)", 9, (row) => ((row.duration ?? 0) * 1000).toFixed(2)),
      column.RESULT,
      ...(wide
        ? [
            number("RETRANS", 7, text("wirespan.tcp.syn.retransmits")),
            number("RTT(ms)", 8, column.milliseconds("wirespan.tcp.rtt.smoothed", 3)),
            { title: "TFO", width: 5, cell: text("wirespan.tcp.fastopen") },
          ]
        : []),
    ];
  },
};
