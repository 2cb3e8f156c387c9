import { ACCEPT_ERRORS } from "../../test/support/dashboard-traffic.ts";
import { near, type Table } from "./known.ts";

export const listeners: Table = ({ b, netns, waiting, attended, backlog }) => ({
  "How full the accept queues are": [
    [
      { of: { server_port: waiting }, total: [1 / backlog, 1 / backlog] },
      ...attended.map((port) => ({ of: { server_port: port }, each: [0, 1] as const })),
      // Stores show closed listeners for a while.
      { each: [0, 2] },
    ],
  ],
  "Connections waiting to be accepted": [
    [
      { of: { server_port: waiting }, total: [1, 1] },
      ...attended.map((port) => ({ of: { server_port: port }, each: [0, 40] as const })),
      { each: [0, 40] },
    ],
  ],
  "SYNs and handshakes rejected": [
    [
      // That listener existed only within the window, so its first overflow may be missing.
      {
        of: { service_name: "psrv" },
        total: [0.4 * b["TcpExt.ListenDrops"]!, 1.12 * b["TcpExt.ListenDrops"]!],
      },
      { each: [0, 0] },
    ],
  ],
  "Accept queue overflows": [
    [
      { of: { wirespan_netns_name: netns.b }, total: near(b["TcpExt.ListenOverflows"]!) },
      { each: [0, 0], orAbsent: "only namespaces that had one" },
    ],
  ],
  "Wait until accept()": [[{ of: { service_name: "psrv" }, total: [1e-6, 2] }, { each: [0, 2] }]],
  "Failed accept() calls": [
    [{ of: { service_name: "psrv", error_type: "too_many_open_files" }, total: near(ACCEPT_ERRORS) }],
  ],
  "Listening sockets": [
    [
      ...[waiting, ...attended].map((port) => ({ of: { server_port: port }, total: [1, 1] as const })),
      { each: [0, 1] },
    ],
  ],
});
