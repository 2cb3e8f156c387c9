// bcc's view of tcptracer: one line each for connect, accept and close.
import { elapsed, FAMILY, OWNER, text } from "../../core/plugin/trace/columns.ts";
import type { Column, Row, TraceView } from "../../core/plugin/trace/view.ts";

const TYPES: Readonly<Record<string, string>> = {
  "tcp connect": "connect",
  "tcp accept": "accept",
  "tcp connection": "close",
};

const LETTERS: Readonly<Record<string, string>> = { connect: "C", accept: "A", close: "X" };

const type = (row: Row): string => TYPES[row.name] ?? row.name;

/** Nanoseconds of the day's clock stand in for bcc's of the machine's. */
const nanoseconds: Column = {
  title: "TIME(ns)",
  width: 20,
  cell: ({ time }) => {
    const fraction = /\.(\d+)/.exec(time)?.[1] ?? "";
    return `${Math.floor(Date.parse(time) / 1000)}${fraction.padEnd(9, "0")}`;
  },
};

export const trace: TraceView = {
  options: [
    { flags: "-t, --timestamp", doc: "print seconds since the first row; with -v nanoseconds" },
    { flags: "-p, --pid <pid>", doc: "this process only", setting: "filter.include.pid" },
    { flags: "-U, --print-uid", doc: "print the user" },
    { flags: "-u, --uid <uid>", doc: "this user only", setting: "filter.include.uid" },
    {
      flags: "-N, --netns <netns>",
      doc: "this network namespace only: its inode, or pid:1234",
      setting: "filter.include.netns",
    },
    { flags: "-v, --verbose", doc: "types in words, and the network namespace" },
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
  rows: Object.keys(TYPES),
  columns({ timestamp, printUid, verbose, wide }) {
    const address = wide ? 26 : 16;
    return [
      ...(timestamp ? [verbose ? nanoseconds : elapsed()] : []),
      ...(printUid ? [{ title: "UID", width: 6, cell: text("wirespan.process.uid") }] : []),
      verbose
        ? { title: "TYPE", width: 12, cell: type }
        : { title: "T", width: 1, cell: (row) => LETTERS[type(row)] },
      ...OWNER,
      FAMILY,
      { title: "SADDR", width: address, cell: text("network.local.address") },
      { title: "DADDR", width: address, cell: text("network.peer.address") },
      { title: "SPORT", width: 6, cell: text("network.local.port") },
      { title: "DPORT", width: 6, cell: text("network.peer.port") },
      ...(verbose ? [{ title: "NETNS", width: 10, cell: text("wirespan.netns.inode") }] : []),
    ];
  },
};
