// tcpdrop: TCP packets that the kernel throws away, and why.
import { formatAddress } from "../../core/plugin/address.ts";
import { DROPS, NESTED_DROPS } from "../../core/plugin/hooks/drop.ts";
import { plugin } from "../../core/plugin/plugin.ts";
import { TCP_STATES } from "../../core/plugin/semconv.ts";
import { services } from "../../core/plugin/services.ts";
import type { AnyAttributes } from "../../core/plugin/signals.ts";
import { reasonNames } from "./reasons.ts";
import { LISTEN_DROP, signals } from "./signals.ts";
import { KernelSymbols } from "./symbols.ts";
import { type Drop, type ListenerKey, type Packet, skeleton, type TotalKey } from "./tcpdrop.skel.ts";
import { trace } from "./trace.ts";

export default plugin({
  name: "tcpdrop",
  summary: "TCP packets that the kernel throws away: why, where, and whose they were.",

  config: {
    eventRate: {
      doc: "Events a second for each reason, and as many in one burst; 0: none. Those beyond are counted as suppressed.",
      format: "count",
      default: 10,
    },
    stacks: { doc: "Events carry the kernel's stack.", format: "boolean", default: false },
  },

  skeleton,
  tuples: true,
  probes: {
    drops: { programs: DROPS },
    "drops, in packets that interrupt the first": { programs: NESTED_DROPS },
    "closing listeners": {
      programs: ["on_listener_close"],
      lostWithout: "what a listener turned away between the last collection and its close",
    },
  },
  uses: {
    connections: services.connections,
    identity: services.identity,
    namespaces: services.namespaces,
    clock: services.clock,
    kernel: services.kernel,
    log: services.log,
  },

  signals,

  constants: ({ eventRate, stacks }) => ({ event_rate: eventRate, stacks: stacks ? 1 : 0 }),

  start({ config, emit, use: { connections, identity, clock, kernel, log, namespaces } }) {
    const nameOf = reasonNames(kernel);
    const symbols = new KernelSymbols((why) =>
      log.info({ why }, "tcpdrop: places in the kernel are reported as addresses"),
    );
    const turnedAway = new Map<string, number>();

    function seriesOf(key: TotalKey) {
      return {
        "wirespan.packet.drop.reason": nameOf(key.reason),
        "network.connection.state": key.state ? TCP_STATES[key.state] : undefined,
        "network.io.direction": key.way,
        "network.type": key.family === 4 ? "ipv4" : "ipv6",
        ...identity.workload(key.workload).series,
      } as const;
    }

    /** The listener has no event in the kernel: what it turned away since the last time is told as one. */
    function tellListener(key: ListenerKey, packets: number): void {
      const id = `${key.netnsCookie} ${key.port} ${key.workload}`;
      const { resource, executable } = identity.workload(key.workload);
      const before = turnedAway.get(id) ?? 0;
      turnedAway.set(id, packets);
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
          emit.dropped.observe(packets, seriesOf(key), identity.workload(key.workload).resource);
        }
      },
      listeners(rows) {
        for (const [key, { packets }] of rows) {
          const workload = identity.workload(key.workload);
          const series = {
            ...workload.series,
            "server.port": key.port,
            ...namespaces.attributes(key.netnsCookie, key.netns),
          };
          emit.listenDropped.observe(packets, series, workload.resource);
          tellListener(key, packets);
        }
      },
      overflow(rows) {
        const rest = { "otel.metric.overflow": true, "wirespan.packet.drop.reason": "" } as const;
        for (const [key, { packets }] of rows) {
          if (!packets) continue;
          if (key.value === 0) emit.dropped.observe(packets, rest);
          else emit.listenDropped.observe(packets, rest);
        }
      },
      sweep(rows) {
        for (const _ of rows); // there are none: the program moves the listeners' sums
      },
      drops(record) {
        const { connection } = record;
        emit.drop({
          time: clock.wall(record.happenedAt),
          resource: connections.resource(connection.conn.owner),
          ...(record.hasIds && { context: { traceId: connection.traceId, spanId: connection.spanId } }),
          attributes: {
            ...(record.hasConnection
              ? connections.attributes(connection)
              : namespaces.attributes(connection.conn.netnsCookie, connection.conn.netns)),
            ...attributesOf(record.packet),
            "wirespan.packet.drop.reason": nameOf(record.reason),
            "network.connection.state": record.state ? TCP_STATES[record.state] : undefined,
            "network.io.direction": record.way,
            "wirespan.packet.drop.location": symbols.name(record.location[0]!, record.location[1]!),
            "wirespan.packet.segments": record.segments > 1 ? record.segments : undefined,
            "network.interface.name": record.interface || undefined,
            "wirespan.interface.index": record.ifindex || undefined,
            "wirespan.event.suppressed": record.suppressed || undefined,
            ...(record.frames && { "code.stacktrace": stackOf(record, symbols) }),
          } as never,
        });
      },
    };
  },

  trace,
});

const FLAGS = ["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"] as const;

function attributesOf(packet: Packet): AnyAttributes {
  const family = packet.family === 4 ? "ipv4" : "ipv6";
  const readable = packet.sourcePort !== 0 || packet.destinationPort !== 0;
  return {
    "network.transport": "tcp",
    "network.type": family,
    "source.address": formatAddress(packet.source, family),
    "destination.address": formatAddress(packet.destination, family),
    ...(readable && {
      "source.port": packet.sourcePort,
      "destination.port": packet.destinationPort,
      "wirespan.tcp.flags": FLAGS.filter((_, bit) => packet.flags & (1 << bit)),
    }),
  };
}

/** From the place that dropped it; what lies within is the tracing's own. */
function stackOf({ stack, frames, location }: Drop, symbols: KernelSymbols): string {
  const all = Array.from({ length: frames }, (_, i) => [stack[2 * i]!, stack[2 * i + 1]!] as const);
  const first = all.findIndex(([word, high]) => word === location[0] && high === location[1]);
  return all
    .slice(Math.max(first, 0))
    .map(([word, high]) => symbols.name(word, high))
    .join("\n");
}
