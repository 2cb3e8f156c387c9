import { TOO_LARGE } from "../../test/support/dashboard-traffic.ts";
import { about, near, type Table } from "./known.ts";

export const host: Table = ({ softirqs, seconds, cpus, sentPackets, receivedPackets, netns }) => {
  const wire = (direction: "transmit" | "receive") => ({
    wirespan_netns_name: netns.a,
    network_interface_name: "wire0",
    network_io_direction: direction,
  });
  return {
    "CPU time in softirqs": [
      [
        { of: { wirespan_softirq_vector: "net_rx" }, total: [1e-4, cpus] },
        { each: [0, cpus] },
        { total: [1e-3, cpus] },
      ],
    ],
    "Busiest CPUs": [[{ each: [0, 1] }, { total: [1e-3, cpus] }]],
    "Softirq runs": [
      [
        { of: { wirespan_softirq_vector: "net_rx" }, total: about(softirqs.net_rx! / seconds) },
        { of: { wirespan_softirq_vector: "timer" }, total: about(softirqs.timer! / seconds) },
        { each: [0, 1e6] },
      ],
    ],
    "How long softirqs wait": [
      [{ of: { wirespan_softirq_vector: "net_rx" }, total: [1e-7, 1] }, { each: [0, 10] }],
    ],
    "How long softirqs run": [
      [{ of: { wirespan_softirq_vector: "net_rx" }, total: [1e-7, 1] }, { each: [0, 10] }],
    ],
    "Packets per NAPI poll": [[{ total: [0.1, 64] }]],
    "NAPI polls that exhausted their budget": [[{ total: [0, 1] }]],
    Packets: [
      [
        { of: wire("transmit"), total: about(sentPackets / seconds) },
        { of: wire("receive"), total: about(receivedPackets / seconds) },
        { each: [0, 1e5] },
      ],
    ],
    Bytes: [
      [
        { of: wire("transmit"), total: [(60 * sentPackets) / seconds, (1514 * sentPackets) / seconds] },
        { each: [0, 1e8] },
      ],
    ],
    "Share of the busiest queue": [[{ of: wire("transmit"), total: [0.5, 1] }, { each: [0.5, 1.0001] }]],
    "Frame size": [[{ of: wire("transmit"), total: [32, 128] }, { each: [32, 2048] }]],
    "Frames that drivers did not accept": [
      [
        {
          of: { wirespan_netns_name: netns.a, wirespan_netdev_transmit_result: "dropped" },
          total: near(TOO_LARGE),
        },
      ],
    ],
    "Wait in the queueing discipline": [
      [{ of: { wirespan_netns_name: netns.a, network_interface_name: "wire0" }, total: [1e-7, 1] }],
    ],
  };
};
