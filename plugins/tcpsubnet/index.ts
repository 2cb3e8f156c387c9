// tcpsubnet: bytes, connections, retransmits and drops by the peer's subnet.
import { DROPS, NESTED_DROPS } from "../../core/plugin/hooks/drop.ts";
import { plugin } from "../../core/plugin/plugin.ts";
import { signals } from "./signals.ts";
import { OTHER, readSubnets } from "./subnets.ts";
import { type Sum, skeleton } from "./tcpsubnet.skel.ts";
import { trace } from "./trace.ts";

const isZero = (sum: Sum): boolean =>
  [sum.sentBytes, sum.receivedBytes, sum.retransmits, sum.droppedSent, sum.droppedReceived].every(
    (n) => n === 0,
  );

export default plugin({
  name: "tcpsubnet",
  summary: "TCP traffic by the peer's subnet: bytes sent and received, connections, retransmits and drops.",

  config: {
    subnets: {
      doc: "Subnets, IPv4 and IPv6, each with an optional name: 10.0.0.0/8=corp. The longest prefix wins; several may share a name.",
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
  signals,

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
      sums(rows) {
        for (const [{ value }, sum] of rows) {
          const name = names[value];
          if (name === undefined) break;
          // Subnets are reported even if they have no traffic, `other` only if it has some.
          if (name !== OTHER || !isZero(sum)) observe(name, sum);
        }
      },
    };
  },

  trace,
});
