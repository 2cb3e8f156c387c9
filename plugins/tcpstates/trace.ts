// bcc's view of tcpstates.
import * as column from "../../core/plugin/trace/columns.ts";
import { options, ports } from "../../core/plugin/trace/options.ts";
import type { TraceView } from "../../core/plugin/trace/view.ts";

const { text, tcpState } = column;

export const trace: TraceView = {
  meansNothing: { failed: "a change of state does not fail" },
  options: [
    options.time,
    options.timestamp,
    { flags: "-w, --wide", doc: "wide columns for IPv6, and the owner, direction and network namespace" },
    { flags: "-s, --csv", doc: "comma-separated values" },
    ports("-L, --localport <ports>", "local"),
    ports("-D, --remoteport <ports>", "remote"),
    ...options.family,
  ],
  rows: "wirespan.tcp.state.change",
  settings: { events: "true", "ring.bytes": "64MiB" },
  columns({ time, timestamp, wide }) {
    const width = column.addressWidth(wide, 15);
    return [
      ...(time ? [column.TIME] : []),
      ...(timestamp ? [column.elapsed()] : []),
      { title: "SKADDR", width: 16, cell: text("wirespan.connection.id") },
      { title: "C-PID", width: 7, cell: text("wirespan.process.context.pid") },
      { title: "C-COMM", width: 15, cell: text("wirespan.process.context.name") },
      column.FAMILY,
      ...column.end("local", width, "LADDR", "LPORT"),
      ...column.end("peer", width, "RADDR", "RPORT"),
      { title: "OLDSTATE", width: 11, cell: tcpState("wirespan.tcp.state.previous") },
      { title: "->", width: 2, cell: () => "->" },
      { title: "NEWSTATE", width: 11, cell: tcpState("network.connection.state") },
      { title: "MS", width: 9, cell: column.milliseconds("wirespan.tcp.state.duration", 3) },
      ...(wide
        ? [
            ...column.OWNER,
            { title: "DIRECTION", width: 9, cell: text("wirespan.connection.direction") },
            column.NETNS,
          ]
        : []),
    ];
  },
};
