// bcc's view of tcplife.
import { elapsed, FAMILY, milliseconds, OWNER, TIME, text } from "../../core/plugin/trace/columns.ts";
import type { Column, Row, TraceView } from "../../core/plugin/trace/view.ts";

const kilobytes = (key: string) => (row: Row) => (Number(row.attributes[key] ?? 0) / 1024).toFixed(1);

function addressWidth(wide: boolean): number {
  return wide ? 26 : 15;
}

export const trace: TraceView = {
  options: [
    { flags: "-T, --time", doc: "print the wall-clock time (HH:MM:SS)" },
    { flags: "-t, --timestamp", doc: "print seconds since the first row" },
    { flags: "-w, --wide", doc: "wide columns, for IPv6, and close reason, round trip and retransmits" },
    { flags: "-s, --csv", doc: "comma-separated values" },
    { flags: "-p, --pid <pid>", doc: "this process only", setting: "filter.include.pid" },
    { flags: "-L, --localport <ports>", doc: "these local ports only", setting: "filter.include.localPort" },
    {
      flags: "-D, --remoteport <ports>",
      doc: "these remote ports only",
      setting: "filter.include.remotePort",
    },
    { flags: "-4, --ipv4", doc: "IPv4 only", setting: "filter.include.family", value: "ipv4" },
    { flags: "-6, --ipv6", doc: "IPv6 only", setting: "filter.include.family", value: "ipv6" },
  ],
  rows: "tcp connection",
  columns({ time, timestamp, wide }) {
    const columns: Column[] = [
      ...OWNER,
      FAMILY,
      { title: "LADDR", width: addressWidth(wide === true), cell: text("network.local.address") },
      { title: "LPORT", width: 5, cell: text("network.local.port") },
      { title: "RADDR", width: addressWidth(wide === true), cell: text("network.peer.address") },
      { title: "RPORT", width: 5, cell: text("network.peer.port") },
      { title: "TX_KB", width: 8, align: "right", cell: kilobytes("wirespan.tcp.bytes_sent") },
      { title: "RX_KB", width: 8, align: "right", cell: kilobytes("wirespan.tcp.bytes_received") },
      { title: "MS", width: 10, align: "right", cell: (row) => ((row.duration ?? 0) * 1000).toFixed(2) },
    ];
    if (wide) {
      columns.push(
        { title: "REASON", width: 12, cell: text("wirespan.tcp.close.reason") },
        { title: "RETRANS", width: 7, align: "right", cell: text("wirespan.tcp.retransmits") },
        {
          title: "RTT_MS",
          width: 8,
          align: "right",
          cell: milliseconds("wirespan.tcp.rtt.smoothed", 3),
        },
      );
    }
    if (timestamp) columns.unshift(elapsed());
    if (time) columns.unshift(TIME);
    return columns;
  },
};
