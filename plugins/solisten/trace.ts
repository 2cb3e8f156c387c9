// bcc's view of solisten.
import { elapsed, text } from "../../core/plugin/trace/columns.ts";
import type { Column, Row, TraceView } from "../../core/plugin/trace/view.ts";

function protocol(row: Row): string {
  const name = row.attributes["wirespan.socket.protocol"];
  if (name === undefined) return "-";
  return `${String(name).toUpperCase()}v${row.attributes["network.type"] === "ipv6" ? "6" : "4"}`;
}

/** As the system call returns it. */
const result = (row: Row): number => 0 - Number(row.attributes["wirespan.socket.errno"]);

export const trace: TraceView = {
  meansNothing: {
    "remote-port": "a listener has no peer",
    direction: "a listener has no peer",
    "min-duration": "listen() takes no time",
    failed: "calls that fail are shown with their result in the RET column",
  },
  options: [
    { flags: "-t, --timestamp", doc: "print seconds since the first row" },
    { flags: "-w, --wide", doc: "the backlog in effect, the error, and the thread" },
    { flags: "-p, --pid <pid>", doc: "this process only", setting: "filter.include.pid" },
    {
      flags: "-n, --netns <inode>",
      doc: "this network namespace only (or pid:N, that of a process)",
      setting: "filter.include.netns",
    },
    { flags: "--show-netns", doc: "print the network namespace" },
  ],
  rows: "wirespan.socket.listen",
  settings: { everyCall: "true" },
  columns({ timestamp, wide, showNetns }) {
    const columns: Column[] = [
      { title: "PID", width: 7, cell: text("process.pid") },
      { title: "COMM", width: 16, cell: text("thread.name") },
      ...(showNetns ? [{ title: "NETNS", width: 10, cell: text("wirespan.netns.inode") }] : []),
      { title: "PROTO", width: 7, cell: protocol },
      { title: "BACKLOG", width: 7, cell: text("wirespan.socket.backlog") },
      { title: "PORT", width: 5, cell: text("server.port") },
      { title: "ADDR", width: wide ? 39 : 15, cell: text("server.address") },
      { title: "RET", width: 4, cell: result },
    ];
    if (wide) {
      columns.push(
        { title: "LIMIT", width: 7, cell: text("wirespan.socket.backlog_limit") },
        {
          title: "AGAIN",
          width: 5,
          cell: (row) => (row.attributes["wirespan.socket.listens_already"] ? "yes" : "-"),
        },
        { title: "ERROR", width: 14, cell: text("error.type") },
        { title: "TID", width: 7, cell: text("wirespan.thread.tid") },
      );
    }
    if (timestamp) columns.unshift(elapsed());
    return columns;
  },
};
