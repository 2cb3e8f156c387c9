// bcc's view of tcpdrop.
import { tableRow } from "../../core/plugin/trace/table.ts";
import type { Column, Flags, Row, TraceView } from "../../core/plugin/trace/view.ts";

const text = (key: string) => (row: Row) => {
  const value = row.attributes[key];
  return value === undefined ? "-" : String(value);
};

function end(row: Row, side: "source" | "destination"): string {
  return `${row.attributes[`${side}.address`] ?? "-"}:${row.attributes[`${side}.port`] ?? "-"}`;
}

const STATES: Readonly<Record<string, string>> = {
  syn_received: "SYN_RECV",
  closed: "CLOSE",
  fin_wait_1: "FIN_WAIT1",
  fin_wait_2: "FIN_WAIT2",
};

function state(row: Row): string {
  const name = String(row.attributes["network.connection.state"] ?? "-");
  return STATES[name] ?? name.toUpperCase();
}

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
  return [
    { title: "TIME", width: 8, cell: (row) => new Date(row.time).toTimeString().slice(0, 8) },
    { title: "PID", width: 7, cell: text("process.pid") },
    { title: "IP", width: 2, cell: (row) => (row.attributes["network.type"] === "ipv6" ? "6" : "4") },
    { title: "SADDR:SPORT", width: wide ? 46 : 21, cell: (row) => end(row, "source") },
    { title: ">", width: 1, cell: () => ">" },
    { title: "DADDR:DPORT", width: wide ? 46 : 21, cell: (row) => end(row, "destination") },
    { title: "STATE", width: 11, cell: state },
    { title: "(FLAGS)", width: 11, cell: (row) => `(${flags(row)})` },
    { title: "REASON", width: 20, cell: reason },
    ...(wide
      ? [
          { title: "COMM", width: 15, cell: text("thread.name") },
          { title: "DIR", width: 8, cell: text("network.io.direction") },
          { title: "IFACE", width: 10, cell: text("network.interface.name") },
          { title: "NETNS", width: 10, cell: text("wirespan.netns.inode") },
          { title: "LOCATION", width: 30, cell: text("wirespan.packet.drop.location") },
        ]
      : []),
  ];
}

export const trace: TraceView = {
  meansNothing: { "min-duration": "a drop takes no time", failed: "every row is a packet that was dropped" },
  options: [
    { flags: "-4, --ipv4", doc: "IPv4 only", setting: "filter.include.family", value: "ipv4" },
    { flags: "-6, --ipv6", doc: "IPv6 only", setting: "filter.include.family", value: "ipv6" },
    {
      flags: "--netns-id <inode>",
      doc: "this network namespace only",
      setting: "filter.include.netns",
    },
    {
      flags: "--pid-netns <pid>",
      doc: "the network namespace of this process only",
      setting: "filter.include.netns",
      value: "pid:{}",
    },
    {
      flags: "-p, --pid <pid>",
      doc: "drops of this process's connections only",
      setting: "filter.include.pid",
    },
    { flags: "-S, --stackless", doc: "without the kernel's stack", setting: "stacks", value: "false" },
  ],
  rows: "wirespan.tcp.packet.drop",
  settings: { eventRate: "1000000", stacks: "true" },
  columns,
  // As bcc does: below each drop its stack.
  render: (rows, flags) => {
    const own = columns(flags);
    return rows.flatMap((row) => [tableRow(own, row).trimEnd(), ...stackOf(row)]);
  },
};

function stackOf(row: Row): string[] {
  const stack = row.attributes["code.stacktrace"];
  return typeof stack === "string" ? [...stack.split("\n").map((frame) => `\t${frame}`), ""] : [];
}
