// bcc's view of tcpdrop.
import * as column from "../../core/plugin/trace/columns.ts";
import { options } from "../../core/plugin/trace/options.ts";
import { tableRow } from "../../core/plugin/trace/table.ts";
import type { Column, Flags, Row, TraceView } from "../../core/plugin/trace/view.ts";

const { text } = column;

function flags(row: Row): string {
  const names = row.attributes["wirespan.tcp.flags"];
  return Array.isArray(names) ? names.join("|").toUpperCase() : "-";
}

function reason(row: Row): string {
  const count = row.attributes["wirespan.packet.count"];
  const name = String(row.attributes["wirespan.packet.drop.reason"]);
  return count === undefined ? name : `${name} x${count}`;
}

function columns({ wide }: Flags): Column[] {
  const width = wide ? 46 : 21;
  return [
    column.TIME,
    { title: "PID", width: 7, cell: text("process.pid") },
    column.FAMILY,
    { title: "SADDR:SPORT", width, cell: column.endpoint("source") },
    { title: ">", width: 1, cell: () => ">" },
    { title: "DADDR:DPORT", width, cell: column.endpoint("destination") },
    { title: "STATE", width: 11, cell: column.tcpState("network.connection.state") },
    { title: "(FLAGS)", width: 11, cell: (row) => `(${flags(row)})` },
    { title: "REASON", width: 20, cell: reason },
    ...(wide
      ? [
          { title: "COMM", width: 15, cell: text("thread.name") },
          { title: "DIR", width: 8, cell: text("network.io.direction") },
          { title: "IFACE", width: 10, cell: text("network.interface.name") },
          column.NETNS,
          { title: "LOCATION", width: 30, cell: text("wirespan.packet.drop.location") },
        ]
      : []),
  ];
}

export const trace: TraceView = {
  meansNothing: {
    "min-duration": "a drop has no duration",
    failed: "every row is a packet that was dropped",
  },
  options: [
    ...options.family,
    { flags: "--netns-id <inode>", doc: "only this network namespace", setting: "filter.include.netns" },
    {
      flags: "--pid-netns <pid>",
      doc: "only the network namespace of this process",
      setting: "filter.include.netns",
      value: "pid:{}",
    },
    { ...options.pid, doc: "only drops of this process's connections" },
    { flags: "-S, --stackless", doc: "without the kernel stack", setting: "stacks", value: "false" },
  ],
  rows: "wirespan.tcp.packet.drop",
  settings: { eventRate: "1000000", stacks: "true" },
  columns,
  // As in bcc: each drop with its stack below.
  render: (rows, flags) => {
    const own = columns(flags);
    return rows.flatMap((row) => [tableRow(own, row).trimEnd(), ...stackOf(row)]);
  },
};

function stackOf(row: Row): string[] {
  const stack = row.attributes["code.stacktrace"];
  return typeof stack === "string" ? [...stack.split("\n").map((frame) => `\t${frame}`), ""] : [];
}
