// Listeners: which services listen, how full their accept queues are, and which connections are rejected.
import { ACCEPT_QUEUE_FILLS } from "../store/findings/limits.ts";
import { hosts, type Subject, services } from "./panels.ts";

const LISTENER = ["host.name", "service.name", "server.port"] as const;
const USAGE = "wirespan.tcp.accept_queue.usage";
const LIMIT = "wirespan.tcp.accept_queue.limit";

export const listeners: Subject = {
  uid: "wirespan-listeners",
  title: "listeners",
  description: "Which services listen, how full their accept queues are, and which connections are rejected.",
  of: "services",
  known: "wirespan.socket.listener.count",
  rows: [
    {
      title: "Accept queues",
      panels: [
        {
          title: "How full the accept queues are",
          description:
            "As a share of the limit, which is the smaller of the backlog passed to listen() and net.core.somaxconn. Above the line, raise both, or add workers: when a queue is full, clients wait a second or more.",
          unit: "percentunit",
          limit: ACCEPT_QUEUE_FILLS,
          targets: [
            { expr: `${services.now(USAGE, LISTENER)} / ${services.now(LIMIT, LISTENER)}`, by: LISTENER },
          ],
        },
        {
          title: "Connections waiting to be accepted",
          description:
            "If it stays above 0 while the service accepts nothing, its process is stopped, blocked, or does not call accept().",
          unit: "short",
          targets: [{ expr: services.now(USAGE, LISTENER), by: LISTENER }],
        },
        {
          title: "SYNs and handshakes rejected",
          description:
            "By listeners, in each interval. The clients retransmit and wait. A full accept queue is the usual reason.",
          unit: "short",
          bars: true,
          targets: [{ expr: services.increase("wirespan.tcp.listener.dropped", LISTENER), by: LISTENER }],
        },
        {
          title: "Accept queue overflows",
          description:
            "In each interval, by network namespace: the kernel's ListenOverflows. The previous panel shows the listeners.",
          unit: "short",
          bars: true,
          targets: [
            {
              expr: hosts.increase("wirespan.tcp.accept_queue.overflows", [
                "host.name",
                "wirespan.netns.name",
                "wirespan.netns.inode",
              ]),
              by: ["host.name", "wirespan.netns.name", "wirespan.netns.inode"],
            },
          ],
        },
      ],
    },
    {
      title: "Accepting",
      panels: [
        {
          title: "Wait until accept()",
          description:
            "99th percentile of the time from the SYN until accept() returned the connection. If it is more than a round trip, the service accepts too slowly.",
          unit: "s",
          targets: [
            {
              expr: services.quantile(0.99, "wirespan.tcp.accept.duration", ["service.name"], {
                "error.type": '=""',
              }),
              by: ["service.name"],
            },
          ],
        },
        {
          title: "Failed accept() calls",
          description:
            "Calls in each interval, by cause. too_many_open_files: raise the service's limit (LimitNOFILE=, ulimit -n), or find what it does not close.",
          unit: "short",
          bars: true,
          targets: [
            {
              expr: services.increase("wirespan.tcp.accept.errors", ["service.name", "error.type"]),
              by: ["service.name", "error.type"],
            },
          ],
        },
        {
          title: "Listening sockets",
          description:
            "By service and port. If one is missing, the service did not start, or listens elsewhere.",
          unit: "short",
          targets: [{ expr: services.now("wirespan.socket.listener.count", LISTENER), by: LISTENER }],
        },
      ],
    },
  ],
};
