// bcc's view of tcptop.
import { readFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import * as column from "../../core/plugin/trace/columns.ts";
import { options } from "../../core/plugin/trace/options.ts";
import type { Row, TraceView } from "../../core/plugin/trace/view.ts";

const { text, number, kilobytes } = column;

function end(side: "local" | "peer"): (row: Row) => string {
  return ({ attributes }) => {
    const address = attributes[`network.${side}.address`];
    if (address === undefined) return "-";
    const host = isIPv6(String(address)) ? `[${address}]` : address;
    return `${host}:${attributes[`network.${side}.port`]}`;
  };
}

function comm({ attributes }: Row): string {
  const others = attributes["wirespan.tcp.top.others"];
  return others === undefined ? String(attributes["thread.name"] ?? "-") : `(${others} others)`;
}

export const trace: TraceView = {
  meansNothing: { failed: "bytes are counted before it is known whether the connection fails" },
  options: [
    { flags: "-C, --no-clear", doc: "do not clear the screen" },
    { flags: "-S, --no-summary", doc: "do not print the line with the time and the load" },
    { flags: "-s, --sort <order>", doc: "by all bytes, bytes sent or received", setting: "sort" },
    {
      flags: "-r, --rows <count>",
      doc: "this many connections (20), the rest summed",
      setting: "connections",
    },
    options.pid,
    {
      flags: "-c, --cgroup <path>",
      doc: "only this cgroup and its subtree",
      setting: "filter.include.cgroup",
    },
    ...options.family,
    ...options.cgroupMaps,
  ],
  arguments: "[interval] [count]",
  interval: "1s",
  settings: { connections: "20" },
  live: { connections: 200 },
  rows: "wirespan.tcp.top",
  tables: true,
  refreshes: ({ clear }) => clear !== false,
  heading: (_, { summary }) => {
    if (summary === false) return [];
    const time = column.timeOfDay({ sec: Math.floor(Date.now() / 1000), nsec: 0 });
    return [`${time} loadavg: ${readFileSync("/proc/loadavg", "latin1").trim()}`, ""];
  },
  columns({ wide }) {
    const width = wide === true ? 47 : 21;
    return [
      { title: "PID", width: 7, cell: text("process.pid") },
      { title: "COMM", width: 15, cell: comm },
      { title: "LADDR", width, cell: end("local") },
      { title: "RADDR", width, cell: end("peer") },
      number("RX_KB", 8, kilobytes("wirespan.tcp.bytes_received")),
      number("TX_KB", 8, kilobytes("wirespan.tcp.bytes_sent")),
      ...(wide
        ? [
            { title: "DIRECTION", width: 9, cell: text("wirespan.connection.direction") },
            column.NETNS,
            { title: "UID", width: 6, cell: text("wirespan.process.uid") },
            { title: "EXE", width: 15, cell: text("process.executable.name") },
          ]
        : []),
    ];
  },
};
