// What tcpdrop reports.
import { CONNECTION, IN_TRACE, NETNS, TCP_STATE, WORKLOAD } from "../../core/plugin/semconv.ts";
import type { AttributeSpecs, Requirement, Signals } from "../../core/plugin/signals.ts";

/** The kernel has no reason for connections that listeners reject. */
export const LISTEN_DROP = "LISTEN_DROP";

const REASON = {
  "wirespan.packet.drop.reason": {
    type: "string",
    requirement: "required",
    description:
      "The reason as the running kernel calls it (enum skb_drop_reason, without its prefix); in events also LISTEN_DROP: a listener rejected the packet, for which the kernel gives no reason.",
  },
} as const satisfies AttributeSpecs;

const DIRECTION = {
  "network.io.direction": {
    type: "string",
    requirement: "recommended",
    enum: ["transmit", "receive"],
    description: "Whether the packet was leaving or arriving.",
  },
} as const satisfies AttributeSpecs;

/** A drop may concern no connection at all. */
const of = <S extends AttributeSpecs>(specs: S, requirement: Requirement) =>
  Object.fromEntries(Object.entries(specs).map(([key, spec]) => [key, { ...spec, requirement }])) as {
    readonly [K in keyof S]: Omit<S[K], "requirement"> & { readonly requirement: "conditional" };
  };

/** Attributes of the connection, if there is one. */
const ANY_CONNECTION = of(CONNECTION, "conditional");

const END = { address: "address", port: "port; absent if the TCP header could not be read" } as const;

/** Attributes of the packet. */
export const PACKET = {
  "network.transport": ANY_CONNECTION["network.transport"],
  "network.type": ANY_CONNECTION["network.type"],
  ...REASON,
  ...TCP_STATE,
  ...DIRECTION,
  "source.address": {
    type: "string",
    requirement: "recommended",
    description: `The sender's ${END.address}.`,
  },
  "source.port": { type: "int", requirement: "recommended", description: `The sender's ${END.port}.` },
  "destination.address": {
    type: "string",
    requirement: "recommended",
    description: `The receiver's ${END.address}.`,
  },
  "destination.port": { type: "int", requirement: "recommended", description: `The receiver's ${END.port}.` },
  "wirespan.tcp.flags": {
    type: "string[]",
    requirement: "recommended",
    description: "The TCP flags of its header, in lower case.",
  },
  "wirespan.packet.count": {
    type: "int",
    requirement: "conditional",
    description:
      "How many packets the event stands for, if a listener rejected them: all since its last event.",
  },
  "wirespan.packet.drop.location": {
    type: "string",
    requirement: "recommended",
    description: "Where in the kernel: a function and an offset, or the address of code without a name.",
  },
  "code.stacktrace": {
    type: "string",
    requirement: "opt_in",
    description: "The kernel stack, innermost frame first, one per line (setting `stacks`).",
  },
  "wirespan.packet.segments": {
    type: "int",
    requirement: "conditional",
    description:
      "The TCP segments in the packet, if more than one: the kernel merges what it receives (GRO) and splits late what it sends (GSO).",
  },
  "network.interface.name": {
    type: "string",
    requirement: "conditional",
    description: "The interface, if the packet still has one.",
  },
  "wirespan.interface.index": {
    type: "int",
    requirement: "conditional",
    description:
      "The index, as `ip link` shows it, of the interface by which the packet arrived or was to leave.",
  },
  "wirespan.event.suppressed": {
    type: "int",
    requirement: "conditional",
    description:
      "Drops for this reason since the last event that exceeded `eventRate` and have no event of their own.",
  },
} as const satisfies AttributeSpecs;

export const signals = {
  dropped: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.tcp.packet.dropped",
    unit: "{packet}",
    description:
      "TCP packets lost on this host. Packets that were read, answered or copied do not count, nor those that listeners rejected.",
    attributes: {
      ...REASON,
      ...TCP_STATE,
      ...DIRECTION,
      "network.type": WORKLOAD["network.type"],
      "process.executable.name": WORKLOAD["process.executable.name"],
    },
  },
  listenDropped: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.tcp.listener.dropped",
    unit: "{packet}",
    description:
      "SYNs, and ACKs that end a handshake, that a listener rejected, usually because a queue was full: the network namespace's ListenDrops by listener. Includes ListenOverflows (wirespan.tcp.accept_queue.overflows).",
    attributes: {
      "process.executable.name": WORKLOAD["process.executable.name"],
      "server.port": { type: "int", requirement: "recommended", description: "The listener's port." },
      ...NETNS,
    },
  },
  drop: {
    signal: "event",
    name: "wirespan.tcp.packet.drop",
    severity: "WARN",
    description: "A TCP packet lost on this host.",
    attributes: { ...ANY_CONNECTION, ...PACKET },
  },
  inTrace: {
    signal: "span",
    name: "tcp drop",
    description:
      "A TCP packet lost on this host, in the trace of the request whose bytes it contained; it lasts 1 ns.",
    attributes: { ...ANY_CONNECTION, ...PACKET, ...IN_TRACE },
  },
} as const satisfies Signals;
