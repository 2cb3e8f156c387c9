// What solisten emits.
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
    description: "The transport; absent if the call named no such socket.",
  },
  "network.type": CONNECTION["network.type"],
  "server.address": {
    type: "string",
    requirement: "conditional",
    description: "The address exactly as it is bound; absent if the call named no socket.",
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
      "The index of the interface that it is bound to, as `ip link` in the network namespace shows it; absent if it is not bound.",
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
    description: "The backlog in effect: net.core.somaxconn bounds it.",
  },
} as const satisfies AttributeSpecs;

const WAITING = {
  "wirespan.socket.waiting": {
    type: "int",
    requirement: "required",
    description: "Connections in the queue that nobody has accepted.",
  },
} as const satisfies AttributeSpecs;

const SERIES = {
  "server.port": { ...SOCKET["server.port"], usual: "each" },
  "network.type": WORKLOAD["network.type"],
  "process.executable.name": WORKLOAD["process.executable.name"],
} as const satisfies AttributeSpecs;

const QUEUE = "the connections that wait to be accepted";

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
        description: "The backlog that was asked for.",
      },
      "wirespan.socket.listens_already": {
        type: "boolean",
        requirement: "conditional",
        description: "The socket listened already: the call changed its backlog.",
      },
      "error.type": {
        type: "string",
        requirement: "conditional",
        enum: LISTEN_ERRORS,
        description: "Why it failed; absent if it did not.",
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
        description: "How long it listened, seconds; absent if it listened before the agent started.",
      },
      "wirespan.socket.accepted": {
        type: "int",
        requirement: "required",
        description: "Connections that were accepted, of those that arrived after the agent started.",
      },
      "wirespan.socket.drops": {
        type: "int",
        requirement: "required",
        description:
          "The socket's own counter of packets that it discarded, including RSTs and repeated SYNs that cause no loss.",
      },
    },
  },
  unattended: {
    signal: "event",
    name: "wirespan.socket.listener.unattended",
    severity: "WARN",
    description:
      "Connections wait, and this listener has never accepted one; reported once for each listener.",
    attributes: {
      ...SOCKET,
      ...LIMIT,
      ...WAITING,
      "wirespan.socket.waiting_for": {
        type: "double",
        requirement: "required",
        description: "How long the first has waited, seconds.",
      },
    },
  },
  count: {
    signal: "metric",
    instrument: "updowncounter",
    name: "wirespan.socket.listener.count",
    unit: "{listener}",
    description: "Sockets that listen, of all network namespaces.",
    attributes: SERIES,
  },
  usage: {
    signal: "metric",
    instrument: "updowncounter",
    name: "wirespan.tcp.accept_queue.usage",
    unit: "{connection}",
    description: `The length of a listener's queue: ${QUEUE}.`,
    attributes: SERIES,
  },
  limit: {
    signal: "metric",
    instrument: "updowncounter",
    name: "wirespan.tcp.accept_queue.limit",
    unit: "{connection}",
    description: `The bound on ${QUEUE}. The kernel takes one more.`,
    attributes: SERIES,
  },
  overflows: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.tcp.accept_queue.overflows",
    unit: "{overflow}",
    description:
      "How often a connection was turned away because its queue was full: the namespace's ListenOverflows, which are a part of its ListenDrops.",
    attributes: {
      ...NETNS,
      "wirespan.netns.cookie": { ...NETNS["wirespan.netns.cookie"], requirement: "required" },
    },
  },
} as const satisfies Signals;
