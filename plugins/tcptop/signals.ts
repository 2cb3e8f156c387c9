// What tcptop reports.
import { CONNECTION, IO_DIRECTION } from "../../core/plugin/semconv.ts";
import type { AttributeSpecs, Signals } from "../../core/plugin/signals.ts";

const PROCESS = {
  "process.pid": {
    ...CONNECTION["process.pid"],
    expectedValues: "each",
    description: "The process that owns the connections.",
  },
  "process.executable.name": CONNECTION["process.executable.name"],
  ...IO_DIRECTION,
} as const satisfies AttributeSpecs;

const FLOW = {
  ...CONNECTION,
  "wirespan.connection.id": { ...CONNECTION["wirespan.connection.id"], requirement: "conditional" },
  "wirespan.connection.direction": {
    ...CONNECTION["wirespan.connection.direction"],
    requirement: "conditional",
  },
  "wirespan.tcp.bytes_sent": {
    type: "int",
    requirement: "required",
    description: "Payload that the peer acknowledged since the last collection, bytes.",
  },
  "wirespan.tcp.bytes_received": {
    type: "int",
    requirement: "required",
    description: "Payload received in order since the last collection, bytes.",
  },
  "wirespan.tcp.top.others": {
    type: "int",
    requirement: "conditional",
    description: "The number of connections in the event's sums: all those without an event of their own.",
  },
} as const satisfies AttributeSpecs;

export const signals = {
  io: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.tcp.process.io",
    unit: "By",
    description:
      "Payload of a process's TCP connections, acknowledged by the peer or received in order, since it has had a series of its own.",
    attributes: PROCESS,
  },
  flow: {
    signal: "event",
    name: "wirespan.tcp.top",
    severity: "INFO",
    description: "Traffic of a connection since the last collection.",
    attributes: FLOW,
  },
} as const satisfies Signals;
