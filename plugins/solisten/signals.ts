// What solisten reports.
import { CONNECTION, NETNS, WORKLOAD } from "../../core/plugin/semconv.ts";
import type { AttributeSpecs, Signals } from "../../core/plugin/signals.ts";

export const LISTEN_ERRORS = [
  "address_in_use",
  "bad_descriptor",
  "not_a_socket",
  "invalid_state",
  "not_supported",
  "permission_denied",
  "_OTHER",
] as const;

const SOCKET = {
  "network.transport": {
    type: "string",
    requirement: "conditional",
    enum: ["tcp", "udp"],
    description: "The transport; absent if the descriptor is not such a socket.",
  },
  "network.type": CONNECTION["network.type"],
  "server.address": {
    type: "string",
    requirement: "conditional",
    description: "The bound address; absent if the descriptor is not a socket.",
  },
  "server.port": {
    type: "int",
    requirement: "conditional",
    description: "The port, chosen by listen() if none was bound.",
  },
  "wirespan.socket.id": {
    type: "string",
    requirement: "conditional",
    description: "The kernel's socket cookie, in hexadecimal.",
  },
  "wirespan.socket.protocol": {
    type: "string",
    requirement: "conditional",
    description: "The socket's protocol: tcp, mptcp, or its number.",
  },
  "wirespan.socket.ipv6_only": {
    type: "boolean",
    requirement: "conditional",
    description: "Whether an IPv6 socket refuses IPv4 (IPV6_V6ONLY).",
  },
  "wirespan.interface.index": {
    type: "int",
    requirement: "conditional",
    description:
      "The index of the interface that the socket is bound to, as `ip link` in the network namespace shows it; absent if it is not bound.",
  },
  ...NETNS,
  "process.pid": { ...CONNECTION["process.pid"], description: "The process that listens." },
  "process.executable.name": CONNECTION["process.executable.name"],
  "thread.name": { ...CONNECTION["thread.name"], description: "The thread that called listen() (comm)." },
  "wirespan.thread.tid": CONNECTION["wirespan.thread.tid"],
  "wirespan.process.uid": CONNECTION["wirespan.process.uid"],
} as const satisfies AttributeSpecs;

const LIMIT = {
  "wirespan.socket.backlog_limit": {
    type: "int",
    requirement: "conditional",
    description: "The backlog in effect, limited by net.core.somaxconn.",
  },
} as const satisfies AttributeSpecs;

const WAITING = {
  "wirespan.socket.waiting": {
    type: "int",
    requirement: "required",
    description: "Connections in the accept queue.",
  },
} as const satisfies AttributeSpecs;

const SERIES = {
  "server.port": { ...SOCKET["server.port"], expectedValues: "each" },
  "network.type": WORKLOAD["network.type"],
  "process.executable.name": WORKLOAD["process.executable.name"],
} as const satisfies AttributeSpecs;

export const signals = {
  listen: {
    signal: "event",
    name: "wirespan.socket.listen",
    severity: "INFO",
    description: "A call of listen(), with its result.",
    attributes: {
      ...SOCKET,
      ...LIMIT,
      "wirespan.socket.backlog": {
        type: "int",
        requirement: "conditional",
        description: "The requested backlog.",
      },
      "wirespan.socket.listens_already": {
        type: "boolean",
        requirement: "conditional",
        description: "The socket was already listening: the call changed its backlog.",
      },
      "error.type": {
        type: "string",
        requirement: "conditional",
        enum: LISTEN_ERRORS,
        description: "Why the call failed; absent if it did not.",
      },
      "wirespan.socket.errno": {
        type: "int",
        requirement: "required",
        description: "The error's number, 0 for success.",
      },
    },
  },
  end: {
    signal: "event",
    name: "wirespan.socket.listener.end",
    severity: "INFO",
    description: "A socket stopped listening.",
    attributes: {
      ...SOCKET,
      ...LIMIT,
      ...WAITING,
      "wirespan.socket.listener.duration": {
        type: "double",
        requirement: "conditional",
        description: "How long the socket listened, seconds; absent if it began before the agent started.",
      },
      "wirespan.socket.accepted": {
        type: "int",
        requirement: "required",
        description: "Accepted connections among those that arrived after the agent started.",
      },
      "wirespan.socket.drops": {
        type: "int",
        requirement: "required",
        description:
          "The socket's own counter of discarded packets, which includes RSTs and repeated SYNs that cause no loss.",
      },
    },
  },
  unattended: {
    signal: "event",
    name: "wirespan.socket.listener.unattended",
    severity: "WARN",
    description:
      "A listener with waiting connections that has never accepted one; reported once for each listener.",
    attributes: {
      ...SOCKET,
      ...LIMIT,
      ...WAITING,
      "wirespan.socket.waiting_for": {
        type: "double",
        requirement: "required",
        description: "How long the first connection has been waiting, seconds.",
      },
    },
  },
  count: {
    signal: "metric",
    instrument: "updowncounter",
    name: "wirespan.socket.listener.count",
    unit: "{listener}",
    description: "Listening sockets, in all network namespaces.",
    attributes: SERIES,
  },
  usage: {
    signal: "metric",
    instrument: "updowncounter",
    name: "wirespan.tcp.accept_queue.usage",
    unit: "{connection}",
    description: "Length of a listener's accept queue.",
    attributes: SERIES,
  },
  limit: {
    signal: "metric",
    instrument: "updowncounter",
    name: "wirespan.tcp.accept_queue.limit",
    unit: "{connection}",
    description: "Limit of a listener's accept queue. The kernel accepts one more connection.",
    attributes: SERIES,
  },
  overflows: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.tcp.accept_queue.overflows",
    unit: "{overflow}",
    description:
      "Connections rejected because the accept queue was full: the namespace's ListenOverflows, which its ListenDrops include.",
    attributes: {
      ...NETNS,
      "wirespan.netns.cookie": { ...NETNS["wirespan.netns.cookie"], requirement: "required" },
    },
  },
} as const satisfies Signals;
