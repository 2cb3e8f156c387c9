// bcc's view of tcpconnect, and the result of each attempt.
import type { Metric } from "../../core/plugin/signals.ts";
import { elapsed, FAMILY, OWNER, RESULT, text } from "../../core/plugin/trace/columns.ts";
import type { Column, Flags, Row, TraceView } from "../../core/plugin/trace/view.ts";

const FLOW = [
  "network.local.address",
  "network.local.port",
  "network.peer.address",
  "network.peer.port",
] as const;

/** One row a flow, over all workloads and outcomes; most attempts first, as bcc sorts. */
function flows(delta: readonly Metric[]): Row[] {
  const rows = new Map<string, Row & { value: number; figures: { failed: number } }>();
  for (const { spec, time, points } of delta) {
    if (spec.name !== "wirespan.tcp.connect.attempts") continue;
    for (const { attributes, value } of points) {
      if (typeof value !== "number" || value === 0) continue;
      const flow = Object.fromEntries(FLOW.map((key) => [key, attributes[key]]));
      const key = JSON.stringify(flow);
      const before = rows.get(key);
      const failed = attributes["error.type"] === undefined ? 0 : value;
      rows.set(key, {
        time: new Date(time.sec * 1000 + time.nsec / 1e6).toISOString(),
        name: spec.name,
        attributes: flow,
        value: (before?.value ?? 0) + value,
        figures: { failed: (before?.figures.failed ?? 0) + failed },
      });
    }
  }
  return [...rows.values()].sort((a, b) => b.value - a.value);
}

const address = (wide: Flags[string]): number => (wide ? 26 : 16);

const counts = ({ sourcePort, wide }: Flags): Column[] => [
  { title: "LADDR", width: address(wide), cell: text("network.local.address") },
  ...(sourcePort ? [{ title: "LPORT", width: 5, cell: text("network.local.port") }] : []),
  { title: "RADDR", width: address(wide), cell: text("network.peer.address") },
  { title: "RPORT", width: 5, cell: text("network.peer.port") },
  { title: "CONNECTS", width: 10, align: "right", cell: (row) => row.value },
  { title: "FAILED", width: 10, align: "right", cell: (row) => row.figures?.failed },
];

const QUERY: Column = {
  title: "QUERY",
  width: 30,
  cell: (row) => row.attributes["dns.question.name"] as string | undefined,
};

/** Since the answer; bcc prints it behind the name where it is much. */
const AGE: Column = {
  title: "AGE(ms)",
  width: 9,
  align: "right",
  cell(row) {
    const age = row.attributes["wirespan.dns.answer.age"];
    return age === undefined ? undefined : (Number(age) * 1000).toFixed(1);
  },
};

const attempts = ({ timestamp, printUid, lport, sourcePort, dns, wide }: Flags): Column[] => [
  ...(timestamp ? [elapsed()] : []),
  ...(printUid ? [{ title: "UID", width: 6, cell: text("wirespan.process.uid") }] : []),
  ...OWNER,
  FAMILY,
  { title: "SADDR", width: address(wide), cell: text("network.local.address") },
  ...(lport || sourcePort ? [{ title: "LPORT", width: 5, cell: text("network.local.port") }] : []),
  { title: "DADDR", width: address(wide), cell: text("network.peer.address") },
  { title: "DPORT", width: 5, cell: text("network.peer.port") },
  RESULT,
  ...(dns ? [QUERY, AGE] : []),
  ...(wide
    ? [
        { title: "ERRNO", width: 5, cell: text("wirespan.errno") },
        { title: "TID", width: 7, cell: text("wirespan.thread.tid") },
        { title: "NETNS", width: 10, cell: text("wirespan.netns.inode") },
      ]
    : []),
];

export const trace: TraceView = {
  options: [
    { flags: "-t, --timestamp", doc: "print seconds since the first row" },
    { flags: "-p, --pid <pid>", doc: "this process only", setting: "filter.include.pid" },
    {
      flags: "-P, --port <ports>",
      doc: "these destination ports only",
      setting: "filter.include.remotePort",
    },
    { flags: "-4, --ipv4", doc: "IPv4 only", setting: "filter.include.family", value: "ipv4" },
    { flags: "-6, --ipv6", doc: "IPv6 only", setting: "filter.include.family", value: "ipv6" },
    { flags: "-L, --lport", doc: "print the local port" },
    { flags: "-U, --print-uid", doc: "print the user" },
    {
      flags: "-d, --dns",
      doc: "print the name that the process had asked DNS for (over UDP)",
      setting: "dns",
      value: "true",
    },
    { flags: "-u, --uid <uid>", doc: "this user only", setting: "filter.include.uid" },
    {
      flags: "-c, --count",
      doc: "count by source address, destination address and port",
      setting: "flows",
      value: "true",
    },
    {
      flags: "-s, --source-port",
      doc: "with -c: by source port, too",
      setting: "sourcePorts",
      value: "true",
    },
    { flags: "-i, --interval <seconds>", doc: "with -c: a table each interval instead of one at the end" },
    { flags: "-x, --failures", doc: "only what failed", setting: "filter.failuresOnly", value: "true" },
    {
      flags: "--failed-at-once",
      doc: "also attempts that fail before a SYN could leave (slows every system call a little)",
      setting: "failedAtOnce",
      value: "true",
    },
    {
      flags: "--cgroup <path>",
      doc: "this control group and all below it",
      setting: "filter.include.cgroup",
    },
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
  rows: "tcp connect",
  counting: { option: "count", rows: flows },
  columns: (flags) => (flags.count ? counts(flags) : attempts(flags)),
};
