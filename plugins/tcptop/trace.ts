// bcc's view of tcptop.
import { readFileSync } from "node:fs";
import { isIPv6 } from "node:net";
import { text } from "../../core/plugin/trace/columns.ts";
import type { Column, Row, TraceView } from "../../core/plugin/trace/view.ts";

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

const kilobytes = (key: string) => (row: Row) => (Number(row.attributes[key] ?? 0) / 1024).toFixed(1);

export const trace: TraceView = {
  meansNothing: { failed: "bytes are counted while connections live, before they can be known to fail" },
  options: [
    { flags: "-C, --no-clear", doc: "don't clear the screen" },
    { flags: "-S, --no-summary", doc: "no line with the time and the load" },
    { flags: "-s, --sort <order>", doc: "by all, sent or received bytes", setting: "sort" },
    {
      flags: "-r, --rows <count>",
      doc: "this many connections (20); the rest is summed",
      setting: "connections",
    },
    { flags: "-p, --pid <pid>", doc: "this process only", setting: "filter.include.pid" },
    {
      flags: "-c, --cgroup <path>",
      doc: "this cgroup and what is below only",
      setting: "filter.include.cgroup",
    },
    { flags: "-4, --ipv4", doc: "IPv4 only", setting: "filter.include.family", value: "ipv4" },
    { flags: "-6, --ipv6", doc: "IPv6 only", setting: "filter.include.family", value: "ipv6" },
    {
      flags: "--cgroupmap <path>",
      doc: "cgroups that are keys of this pinned BPF map only",
      setting: "filter.cgroupMap",
    },
    {
      flags: "--mntnsmap <path>",
      doc: "mount namespaces that are keys of this pinned BPF map only",
      setting: "filter.mntnsMap",
    },
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
    const time = new Date().toTimeString().slice(0, 8);
    return [`${time} loadavg: ${readFileSync("/proc/loadavg", "latin1").trim()}`, ""];
  },
  columns({ wide }) {
    const width = wide === true ? 47 : 21;
    const columns: Column[] = [
      { title: "PID", width: 7, cell: text("process.pid") },
      { title: "COMM", width: 15, cell: comm },
      { title: "LADDR", width, cell: end("local") },
      { title: "RADDR", width, cell: end("peer") },
      { title: "RX_KB", width: 8, align: "right", cell: kilobytes("wirespan.tcp.bytes_received") },
      { title: "TX_KB", width: 8, align: "right", cell: kilobytes("wirespan.tcp.bytes_sent") },
    ];
    if (wide) {
      columns.push(
        { title: "DIRECTION", width: 9, cell: text("wirespan.connection.direction") },
        { title: "NETNS", width: 10, cell: text("wirespan.netns.inode") },
        { title: "UID", width: 6, cell: text("wirespan.process.uid") },
        { title: "EXE", width: 15, cell: text("process.executable.name") },
      );
    }
    return columns;
  },
};
