// What tcpsubnet reports.
import { CONNECTION, IO_DIRECTION } from "../../core/plugin/semconv.ts";
import type { AttributeSpecs, Signals } from "../../core/plugin/signals.ts";

const SUBNET = {
  "wirespan.subnet.name": {
    type: "string",
    requirement: "required",
    description:
      "The subnet of the other end: its name in the settings, else its CIDR; `other` if it is in none.",
  },
} as const satisfies AttributeSpecs;

export const signals = {
  io: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.tcp.subnet.io",
    unit: "By",
    description:
      "Payload of TCP connections with peers in a subnet, living ones included: acknowledged by the peer or received in order.",
    attributes: { ...SUBNET, ...IO_DIRECTION },
  },
  connections: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.tcp.subnet.connections",
    unit: "{connection}",
    description: "Connections established with peers in a subnet, counted at each end on this host.",
    attributes: {
      ...SUBNET,
      "wirespan.connection.direction": {
        ...CONNECTION["wirespan.connection.direction"],
        enum: ["outbound", "inbound"],
      },
    },
  },
  retransmits: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.tcp.subnet.retransmits",
    unit: "{segment}",
    description: "Segments retransmitted to peers in a subnet, SYNs included.",
    attributes: SUBNET,
  },
  dropped: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.tcp.subnet.packet.dropped",
    unit: "{packet}",
    description: "Packets to or from a subnet that were lost on this host, as tcpdrop counts them.",
    attributes: { ...SUBNET, ...IO_DIRECTION },
  },
} as const satisfies Signals;
