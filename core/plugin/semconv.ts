// Attributes that several signals share, each declared once. Registered names are OpenTelemetry's (semantic conventions
// 1.45); all others are wirespan.*. Tests: test/system/conformance.test.ts.
import type { AttributeSpec, AttributeSpecs } from "./signals.ts";

/** A network namespace. */
export const NETNS = {
  "wirespan.netns.cookie": {
    type: "int",
    requirement: "recommended",
    description:
      "The network namespace, by the kernel's cookie (SO_NETNS_COOKIE), which is not reused until the host reboots.",
  },
  "wirespan.netns.inode": {
    type: "int",
    requirement: "recommended",
    // One for each cookie.
    expectedValues: 1,
    description:
      "The network namespace's inode number, as lsns prints it; the kernel reuses it when the namespace is gone.",
  },
  "wirespan.netns.name": {
    type: "string",
    requirement: "conditional",
    description:
      "The network namespace's name in /run/netns (`ip netns`) or /run/docker/netns, if it has one.",
  },
} as const satisfies AttributeSpecs;

/** The ends of a connection, and its owner. */
export const CONNECTION = {
  "network.transport": {
    type: "string",
    requirement: "required",
    enum: ["tcp"],
    description: "The transport.",
  },
  "network.type": {
    type: "string",
    requirement: "recommended",
    enum: ["ipv4", "ipv6"],
    description: "The network layer; IPv4 over an IPv6 socket is ipv4.",
  },
  "network.local.address": { type: "string", requirement: "recommended", description: "This end's address." },
  "network.local.port": { type: "int", requirement: "recommended", description: "This end's port." },
  "network.peer.address": {
    type: "string",
    requirement: "recommended",
    description: "The other end's address.",
  },
  "network.peer.port": { type: "int", requirement: "recommended", description: "The other end's port." },
  "wirespan.connection.direction": {
    type: "string",
    requirement: "required",
    enum: ["outbound", "inbound", "unknown"],
    description: "Whether this end opened or accepted the connection.",
  },
  "wirespan.connection.id": {
    type: "string",
    requirement: "required",
    description:
      "The kernel's socket cookie in hexadecimal; a socket's second and later connections append their number, as in 3f1a.2. Unique on the host until it reboots.",
  },
  "wirespan.connection.mapped": {
    type: "boolean",
    requirement: "conditional",
    description: "IPv4 over an IPv6 socket (::ffff:a.b.c.d).",
  },
  "network.interface.name": {
    type: "string",
    requirement: "conditional",
    description:
      "The interface that the socket is bound to, as sockets with link-local addresses always are; absent if packets leave by another.",
  },
  "wirespan.interface.index": {
    type: "int",
    requirement: "conditional",
    description:
      "The index of the interface that the socket is bound to, as `ip link` in the network namespace shows it; absent if the socket is not bound.",
  },
  ...NETNS,
  "process.pid": {
    type: "int",
    requirement: "recommended",
    description:
      "The process that owns the connection: the opener; for an accepted connection the first process to send or receive, else the one that accepted it, closed it or owns the listener.",
  },
  "process.executable.name": {
    type: "string",
    requirement: "recommended",
    description: "The executable of the process.",
  },
  "thread.name": {
    type: "string",
    requirement: "recommended",
    description: "The name of the process's thread (comm).",
  },
  "wirespan.thread.tid": { type: "int", requirement: "recommended", description: "The id of the thread." },
  "wirespan.process.uid": {
    type: "int",
    requirement: "recommended",
    description: "The user that the process ran as.",
  },
  "wirespan.process.source": {
    type: "string",
    requirement: "recommended",
    enum: ["connect", "listener", "io", "accept", "holder", "close", "unknown"],
    description:
      "How the owner is known: it called connect (connect), owns the listener (listener), was the first to send or receive (io), called accept (accept), held the socket when the agent started (holder), or closed it (close).",
  },
} as const satisfies Record<string, AttributeSpec>;

/** Of a span in an application's own trace. */
export const IN_TRACE = {
  "wirespan.context.source": {
    type: "string",
    requirement: "conditional",
    enum: ["header", "table", "thread", "uprobe"],
    description:
      "How the request's context is known: a header that was read, the table that the application keeps, its thread's record, a header in what the application handed to OpenSSL. Only in spans of applications' traces.",
  },
  "wirespan.event.more": {
    type: "boolean",
    requirement: "conditional",
    description:
      "More happened to this request than is reported; the rest is counted (wirespan.correlate.suppressed).",
  },
} as const satisfies Record<string, AttributeSpec>;

const CLOSE_REASONS = [
  "none",
  "fin_local",
  "fin_remote",
  "rst_sent",
  "rst_received",
  "timeout",
  "refused",
  "unreachable",
  "aborted",
  "killed",
  "unknown",
] as const;

export const ERROR_TYPES = [
  "connection_refused",
  "timed_out",
  "network_unreachable",
  "host_unreachable",
  "address_not_available",
  "permission_denied",
  "connection_reset",
  "aborted",
  "_OTHER",
] as const;

export const CLOSE_REASON = {
  "wirespan.tcp.close.reason": {
    type: "string",
    requirement: "required",
    enum: CLOSE_REASONS,
    description:
      "What ended the connection, seen from this end; none: it is still open; unknown: no program observed its end.",
  },
} as const satisfies Record<string, AttributeSpec>;

export const ERROR_TYPE = {
  "error.type": {
    type: "string",
    requirement: "conditional",
    enum: ERROR_TYPES,
    description: "Why the connection failed; absent if it did not.",
  },
} as const satisfies Record<string, AttributeSpec>;

/** OpenTelemetry's names by the kernel's number (0 is not a state). */
export const TCP_STATES = [
  "closed",
  "established",
  "syn_sent",
  "syn_received",
  "fin_wait_1",
  "fin_wait_2",
  "time_wait",
  "closed",
  "close_wait",
  "last_ack",
  "listen",
  "closing",
  "syn_received",
  "closed",
] as const;

export const TCP_STATE = {
  "network.connection.state": {
    type: "string",
    requirement: "recommended",
    enum: [
      "closed",
      "established",
      "syn_sent",
      "syn_received",
      "fin_wait_1",
      "fin_wait_2",
      "time_wait",
      "close_wait",
      "last_ack",
      "listen",
      "closing",
    ],
    description: "The TCP state at the event.",
  },
} as const satisfies Record<string, AttributeSpec>;

/** Bytes or packets, by direction. */
export const IO_DIRECTION = {
  "network.io.direction": {
    type: "string",
    requirement: "required",
    enum: ["transmit", "receive"],
    description: "The direction, from this host's view.",
  },
} as const satisfies AttributeSpecs;

/** Whether TCP Fast Open was used. */
export const FASTOPEN = {
  "wirespan.tcp.fastopen": {
    type: "boolean",
    requirement: "conditional",
    description: "Data was sent with the SYN (RFC 7413).",
  },
} as const satisfies AttributeSpecs;

/** Attributes with few values, for metrics. */
export const WORKLOAD = {
  "network.type": CONNECTION["network.type"],
  "wirespan.connection.direction": {
    ...CONNECTION["wirespan.connection.direction"],
    requirement: "recommended",
  },
  "process.executable.name": CONNECTION["process.executable.name"],
} as const satisfies Record<string, AttributeSpec>;

const direction = WORKLOAD["wirespan.connection.direction"];

export const OPENER = {
  ...WORKLOAD,
  "wirespan.connection.direction": { ...direction, enum: ["outbound"] },
} as const satisfies Record<string, AttributeSpec>;

export const ACCEPTOR = {
  ...WORKLOAD,
  "wirespan.connection.direction": { ...direction, enum: ["inbound"] },
} as const satisfies Record<string, AttributeSpec>;
