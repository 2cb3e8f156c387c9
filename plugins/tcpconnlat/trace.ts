// bcc's view of tcpconnlat, and the outcome, without which a refusal reads like a fast connection.
import { elapsed, FAMILY, milliseconds, OWNER, RESULT, text } from "../../core/plugin/trace/columns.ts";
import type { Column, TraceView } from "../../core/plugin/trace/view.ts";

export const trace: TraceView = {
  arguments: "[minimum]",
  operands: { minimum: { setting: "filter.minDuration", unit: "ms" } },
  options: [
    { flags: "-t, --timestamp", doc: "print seconds since the first row" },
    { flags: "-p, --pid <pid>", doc: "this process only", setting: "filter.include.pid" },
    { flags: "-L, --lport", doc: "print the local port" },
    { flags: "-4, --ipv4", doc: "IPv4 only", setting: "filter.include.family", value: "ipv4" },
    { flags: "-6, --ipv6", doc: "IPv6 only", setting: "filter.include.family", value: "ipv6" },
    {
      flags: "-x, --failures",
      doc: "only what failed",
      setting: "filter.failuresOnly",
      value: "true",
    },
    {
      flags: "--failed-at-once",
      doc: "also attempts that fail before a SYN could leave (slows every system call a little)",
      setting: "failedAtOnce",
      value: "true",
    },
  ],
  rows: "tcp connect",
  columns({ timestamp, lport, wide }) {
    const address = wide ? 26 : 16;
    return [
      ...(timestamp ? [elapsed()] : []),
      ...OWNER,
      FAMILY,
      { title: "SADDR", width: address, cell: text("network.local.address") },
      ...(lport ? [{ title: "LPORT", width: 5, cell: text("network.local.port") }] : []),
      { title: "DADDR", width: address, cell: text("network.peer.address") },
      { title: "DPORT", width: 5, cell: text("network.peer.port") },
      { title: "LAT(ms)", width: 9, align: "right", cell: (row) => ((row.duration ?? 0) * 1000).toFixed(2) },
      RESULT,
      ...(wide
        ? ([
            { title: "RETRANS", width: 7, align: "right", cell: text("wirespan.tcp.syn.retransmits") },
            {
              title: "RTT(ms)",
              width: 8,
              align: "right",
              cell: milliseconds("wirespan.tcp.rtt.smoothed", 3),
            },
            { title: "TFO", width: 5, cell: text("wirespan.tcp.fastopen") },
          ] satisfies Column[])
        : []),
    ];
  },
};
