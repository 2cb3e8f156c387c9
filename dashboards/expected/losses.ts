import { ABORTED, REFUSALS, TIMEOUTS } from "../../test/support/dashboard-traffic.ts";
import { seen, type Table } from "./known.ts";

export const losses: Table = ({ a, b, sent, droppedIn, droppedOut }) => {
  const segments = a["Tcp.RetransSegs"]! + (b["Tcp.RetransSegs"] ?? 0);
  const syns = a["TcpExt.TCPSynRetrans"]!;
  // Each segment has 1000 bytes; those that did not leave do not count as payload.
  const bytes = (a["Tcp.RetransSegs"]! - syns - droppedOut) * 1000;
  const drops = droppedIn + droppedOut + REFUSALS;
  return {
    "Segments retransmitted": [
      [
        { total: seen(segments) },
        {
          of: { service_name: "pcli", wirespan_tcp_retransmit_type: "syn" },
          total: seen(TIMEOUTS + ABORTED),
        },
        { of: { service_name: "pcli" }, total: seen(a["Tcp.RetransSegs"]!) },
      ],
    ],
    "Share of the payload retransmitted": [
      [{ of: { service_name: "pcli" }, total: seen(bytes / sent) }, { each: [0, 0.01] }],
    ],
    "Payload retransmitted": [[{ of: { service_name: "pcli" }, total: seen(bytes) }, { each: [0, 1000] }]],
    "Retransmits that did not leave the host": [
      [{ of: { service_name: "pcli", error_type: "filtered" }, total: seen(droppedOut) }, { each: [0, 5] }],
    ],
    // The first retransmits of a connection that began within the window may be missing.
    "Connections with the most retransmits": [[{ total: [0.2 * segments, 1.12 * segments] }]],
    "Retransmits by subnet": [
      [{ of: { wirespan_subnet_name: "10.0.0.0/8" }, total: seen(segments) }, { each: [0, 0] }],
    ],
    "TCP packets dropped": [
      [
        { of: { wirespan_packet_drop_reason: "NO_SOCKET" }, total: seen(REFUSALS) },
        {
          of: { wirespan_packet_drop_reason: "NETFILTER_DROP", network_io_direction: "receive" },
          total: seen(droppedIn),
        },
        {
          of: { wirespan_packet_drop_reason: "NETFILTER_DROP", network_io_direction: "transmit" },
          total: seen(droppedOut),
        },
        { each: [0, 20] },
      ],
    ],
    "Drops by subnet": [
      [{ of: { wirespan_subnet_name: "10.0.0.0/8" }, total: [0.5 * drops, 3 * drops] }, { each: [0, 0] }],
    ],
  };
};
