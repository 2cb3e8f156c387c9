// bcc's view of tcpconnect, with the result of each attempt.
import type { Metric } from "../../core/plugin/signals.ts";
import * as column from "../../core/plugin/trace/columns.ts";
import { options, ports } from "../../core/plugin/trace/options.ts";
import type { Column, Flags, Row, TraceView } from "../../core/plugin/trace/view.ts";
import { FLOW, signals } from "./signals.ts";

const { text, number, addressWidth } = column;

/** One row per flow, over all workloads and outcomes; most attempts first, as in bcc. */
function flows(delta: readonly Metric[]): Row[] {
  const rows = new Map<string, Row & { value: number; figures: { failed: number } }>();
  for (const { spec, time, points } of delta) {
    if (spec.name !== signals.attempts.name) continue;
    for (const { attributes, value } of points) {
      if (typeof value !== "number" || value === 0) continue;
      const flow = Object.fromEntries(Object.keys(FLOW).map((key) => [key, attributes[key]]));
      const key = JSON.stringify(flow);
      const before = rows.get(key);
      const failed = attributes["error.type"] === undefined ? 0 : value;
      rows.set(key, {
        time,
        name: spec.name,
        attributes: flow,
        value: (before?.value ?? 0) + value,
        figures: { failed: (before?.figures.failed ?? 0) + failed },
      });
    }
  }
  return [...rows.values()].sort((a, b) => b.value - a.value);
}

const counts = ({ sourcePort, wide }: Flags): Column[] => [
  ...column.end("local", addressWidth(wide), "LADDR", sourcePort && "LPORT"),
  ...column.end("peer", addressWidth(wide), "RADDR", "RPORT"),
  number("CONNECTS", 10, (row) => row.value),
  number("FAILED", 10, (row) => row.figures?.failed),
];

const QUERY: Column = {
  title: "QUERY",
  width: 30,
  cell: ({ attributes }) => attributes["dns.question.name"] as string | undefined,
};

/** Age of the answer; bcc prints it after the name if it is large. */
const AGE = number("AGE(ms)", 9, ({ attributes }) => {
  const age = attributes["wirespan.dns.answer.age"];
  return age === undefined ? undefined : (Number(age) * 1000).toFixed(1);
});

const attempts = ({ timestamp, printUid, lport, sourcePort, dns, wide }: Flags): Column[] => [
  ...(timestamp ? [column.elapsed()] : []),
  ...(printUid ? [{ title: "UID", width: 6, cell: text("wirespan.process.uid") }] : []),
  ...column.OWNER,
  column.FAMILY,
  ...column.end("local", addressWidth(wide), "SADDR", (lport || sourcePort) && "LPORT"),
  ...column.end("peer", addressWidth(wide), "DADDR", "DPORT"),
  column.RESULT,
  ...(dns ? [QUERY, AGE] : []),
  ...(wide
    ? [
        { title: "ERRNO", width: 5, cell: text("wirespan.errno") },
        { title: "TID", width: 7, cell: text("wirespan.thread.tid") },
        column.NETNS,
      ]
    : []),
];

export const trace: TraceView = {
  options: [
    options.timestamp,
    options.pid,
    ports("-P, --port <ports>", "remote"),
    ...options.family,
    options.localPort,
    options.printUid,
    {
      flags: "-d, --dns",
      doc: "print the name whose DNS lookup (over UDP) returned the address",
      setting: "dns",
      value: "true",
    },
    options.uid,
    {
      flags: "-c, --count",
      doc: "count by source address, destination address and port",
      setting: "flows",
      value: "true",
    },
    {
      flags: "-s, --source-port",
      doc: "with -c: also by source port",
      setting: "sourcePorts",
      value: "true",
    },
    { flags: "-i, --interval <seconds>", doc: "with -c: a table each interval instead of one at the end" },
    options.failures,
    options.failedAtOnce,
    ...options.cgroupMaps,
  ],
  rows: "tcp connect",
  counting: { option: "count", rows: flows },
  columns: (flags) => (flags.count ? counts(flags) : attempts(flags)),
};
