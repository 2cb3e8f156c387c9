// A plugin outside the project: adding one requires only this folder.
import { plugin } from "../../core/plugin/plugin.ts";
import { services } from "../../core/plugin/services.ts";
import type { TraceView } from "../../core/plugin/trace/view.ts";
import { skeleton } from "./exits.skel.ts";

const trace: TraceView = {
  options: [{ flags: "-t, --threads", doc: "threads, too", setting: "threads", value: "true" }],
  rows: "sample.exit",
  columns: () => [
    { title: "PID", width: 7, cell: (row) => Number(row.attributes["process.pid"]) },
    { title: "COMM", width: 16, cell: (row) => String(row.attributes["thread.name"]) },
    { title: "STATUS", width: 6, cell: (row) => Number(row.attributes["sample.status"]) },
  ],
};

export default plugin({
  name: "exits",
  summary: "Processes that end, and how.",
  config: { threads: { doc: "Threads, too, not processes alone.", format: "boolean", default: false } },
  skeleton,
  probes: { exits: { programs: ["on_exit"] } },
  uses: { clock: services.clock },
  signals: {
    exit: {
      signal: "event",
      name: "sample.exit",
      severity: "INFO",
      description: "A process has ended.",
      attributes: {
        "process.pid": { type: "int", requirement: "required", description: "The process." },
        "thread.name": { type: "string", requirement: "required", description: "Its name." },
        "sample.status": { type: "int", requirement: "required", description: "Its exit status." },
        "sample.signal": {
          type: "int",
          requirement: "conditional",
          description: "The signal that ended it.",
        },
      },
    },
    exits: {
      signal: "metric",
      instrument: "counter",
      name: "sample.exits",
      unit: "{process}",
      description: "Processes that have ended.",
      attributes: {
        "sample.how": {
          type: "string",
          requirement: "required",
          enum: ["returned", "failed", "killed"],
          description: "How.",
        },
      },
    },
  },
  constants: ({ threads }) => ({ threads }),
  start: ({ emit, use }) => ({
    exits: ({ endedAt, pid, status, signal, comm }) =>
      emit.exit({
        time: use.clock.wall(endedAt),
        attributes: {
          "process.pid": pid,
          "thread.name": comm,
          "sample.status": status,
          "sample.signal": signal || undefined,
        },
      }),
    totals(rows) {
      for (const [{ value: how }, { value }] of rows) emit.exits.observe(value, { "sample.how": how });
    },
  }),
  trace,
});
