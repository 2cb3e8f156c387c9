// tcpdrop: TCP packets that the kernel drops, and why.
import { formatAddress } from "../../core/plugin/address.ts";
import { ConnRecordCursor } from "../../core/plugin/connection.ts";
import { DROPS, NESTED_DROPS } from "../../core/plugin/hooks/drop.ts";
import { plugin } from "../../core/plugin/plugin.ts";
import { NETNS, TCP_STATES } from "../../core/plugin/semconv.ts";
import { networkType } from "../../core/plugin/series.ts";
import { type Kernel, services } from "../../core/plugin/services.ts";
import { nested, values } from "../../core/plugin/values.ts";
import { reasonNames } from "./reasons.ts";
import { LISTEN_DROP, PACKET, signals } from "./signals.ts";
import { type Drop, DropCursor, type ListenerKey, type Packet, skeleton } from "./tcpdrop.skel.ts";
import { trace } from "./trace.ts";

export default plugin({
  name: "tcpdrop",
  summary: "TCP packets that the kernel drops: why, where, and their owners.",

  config: {
    eventRate: {
      doc: "Events per second for each reason, also the size of a burst; 0: none. Further drops are counted as suppressed.",
      format: "count",
      default: 10,
    },
    stacks: { doc: "Add the kernel stack to events.", format: "boolean", default: false },
  },

  skeleton,
  tuples: true,
  probes: {
    drops: { programs: DROPS },
    "drops, in packets that interrupt the first": { programs: NESTED_DROPS },
    "closing listeners": {
      programs: ["on_listener_close"],
      lostWithout: "what a listener rejected between the last collection and its close",
    },
  },
  uses: {
    connections: services.connections,
    identity: services.identity,
    namespaces: services.namespaces,
    clock: services.clock,
    kernel: services.kernel,
  },
  signals,
  constants: ({ eventRate, stacks }) => ({ event_rate: eventRate, stacks }),

  start({ config, emit, use: { connections, identity, clock, kernel, namespaces } }) {
    const nameOf = reasonNames(kernel);
    const packet = values(DropCursor, PACKET, {
      "network.transport": { constant: "tcp" },
      "network.type": { by: ({ packet: { family } }) => networkType(family) ?? "ipv6" },
      "source.address": { by: ({ packet: { source, family } }) => addressOf(source, family) },
      "source.port": { by: ({ packet }) => (isReadable(packet) ? packet.sourcePort : undefined) },
      "destination.address": { by: ({ packet: { destination, family } }) => addressOf(destination, family) },
      "destination.port": { by: ({ packet }) => (isReadable(packet) ? packet.destinationPort : undefined) },
      "wirespan.tcp.flags": {
        by: ({ packet }) =>
          isReadable(packet) ? FLAGS.filter((_, bit) => packet.flags & (1 << bit)) : undefined,
      },
      "wirespan.packet.drop.reason": { by: ({ reason }) => nameOf(reason) },
      "network.connection.state": { by: ({ state }) => stateOf(state) },
      "network.io.direction": { from: "way" },
      "wirespan.packet.drop.location": { by: ({ location: [word, high] }) => placeOf(kernel, word!, high!) },
      "wirespan.packet.segments": { by: ({ segments }) => (segments > 1 ? segments : undefined) },
      "network.interface.name": { from: "interface", nonZero: true },
      "wirespan.interface.index": { from: "ifindex", nonZero: true },
      "wirespan.event.suppressed": { from: "suppressed", nonZero: true },
      "code.stacktrace": { by: (drop) => (drop.frames ? stackOf(drop, kernel) : undefined) },
    });
    const ofNamespace = values(DropCursor, NETNS, {
      "wirespan.netns.cookie": { from: "connection.conn.netnsCookie", nonZero: true },
      "wirespan.netns.inode": { from: "connection.conn.netns", nonZero: true },
      "wirespan.netns.name": {
        by: ({ connection: { conn } }) =>
          namespaces.attributes(conn.netnsCookie, conn.netns)["wirespan.netns.name"],
      },
    }).and(packet);
    const connection = nested(ConnRecordCursor, "conn", connections.values);
    const ofConnection = nested(DropCursor, "connection", connection).and(packet);
    const inTrace = nested(DropCursor, "connection", connections.inTraceValues).and(packet);
    const stateOf = (state: number) => (state ? TCP_STATES[state] : undefined);
    const rejected = new Map<string, number>();

    /** The kernel has no event for rejected connections, so one event reports all of them since the last time. */
    function reportListener(key: ListenerKey, packets: number): void {
      const id = `${key.netnsCookie} ${key.port} ${key.workload}`;
      const { resource, executable } = identity.workload(key.workload);
      const before = rejected.get(id) ?? 0;
      rejected.set(id, packets);
      if (packets === before || config.eventRate === 0) return;
      emit.drop({
        time: clock.now(),
        ...(resource && { resource }),
        attributes: {
          "wirespan.packet.drop.reason": LISTEN_DROP,
          "network.connection.state": "listen",
          "network.io.direction": "receive",
          "destination.port": key.port,
          "process.executable.name": executable,
          ...namespaces.attributes(key.netnsCookie, key.netns),
          "wirespan.packet.count": packets - before,
        },
      });
    }

    return {
      totals(rows) {
        for (const [key, { packets }] of rows) {
          const { series, resource } = identity.workload(key.workload);
          const attributes = {
            "wirespan.packet.drop.reason": nameOf(key.reason),
            "network.connection.state": stateOf(key.state),
            "network.io.direction": key.way,
            "network.type": networkType(key.family),
            ...series,
          };
          emit.dropped.observe(packets, attributes, resource);
        }
      },
      listeners(rows) {
        for (const [key, { packets }] of rows) {
          const { series, resource } = identity.workload(key.workload);
          const namespace = namespaces.attributes(key.netnsCookie, key.netns);
          emit.listenDropped.observe(packets, { ...series, "server.port": key.port, ...namespace }, resource);
          reportListener(key, packets);
        }
      },
      totals_overflow(rows) {
        for (const [, { packets }] of rows) if (packets) emit.dropped.overflow(packets);
      },
      listeners_overflow(rows) {
        for (const [, { packets }] of rows) if (packets) emit.listenDropped.overflow(packets);
      },
      drops(record) {
        const { connection } = record;
        const span = connections.inTrace(connection, record.happenedAt);
        if (span) emit.inTrace({ ...span, attributes: inTrace.of(record) });
        if (connection.context.source !== "none") return;
        emit.drop({
          time: clock.wall(record.happenedAt),
          resource: connections.resource(connection.conn.owner),
          ...(record.hasIds && { context: { traceId: connection.traceId, spanId: connection.spanId } }),
          attributes: (record.hasConnection ? ofConnection : ofNamespace).of(record),
        });
      },
    };
  },

  trace,
});

const FLAGS = ["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"] as const;

const addressOf = (bytes: Uint8Array, family: number) => formatAddress(bytes, networkType(family) ?? "ipv6");

const isReadable = ({ sourcePort, destinationPort }: Packet) => sourcePort !== 0 || destinationPort !== 0;

const hex = (word: number) => word.toString(16).padStart(8, "0");

/** The address in hexadecimal if it has no name. */
const placeOf = (kernel: Kernel, word: number, high: number) =>
  kernel.symbol(word, high) ?? `0x${hex(high)}${hex(word)}`;

/** The stack from the function that dropped the packet outwards, without the tracepoint's own frames. */
function stackOf({ stack, frames, location }: Drop, kernel: Kernel): string {
  const all = Array.from({ length: frames }, (_, i) => [stack[2 * i]!, stack[2 * i + 1]!] as const);
  const first = all.findIndex(([word, high]) => word === location[0] && high === location[1]);
  return all
    .slice(Math.max(first, 0))
    .map(([word, high]) => placeOf(kernel, word, high))
    .join("\n");
}
