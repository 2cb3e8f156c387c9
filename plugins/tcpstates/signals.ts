// What tcpstates reports.
import { CONNECTION, TCP_STATE, WORKLOAD } from "../../core/plugin/semconv.ts";
import type { AttributeSpecs, Signals } from "../../core/plugin/signals.ts";

const STATE = {
  "network.connection.state": {
    ...TCP_STATE["network.connection.state"],
    requirement: "required",
    description: "The TCP state.",
  },
} as const satisfies AttributeSpecs;

/** What the event has in addition to the connection's attributes. */
export const STATES = {
  "network.connection.state": {
    ...STATE["network.connection.state"],
    description:
      "The new state. A socket's last state is time_wait, for which the kernel keeps a smaller socket.",
  },
  "wirespan.tcp.state.previous": {
    ...STATE["network.connection.state"],
    description: "The state before.",
  },
  "wirespan.tcp.state.duration": {
    type: "double",
    requirement: "conditional",
    description: "Time in the previous state, seconds; absent if its beginning was not observed.",
  },
  "wirespan.process.context.pid": {
    type: "int",
    requirement: "conditional",
    description:
      "The process that was running at that moment; it may only have been interrupted by a packet.",
  },
  "wirespan.process.context.name": {
    type: "string",
    requirement: "conditional",
    description: "The name of the thread that was running at that moment (comm).",
  },
} as const satisfies AttributeSpecs;

const SERIES = {
  "wirespan.connection.direction": WORKLOAD["wirespan.connection.direction"],
  "process.executable.name": WORKLOAD["process.executable.name"],
  // Between SYN and close, a connection's end goes through four.
  "network.connection.state": { ...STATE["network.connection.state"], expectedValues: 4 },
} as const satisfies AttributeSpecs;

/** The states that are counted, by the kernel's number: those in which a socket can stay. */
export const LIVING = [1, 2, 3, 4, 5, 8, 9, 10, 11] as const;

export const signals = {
  duration: {
    signal: "metric",
    instrument: "histogram",
    name: "wirespan.tcp.state.duration",
    unit: "s",
    description: "Time that sockets spent in a state before they left it.",
    attributes: SERIES,
  },
  count: {
    signal: "metric",
    instrument: "updowncounter",
    name: "system.network.connection.count",
    unit: "{connection}",
    description: "Sockets in each state, in all network namespaces.",
    attributes: {
      "network.transport": CONNECTION["network.transport"],
      "network.connection.state": { ...STATE["network.connection.state"], expectedValues: LIVING.length },
    },
  },
  change: {
    signal: "event",
    name: "wirespan.tcp.state.change",
    severity: "DEBUG",
    description: "A change of a socket's state.",
    attributes: { ...CONNECTION, ...STATES },
  },
} as const satisfies Signals;
