// bcc's view of tcpaccept.
import * as column from "../../core/plugin/trace/columns.ts";
import { options, ports } from "../../core/plugin/trace/options.ts";
import type { Column, TraceView } from "../../core/plugin/trace/view.ts";

const { text, number } = column;

const RESULT: Column = {
  title: "RESULT",
  width: 14,
  cell: ({ attributes }) => String(attributes["error.type"] ?? "accepted"),
};

export const trace: TraceView = {
  meansNothing: {
    failed: "an accepted connection has not failed; -Q adds those that were never accepted",
  },
  options: [
    options.time,
    options.timestamp,
    options.pid,
    ports("-P, --port <ports>", "local"),
    ...options.family,
    {
      flags: "-Q, --queued",
      doc: "also connections that ended in the accept queue, never accepted",
      setting: "queued",
      value: "true",
    },
    ...options.cgroupMaps,
  ],
  rows: "tcp accept",
  settings: { queued: "false" },
  columns({ time, timestamp, wide, queued }) {
    const width = column.addressWidth(wide);
    return [
      ...(time ? [column.TIME] : []),
      ...(timestamp ? [column.elapsed()] : []),
      ...column.OWNER,
      column.FAMILY,
      ...column.end("peer", width, "RADDR", "RPORT"),
      ...column.end("local", width, "LADDR", "LPORT"),
      ...(wide
        ? [
            number("QUEUE_MS", 9, column.milliseconds("wirespan.tcp.accept.queue_wait", 3)),
            number("FD", 5, text("wirespan.tcp.accept.fd")),
            { title: "TID", width: 7, cell: text("wirespan.thread.tid") },
          ]
        : []),
      ...(queued ? [RESULT] : []),
    ];
  },
};
