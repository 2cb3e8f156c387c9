// bcc's view of tcpretrans.
import type { Metric } from "../../core/plugin/signals.ts";
import * as column from "../../core/plugin/trace/columns.ts";
import { options } from "../../core/plugin/trace/options.ts";
import { type Column, type Flags, pointRow, type Row, type TraceView } from "../../core/plugin/trace/view.ts";
import { signals } from "./signals.ts";

const { text, number } = column;
const [local, peer] = [column.endpoint("network.local"), column.endpoint("network.peer")];

/** bcc's letters, and one more for each cause that bcc does not distinguish. */
const LETTERS: Readonly<Record<string, string>> = { tlp: "L", syn: "S", synack: "A", fast: "F" };

const letter = ({ attributes }: Row): string =>
  attributes["error.type"] ? "E" : (LETTERS[String(attributes["wirespan.tcp.retransmit.type"])] ?? "R");

const flows = (delta: readonly Metric[]): Row[] =>
  delta
    .filter(({ spec }) => spec.name === signals.flows.name)
    .flatMap((metric) => metric.points.map((point) => pointRow(metric, point)))
    .filter(({ value }) => value !== 0)
    .sort((a, b) => a.value! - b.value!);

const COUNTS: readonly Column[] = [
  { title: "LADDR:LPORT", width: 25, cell: local },
  { title: "RADDR:RPORT", width: 25, cell: peer },
  number("RETRANSMITS", 11, (row) => row.value),
];

function stream({ sequence, wide }: Flags): Column[] {
  const width = wide ? 48 : 21;
  return [
    column.TIME,
    { title: "PID", width: 7, cell: text("process.pid") },
    column.FAMILY,
    { title: "LADDR:LPORT", width, cell: local },
    { title: "T>", width: 2, cell: (row) => `${letter(row)}>` },
    { title: "RADDR:RPORT", width, cell: peer },
    { title: "STATE", width: 12, cell: column.tcpState("network.connection.state") },
    ...(sequence ? [{ title: "SEQ", width: 10, cell: text("wirespan.tcp.sequence") }] : []),
    ...(wide
      ? [
          { title: "COMM", width: 15, cell: text("thread.name") },
          { title: "TYPE", width: 10, cell: text("wirespan.tcp.retransmit.type") },
          number("SEGS", 4, text("wirespan.tcp.segments")),
          number("BYTES", 6, text("wirespan.tcp.bytes")),
          number("CWND", 5, text("wirespan.tcp.cwnd")),
          { title: "IFACE", width: 10, cell: text("network.interface.name") },
          column.NETNS,
          { title: "ERROR", width: 12, cell: text("error.type") },
        ]
      : []),
  ];
}

export const trace: TraceView = {
  meansNothing: {
    "min-duration": "a retransmission has no duration",
    failed: "whether the connection fails is not known yet",
  },
  options: [
    { flags: "-s, --sequence", doc: "print the TCP sequence number" },
    {
      flags: "-l, --lossprobe",
      doc: "accepted for compatibility; tail loss probes are always shown (L)",
    },
    { flags: "-c, --count", doc: "count retransmissions of each flow", setting: "flows", value: "true" },
    ...options.family,
    options.pid,
    { flags: "-i, --interval <seconds>", doc: "with -c: a table each interval instead of one at the end" },
  ],
  rows: "wirespan.tcp.retransmit",
  counting: { option: "count", rows: flows },
  settings: { eventRate: "1000000" },
  columns: (flags) => (flags.count ? COUNTS : stream(flags)),
};
