// bcc's view of tcpaccept.
import { elapsed, FAMILY, milliseconds, OWNER, text } from "../../core/plugin/trace/columns.ts";
import type { Column, Row, TraceView } from "../../core/plugin/trace/view.ts";

const clock: Column = {
  title: "TIME",
  width: 8,
  cell: (row: Row) => new Date(row.time).toTimeString().slice(0, 8),
};

export const trace: TraceView = {
  meansNothing: {
    failed: "a connection that was accepted has not failed; -Q adds those that never were",
  },
  options: [
    { flags: "-T, --time", doc: "print the wall-clock time (HH:MM:SS)" },
    { flags: "-t, --timestamp", doc: "print seconds since the first row" },
    { flags: "-p, --pid <pid>", doc: "this process only", setting: "filter.include.pid" },
    { flags: "-P, --port <ports>", doc: "these local ports only", setting: "filter.include.localPort" },
    { flags: "-4, --ipv4", doc: "IPv4 only", setting: "filter.include.family", value: "ipv4" },
    { flags: "-6, --ipv6", doc: "IPv6 only", setting: "filter.include.family", value: "ipv6" },
    {
      flags: "-Q, --queued",
      doc: "also connections that ended in the queue, never accepted",
      setting: "queued",
      value: "true",
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
  rows: "tcp accept",
  settings: { queued: "false" },
  columns({ time, timestamp, wide, queued }) {
    const address = wide ? 26 : 16;
    return [
      ...(time ? [clock] : []),
      ...(timestamp ? [elapsed()] : []),
      ...OWNER,
      FAMILY,
      { title: "RADDR", width: address, cell: text("network.peer.address") },
      { title: "RPORT", width: 5, cell: text("network.peer.port") },
      { title: "LADDR", width: address, cell: text("network.local.address") },
      { title: "LPORT", width: 5, cell: text("network.local.port") },
      ...(wide
        ? ([
            {
              title: "QUEUE_MS",
              width: 9,
              align: "right",
              cell: milliseconds("wirespan.tcp.accept.queue_wait", 3),
            },
            { title: "FD", width: 5, align: "right", cell: text("wirespan.tcp.accept.fd") },
            { title: "TID", width: 7, cell: text("wirespan.thread.tid") },
          ] satisfies Column[])
        : []),
      ...(queued ? [{ title: "RESULT", width: 14, cell: result }] : []),
    ];
  },
};

function result(row: Row): string {
  return String(row.attributes["error.type"] ?? "accepted");
}
