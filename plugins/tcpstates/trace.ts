// bcc's view of tcpstates.
import { elapsed, FAMILY, milliseconds, TIME, text } from "../../core/plugin/trace/columns.ts";
import type { Column, Row, TraceView } from "../../core/plugin/trace/view.ts";

/** As the kernel spells them, and so bcc. */
const STATES: Readonly<Record<string, string>> = {
  syn_received: "SYN_RECV",
  closed: "CLOSE",
  fin_wait_1: "FIN_WAIT1",
  fin_wait_2: "FIN_WAIT2",
};

const state = (key: string) => (row: Row) => {
  const name = String(row.attributes[key] ?? "-");
  return STATES[name] ?? name.toUpperCase();
};

export const trace: TraceView = {
  meansNothing: { failed: "a change of state does not fail" },
  options: [
    { flags: "-T, --time", doc: "print the wall-clock time (HH:MM:SS)" },
    { flags: "-t, --timestamp", doc: "print seconds since the first row" },
    { flags: "-w, --wide", doc: "wide columns, for IPv6, and the owner, direction and network namespace" },
    { flags: "-s, --csv", doc: "comma-separated values" },
    { flags: "-L, --localport <ports>", doc: "these local ports only", setting: "filter.include.localPort" },
    {
      flags: "-D, --remoteport <ports>",
      doc: "these remote ports only",
      setting: "filter.include.remotePort",
    },
    { flags: "-4, --ipv4", doc: "IPv4 only", setting: "filter.include.family", value: "ipv4" },
    { flags: "-6, --ipv6", doc: "IPv6 only", setting: "filter.include.family", value: "ipv6" },
  ],
  rows: "wirespan.tcp.state.change",
  settings: { events: "true", "ring.bytes": "64MiB" },
  columns({ time, timestamp, wide }) {
    const width = wide ? 26 : 15;
    const columns: Column[] = [
      { title: "SKADDR", width: 16, cell: text("wirespan.connection.id") },
      { title: "C-PID", width: 7, cell: text("wirespan.process.context.pid") },
      { title: "C-COMM", width: 15, cell: text("wirespan.process.context.name") },
      FAMILY,
      { title: "LADDR", width, cell: text("network.local.address") },
      { title: "LPORT", width: 5, cell: text("network.local.port") },
      { title: "RADDR", width, cell: text("network.peer.address") },
      { title: "RPORT", width: 5, cell: text("network.peer.port") },
      { title: "OLDSTATE", width: 11, cell: state("wirespan.tcp.state.previous") },
      { title: "->", width: 2, cell: () => "->" },
      { title: "NEWSTATE", width: 11, cell: state("network.connection.state") },
      { title: "MS", width: 9, cell: milliseconds("wirespan.tcp.state.duration", 3) },
    ];
    if (wide) {
      columns.push(
        { title: "PID", width: 7, cell: text("process.pid") },
        { title: "COMM", width: 15, cell: text("thread.name") },
        { title: "DIRECTION", width: 9, cell: text("wirespan.connection.direction") },
        { title: "NETNS", width: 10, cell: text("wirespan.netns.inode") },
      );
    }
    if (timestamp) columns.unshift(elapsed());
    if (time) columns.unshift(TIME);
    return columns;
  },
};
