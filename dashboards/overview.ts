// Services: what each opens, accepts and transfers, and how much of it fails.
import { hosts, type Subject, services } from "./panels.ts";

const SERVICE = ["service.name"] as const;
const ATTEMPTS = "wirespan.tcp.connect.attempts";
const CLOSED = "wirespan.tcp.connection.closed";

export const overview: Subject = {
  uid: "wirespan-services",
  title: "services",
  description: "What each service opens, accepts and transfers over TCP, and how much of it fails.",
  of: "services",
  known: "wirespan.tcp.io",
  rows: [
    {
      title: "Connections",
      panels: [
        {
          title: "Connections opened",
          description:
            "Completed attempts to connect per second, failed ones included. If a service opens many when a few would do, check whether it reuses its connections.",
          unit: "cps",
          targets: [{ expr: services.rate(ATTEMPTS, SERVICE), by: SERVICE }],
        },
        {
          title: "Connections accepted",
          description:
            "Connections that accept() returned, per second. If clients connect and this stays at 0, see the listeners.",
          unit: "cps",
          targets: [{ expr: services.rate("wirespan.tcp.connection.accepted", SERVICE), by: SERVICE }],
        },
        {
          title: "Connections that ended, by reason",
          description:
            "Ends of connections in each interval, as the service sees them. rst_received: the peer, or something in between, reset it; timeout: the peer stopped answering. The spans of these connections show the peer.",
          unit: "short",
          bars: true,
          targets: [
            {
              expr: services.increase(CLOSED, ["service.name", "wirespan.tcp.close.reason"]),
              by: ["service.name", "wirespan.tcp.close.reason"],
            },
          ],
        },
        {
          title: "Connections to and from subnets",
          description:
            "Connections established per second, by the subnet of the other end. The subnets are a setting: plugins.tcpsubnet.subnets.",
          unit: "cps",
          targets: [
            {
              expr: hosts.rate("wirespan.tcp.subnet.connections", [
                "wirespan.subnet.name",
                "wirespan.connection.direction",
              ]),
              by: ["wirespan.subnet.name", "wirespan.connection.direction"],
            },
          ],
        },
      ],
    },
    {
      title: "Failures",
      panels: [
        {
          title: "Failed attempts to connect",
          description:
            "In each interval, by cause. connection_refused: nothing listens there; timed_out: a firewall, a route or a host that is down; address_not_available: no free local port. The spans `tcp connect` name the address.",
          unit: "short",
          bars: true,
          targets: [
            {
              expr: services.increase(ATTEMPTS, ["service.name", "error.type"], { "error.type": '!=""' }),
              by: ["service.name", "error.type"],
            },
          ],
        },
        {
          title: "Share of attempts that fail",
          description:
            "If it rises for one service only, look at what it connects to; if for all, at the network or DNS.",
          unit: "percentunit",
          targets: [
            {
              expr: services.share(SERVICE, [ATTEMPTS, { "error.type": '!=""' }], [ATTEMPTS]),
              by: SERVICE,
            },
          ],
        },
      ],
    },
    {
      title: "Payload",
      panels: [
        {
          title: "Payload sent and received",
          description:
            "Bytes per second that peers acknowledged or that arrived in order, including open connections: no headers, and nothing counted twice.",
          unit: "Bps",
          targets: [
            {
              expr: services.rate("wirespan.tcp.io", ["service.name", "network.io.direction"]),
              by: ["service.name", "network.io.direction"],
            },
          ],
        },
        {
          title: "Processes with the most traffic",
          description:
            "The ten busiest processes by payload per second. Only the busiest processes of a host have a series of their own.",
          unit: "Bps",
          targets: [
            {
              expr: `topk(10, ${hosts.rate("wirespan.tcp.process.io", ["host.name", "process.executable.name", "process.pid"], { "process.pid": '!=""' })})`,
              by: ["host.name", "process.executable.name", "process.pid"],
            },
          ],
        },
        {
          title: "Payload by subnet",
          description:
            "Bytes per second by the subnet of the other end: what leaves the data center costs money and time.",
          unit: "Bps",
          targets: [
            {
              expr: hosts.rate("wirespan.tcp.subnet.io", ["wirespan.subnet.name", "network.io.direction"]),
              by: ["wirespan.subnet.name", "network.io.direction"],
            },
          ],
        },
        {
          title: "Sockets by state",
          description:
            "All network namespaces of a host. close_wait that grows: an application leaks sockets; syn_received that grows: handshakes do not complete; time_wait is normal.",
          unit: "short",
          targets: [
            {
              expr: hosts.now("system.network.connection.count", ["host.name", "network.connection.state"]),
              by: ["host.name", "network.connection.state"],
            },
          ],
        },
      ],
    },
  ],
};
