// tcpsubnet: bytes, connections, retransmits and drops by the peer's subnet.

import { DROPS, NESTED_DROPS } from "../../core/plugin/hooks/drop.ts";
import { plugin } from "../../core/plugin/plugin.ts";
import { CONNECTION } from "../../core/plugin/semconv.ts";
import type { AttributeSpecs } from "../../core/plugin/signals.ts";
import { OTHER, readSubnets } from "./subnets.ts";
import { type Sum, skeleton } from "./tcpsubnet.skel.ts";
import { trace } from "./trace.ts";

const DIRECTION = {
  "network.io.direction": {
    type: "string",
    requirement: "required",
    enum: ["transmit", "receive"],
    description: "The direction, from this host's view.",
  },
} as const satisfies AttributeSpecs;

const SUBNET = {
  "wirespan.subnet.name": {
    type: "string",
    requirement: "required",
    description:
      "The subnet of the other end: its name in the settings, else its CIDR; `other` if no subnet contains it.",
  },
} as const satisfies AttributeSpecs;

export default plugin({
  name: "tcpsubnet",
  summary: "Bytes sent and received over TCP, connections, retransmits and drops, by the peer's subnet.",

  config: {
    subnets: {
      doc: "Subnets, IPv4 and IPv6, each with an optional name: 10.0.0.0/8=corp. The longest prefix counts; several may share a name.",
      format: "strings",
      default: ["127.0.0.1/32", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "0.0.0.0/0", "::/0"],
    },
  },

  skeleton,
  probes: {
    "ends of connections": { programs: ["on_close"] },
    drops: { programs: DROPS, lostWithout: "drops by subnet" },
    "drops, in packets that interrupt the first": {
      programs: NESTED_DROPS,
      lostWithout: "a few drops by subnet",
    },
  },

  signals: {
    io: {
      signal: "metric",
      instrument: "counter",
      name: "wirespan.tcp.subnet.io",
      unit: "By",
      description:
        "Payload of TCP connections with peers in a subnet, living ones included: acknowledged by the peer or received in order.",
      attributes: { ...SUBNET, ...DIRECTION },
    },
    connections: {
      signal: "metric",
      instrument: "counter",
      name: "wirespan.tcp.subnet.connections",
      unit: "{connection}",
      description: "Connections established with peers in a subnet, one end each.",
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
      description:
        "Packets to or from a subnet that were lost on this host; what counts as a drop is the same as in tcpdrop.",
      attributes: { ...SUBNET, ...DIRECTION },
    },
  },

  series({ subnets }) {
    const { names, complete } = readSubnets(subnets);
    const rows = complete ? names.length - 1 : names.length;
    return { io: 2 * rows, connections: 2 * rows, retransmits: rows, dropped: 2 * rows };
  },
  inputs: ({ subnets }) => ({ subnets: readSubnets(subnets).rows }),

  start({ config, emit }) {
    const { names } = readSubnets(config.subnets);

    function observe(name: string, sum: Sum): void {
      const subnet = { "wirespan.subnet.name": name };
      emit.io.observe(sum.sentBytes, { ...subnet, "network.io.direction": "transmit" });
      emit.io.observe(sum.receivedBytes, { ...subnet, "network.io.direction": "receive" });
      emit.retransmits.observe(sum.retransmits, subnet);
      emit.dropped.observe(sum.droppedSent, { ...subnet, "network.io.direction": "transmit" });
      emit.dropped.observe(sum.droppedReceived, { ...subnet, "network.io.direction": "receive" });
      emit.connections.observe(sum.outbound, { ...subnet, "wirespan.connection.direction": "outbound" });
      emit.connections.observe(sum.inbound, { ...subnet, "wirespan.connection.direction": "inbound" });
    }

    return {
      sweep() {},
      sums(rows) {
        for (const [{ value }, sum] of rows) {
          const name = names[value];
          if (name === undefined) break;
          // Subnets show although nothing moves; what is in none shows only if there is something.
          if (name !== OTHER || isMoved(sum)) observe(name, sum);
        }
      },
    };
  },

  trace,
});

function isMoved(sum: Sum): boolean {
  return [sum.sentBytes, sum.receivedBytes, sum.retransmits, sum.droppedSent, sum.droppedReceived].some(
    (count) => count > 0,
  );
}
