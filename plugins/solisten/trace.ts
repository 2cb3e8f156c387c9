// bcc's view of solisten.
import { elapsed, NETNS, text } from "../../core/plugin/trace/columns.ts";
import { options } from "../../core/plugin/trace/options.ts";
import type { Row, TraceView } from "../../core/plugin/trace/view.ts";

function protocol(row: Row): string {
  const name = row.attributes["wirespan.socket.protocol"];
  if (name === undefined) return "-";
  return `${String(name).toUpperCase()}v${row.attributes["network.type"] === "ipv6" ? "6" : "4"}`;
}

/** As the system call returns it. */
const result = (row: Row): number => 0 - Number(row.attributes["wirespan.socket.errno"]);

const again = ({ attributes }: Row): string => (attributes["wirespan.socket.listens_already"] ? "yes" : "-");

export const trace: TraceView = {
  meansNothing: {
    "remote-port": "a listener has no peer",
    direction: "a listener has no peer",
    "min-duration": "listen() has no duration",
    failed: "calls that fail are shown with their result in the RET column",
  },
  options: [
    options.timestamp,
    { flags: "-w, --wide", doc: "also the backlog in effect, the error and the thread" },
    options.pid,
    {
      flags: "-n, --netns <inode>",
      doc: "only this network namespace; pid:1234 is that of a process",
      setting: "filter.include.netns",
    },
    { flags: "--show-netns", doc: "print the network namespace" },
  ],
  rows: "wirespan.socket.listen",
  settings: { everyCall: "true" },
  columns({ timestamp, wide, showNetns }) {
    return [
      ...(timestamp ? [elapsed()] : []),
      { title: "PID", width: 7, cell: text("process.pid") },
      { title: "COMM", width: 16, cell: text("thread.name") },
      ...(showNetns ? [NETNS] : []),
      { title: "PROTO", width: 7, cell: protocol },
      { title: "BACKLOG", width: 7, cell: text("wirespan.socket.backlog") },
      { title: "PORT", width: 5, cell: text("server.port") },
      { title: "ADDR", width: wide ? 39 : 15, cell: text("server.address") },
      { title: "RET", width: 4, cell: result },
      ...(wide
        ? [
            { title: "LIMIT", width: 7, cell: text("wirespan.socket.backlog_limit") },
            { title: "AGAIN", width: 5, cell: again },
            { title: "ERROR", width: 14, cell: text("error.type") },
            { title: "TID", width: 7, cell: text("wirespan.thread.tid") },
          ]
        : []),
    ];
  },
};
