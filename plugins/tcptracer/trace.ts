// bcc's view of tcptracer: one line each for connect, accept and close.
import * as column from "../../core/plugin/trace/columns.ts";
import { options } from "../../core/plugin/trace/options.ts";
import type { Column, Row, TraceView } from "../../core/plugin/trace/view.ts";

const { text } = column;

const TYPES: Readonly<Record<string, string>> = {
  "tcp connect": "connect",
  "tcp accept": "accept",
  "tcp connection": "close",
};

const LETTERS: Readonly<Record<string, string>> = { connect: "C", accept: "A", close: "X" };

const type = (row: Row): string => TYPES[row.name] ?? row.name;

/** By the wall clock; bcc prints the monotonic clock. */
const NANOSECONDS: Column = { title: "TIME(ns)", width: 20, cell: ({ time }) => column.nanoseconds(time) };

export const trace: TraceView = {
  options: [
    { ...options.timestamp, doc: "print seconds since the first row; with -v nanoseconds" },
    options.pid,
    options.printUid,
    options.uid,
    {
      flags: "-N, --netns <netns>",
      doc: "only this network namespace: its inode, or pid:1234",
      setting: "filter.include.netns",
    },
    { flags: "-v, --verbose", doc: "types in words, and the network namespace" },
    ...options.family,
    ...options.cgroupMaps,
  ],
  rows: Object.keys(TYPES),
  columns({ timestamp, printUid, verbose, wide }) {
    const width = column.addressWidth(wide);
    return [
      ...(timestamp ? [verbose ? NANOSECONDS : column.elapsed()] : []),
      ...(printUid ? [{ title: "UID", width: 6, cell: text("wirespan.process.uid") }] : []),
      verbose
        ? { title: "TYPE", width: 12, cell: type }
        : { title: "T", width: 1, cell: (row) => LETTERS[type(row)] },
      ...column.OWNER,
      column.FAMILY,
      { title: "SADDR", width, cell: text("network.local.address") },
      { title: "DADDR", width, cell: text("network.peer.address") },
      { title: "SPORT", width: 6, cell: text("network.local.port") },
      { title: "DPORT", width: 6, cell: text("network.peer.port") },
      ...(verbose ? [column.NETNS] : []),
    ];
  },
};
