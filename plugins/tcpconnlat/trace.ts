// bcc's view of tcpconnlat, with the outcome, without which a refusal looks like a fast connection.
import * as column from "../../core/plugin/trace/columns.ts";
import { options } from "../../core/plugin/trace/options.ts";
import type { TraceView } from "../../core/plugin/trace/view.ts";

const { text, number } = column;
const { timestamp, pid, localPort, family, failures, failedAtOnce } = options;

export const trace: TraceView = {
  arguments: "[minimum]",
  operands: { minimum: { setting: "filter.minDuration", unit: "ms" } },
  options: [timestamp, pid, localPort, ...family, failures, failedAtOnce],
  rows: "tcp connect",
  columns: ({ timestamp, lport, wide }) => [
    ...(timestamp ? [column.elapsed()] : []),
    ...column.OWNER,
    column.FAMILY,
    ...column.end("local", column.addressWidth(wide), "SADDR", lport && "LPORT"),
    ...column.end("peer", column.addressWidth(wide), "DADDR", "DPORT"),
    number("LAT(ms)", 9, (row) => ((row.duration ?? 0) * 1000).toFixed(2)),
    column.RESULT,
    ...(wide
      ? [
          number("RETRANS", 7, text("wirespan.tcp.syn.retransmits")),
          number("RTT(ms)", 8, column.milliseconds("wirespan.tcp.rtt.smoothed", 3)),
          { title: "TFO", width: 5, cell: text("wirespan.tcp.fastopen") },
        ]
      : []),
  ],
};
