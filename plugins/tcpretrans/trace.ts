// bcc's view of tcpretrans.
import type { Metric } from "../../core/plugin/signals.ts";
import type { Column, Flags, Row, TraceView } from "../../core/plugin/trace/view.ts";

const text = (key: string) => (row: Row) => {
  const value = row.attributes[key];
  return value === undefined ? "-" : String(value);
};

function end(row: Row, side: "local" | "peer"): string {
  return `${row.attributes[`network.${side}.address`] ?? "-"}:${row.attributes[`network.${side}.port`] ?? "-"}`;
}

/** bcc's letters, and one more for each cause that it does not tell apart. */
const LETTERS: Readonly<Record<string, string>> = { tlp: "L", syn: "S", synack: "A", fast: "F" };

const letter = (row: Row): string =>
  row.attributes["error.type"]
    ? "E"
    : (LETTERS[String(row.attributes["wirespan.tcp.retransmit.type"])] ?? "R");

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

function flows(delta: readonly Metric[]): Row[] {
  return delta
    .filter((metric) => metric.spec.name === "wirespan.tcp.flow.retransmits")
    .flatMap((metric) =>
      metric.points.map(({ attributes, value }): Row => {
        const time = new Date(metric.time.sec * 1000 + metric.time.nsec / 1e6).toISOString();
        return { time, name: metric.spec.name, attributes, value: value as number };
      }),
    )
    .filter(({ value }) => value !== 0)
    .sort((a, b) => a.value! - b.value!);
}

function stream({ sequence, wide }: Flags): Column[] {
  const width = wide ? 48 : 21;
  return [
    { title: "TIME", width: 8, cell: (row) => new Date(row.time).toTimeString().slice(0, 8) },
    { title: "PID", width: 7, cell: text("process.pid") },
    { title: "IP", width: 2, cell: (row) => (row.attributes["network.type"] === "ipv6" ? "6" : "4") },
    { title: "LADDR:LPORT", width, cell: (row) => end(row, "local") },
    { title: "T>", width: 2, cell: (row) => `${letter(row)}>` },
    { title: "RADDR:RPORT", width, cell: (row) => end(row, "peer") },
    { title: "STATE", width: 12, cell: state },
    ...(sequence ? [{ title: "SEQ", width: 10, cell: text("wirespan.tcp.sequence") }] : []),
    ...(wide
      ? [
          { title: "COMM", width: 15, cell: text("thread.name") },
          { title: "TYPE", width: 10, cell: text("wirespan.tcp.retransmit.type") },
          { title: "SEGS", width: 4, align: "right" as const, cell: text("wirespan.tcp.segments") },
          { title: "BYTES", width: 6, align: "right" as const, cell: text("wirespan.tcp.bytes") },
          { title: "CWND", width: 5, align: "right" as const, cell: text("wirespan.tcp.cwnd") },
          { title: "IFACE", width: 10, cell: text("network.interface.name") },
          { title: "NETNS", width: 10, cell: text("wirespan.netns.inode") },
          { title: "ERROR", width: 12, cell: text("error.type") },
        ]
      : []),
  ];
}

export const trace: TraceView = {
  meansNothing: {
    "min-duration": "a retransmission takes no time",
    failed: "whether the connection fails is not known yet",
  },
  options: [
    { flags: "-s, --sequence", doc: "print the TCP sequence number" },
    {
      flags: "-l, --lossprobe",
      doc: "tail loss probes are told (as L) in any case; kept for those who are used to it",
    },
    { flags: "-c, --count", doc: "count retransmissions of each flow", setting: "flows", value: "true" },
    { flags: "-4, --ipv4", doc: "IPv4 only", setting: "filter.include.family", value: "ipv4" },
    { flags: "-6, --ipv6", doc: "IPv6 only", setting: "filter.include.family", value: "ipv6" },
    { flags: "-p, --pid <pid>", doc: "this process only", setting: "filter.include.pid" },
    { flags: "-i, --interval <seconds>", doc: "with -c: a table each interval instead of one at the end" },
  ],
  rows: "wirespan.tcp.retransmit",
  counting: { option: "count", rows: flows },
  settings: { eventRate: "1000000" },
  columns: (flags) =>
    flags.count
      ? [
          { title: "LADDR:LPORT", width: 25, cell: (row) => end(row, "local") },
          { title: "RADDR:RPORT", width: 25, cell: (row) => end(row, "peer") },
          { title: "RETRANSMITS", width: 11, align: "right", cell: (row) => row.value },
        ]
      : stream(flags),
};
