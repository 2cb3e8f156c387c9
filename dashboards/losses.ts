// Retransmits and drops: what was retransmitted, and what this host itself dropped.
import { SEGMENTS_LOST } from "../store/findings/limits.ts";
import { hosts, type Subject, services } from "./panels.ts";

const RETRANSMITS = "wirespan.tcp.retransmits";
const DROPPED = "wirespan.tcp.packet.dropped";

export const losses: Subject = {
  uid: "wirespan-losses",
  title: "retransmits and drops",
  description: "What was retransmitted, and what the hosts themselves dropped and why.",
  of: "services",
  known: "wirespan.tcp.io",
  rows: [
    {
      title: "Retransmits",
      panels: [
        {
          title: "Segments retransmitted",
          description:
            "In each interval, by type. rto: a timeout, at least 200 ms; tlp and fast: quick repairs; syn, synack: handshakes. If one service has them, look at its peers; if all, at this host's drops below.",
          unit: "short",
          bars: true,
          targets: [
            {
              expr: services.increase(RETRANSMITS, ["service.name", "wirespan.tcp.retransmit.type"]),
              by: ["service.name", "wirespan.tcp.retransmit.type"],
            },
          ],
        },
        {
          title: "Share of the payload retransmitted",
          description:
            "Payload retransmitted for each byte that peers acknowledged. Above the line, requests become slow.",
          unit: "percentunit",
          limit: SEGMENTS_LOST.share,
          targets: [
            {
              expr: services.share(
                ["service.name"],
                ["wirespan.tcp.retransmit.io"],
                ["wirespan.tcp.io", { "network.io.direction": '="transmit"' }],
              ),
              by: ["service.name"],
            },
          ],
        },
        {
          title: "Payload retransmitted",
          description: "Bytes in each interval.",
          unit: "bytes",
          bars: true,
          targets: [
            { expr: services.increase("wirespan.tcp.retransmit.io", ["service.name"]), by: ["service.name"] },
          ],
        },
        {
          title: "Retransmits that did not leave the host",
          description:
            "In each interval, by cause. filtered: a firewall rule of the host; queue_full: its queueing discipline; no_memory: the host's memory for TCP (net.ipv4.tcp_mem).",
          unit: "short",
          bars: true,
          targets: [
            {
              expr: services.increase("wirespan.tcp.retransmit.failures", ["service.name", "error.type"]),
              by: ["service.name", "error.type"],
            },
          ],
        },
        {
          title: "Connections with the most retransmits",
          description:
            "Segments in each interval, for the ten connections with the most. Requires plugins.tcpretrans.flows: true.",
          unit: "short",
          bars: true,
          targets: [
            {
              expr: `topk(10, ${services.increase("wirespan.tcp.flow.retransmits", [
                "service.name",
                "network.local.address",
                "network.peer.address",
                "network.peer.port",
              ])})`,
              by: ["service.name", "network.local.address", "network.peer.address", "network.peer.port"],
            },
          ],
        },
        {
          title: "Retransmits by subnet",
          description:
            "Segments in each interval, by the subnet of the other end. If only one subnet is affected, look at the path to it.",
          unit: "short",
          bars: true,
          targets: [
            {
              expr: hosts.increase("wirespan.tcp.subnet.retransmits", ["wirespan.subnet.name"]),
              by: ["wirespan.subnet.name"],
            },
          ],
        },
      ],
    },
    {
      title: "Drops",
      panels: [
        {
          title: "TCP packets dropped",
          description:
            "In each interval, by the kernel's reason. NETFILTER_DROP: a firewall rule; NO_SOCKET: nothing listens; SOCKET_BACKLOG, SOCKET_RCVBUFF: the application reads too slowly; QDISC_DROP: the interface's queue is full. TCP_OLD_* and TCP_CLOSE are harmless.",
          unit: "short",
          bars: true,
          targets: [
            {
              expr: services.increase(DROPPED, [
                "service.name",
                "wirespan.packet.drop.reason",
                "network.io.direction",
              ]),
              by: ["service.name", "wirespan.packet.drop.reason", "network.io.direction"],
            },
          ],
        },
        {
          title: "Drops by subnet",
          description: "TCP packets dropped in each interval, by the subnet of the other end.",
          unit: "short",
          bars: true,
          targets: [
            {
              expr: hosts.increase("wirespan.tcp.subnet.packet.dropped", [
                "wirespan.subnet.name",
                "network.io.direction",
              ]),
              by: ["wirespan.subnet.name", "network.io.direction"],
            },
          ],
        },
      ],
    },
  ],
};
