// tcpstates: the states of TCP sockets.

import { seconds } from "../../core/plugin/histogram.ts";
import { plugin } from "../../core/plugin/plugin.ts";
import { CONNECTION, TCP_STATE, TCP_STATES, WORKLOAD } from "../../core/plugin/semconv.ts";
import { services } from "../../core/plugin/services.ts";
import type { AttributeSpecs } from "../../core/plugin/signals.ts";
import { type Change, skeleton } from "./tcpstates.skel.ts";
import { trace } from "./trace.ts";

const STATE = {
  "network.connection.state": {
    ...TCP_STATE["network.connection.state"],
    requirement: "required",
    description: "The TCP state.",
  },
} as const satisfies AttributeSpecs;

const CHANGE = {
  ...CONNECTION,
  "network.connection.state": {
    ...STATE["network.connection.state"],
    description:
      "The state that begins. The socket ends with time_wait, for which the kernel keeps a smaller one.",
  },
  "wirespan.tcp.state.previous": {
    ...STATE["network.connection.state"],
    description: "The state that ends.",
  },
  "wirespan.tcp.state.duration": {
    type: "double",
    requirement: "conditional",
    description: "How long it lasted, seconds; absent if its beginning was not seen.",
  },
  "wirespan.process.context.pid": {
    type: "int",
    requirement: "conditional",
    description: "The process that ran at that moment: it may only have been interrupted by a packet.",
  },
  "wirespan.process.context.name": {
    type: "string",
    requirement: "conditional",
    description: "The name of the thread that ran at that moment (comm).",
  },
} as const satisfies AttributeSpecs;

const SERIES = {
  "wirespan.connection.direction": WORKLOAD["wirespan.connection.direction"],
  "process.executable.name": WORKLOAD["process.executable.name"],
  "otel.metric.overflow": WORKLOAD["otel.metric.overflow"],
  // Between SYN and close, a connection's end goes through four.
  "network.connection.state": { ...STATE["network.connection.state"], usual: 4 },
} as const satisfies AttributeSpecs;

/** What a socket of the host can be in for a while. */
const LIVING = [1, 2, 3, 4, 5, 8, 9, 10, 11] as const;

export default plugin({
  name: "tcpstates",
  summary: "The states of TCP sockets: how long each lasts, how many are in each, and every change.",

  config: {
    events: {
      doc: "Report each change of state as an event: about ten for each connection.",
      format: "boolean",
      default: false,
    },
  },

  skeleton,
  probes: {
    "changes of state": { programs: ["on_change"] },
  },
  uses: {
    connections: services.connections,
    identity: services.identity,
    clock: services.clock,
  },

  signals: {
    duration: {
      signal: "metric",
      instrument: "histogram",
      name: "wirespan.tcp.state.duration",
      unit: "s",
      description: "How long sockets were in a state before they left it.",
      attributes: SERIES,
    },
    count: {
      signal: "metric",
      instrument: "updowncounter",
      name: "system.network.connection.count",
      unit: "{connection}",
      description: "Sockets in each state, in all network namespaces.",
      attributes: {
        "network.transport": CONNECTION["network.transport"],
        "network.connection.state": { ...STATE["network.connection.state"], usual: LIVING.length },
      },
    },
    change: {
      signal: "event",
      name: "wirespan.tcp.state.change",
      severity: "DEBUG",
      description: "A socket changed its state.",
      attributes: CHANGE,
    },
  },

  constants: ({ events }) => ({ events }),

  start({ emit, use: { connections, identity, clock } }) {
    function observe(change: Change): void {
      const { connection, context, duration } = change;
      const { conn } = connection;
      const listens = change.oldState === 10 || change.newState === 10;
      emit.change({
        time: clock.wall(change.changedAt),
        resource: connections.resource(conn.owner),
        // A listener has no span.
        ...(!(listens && conn.direction === "unknown") && {
          context: { traceId: connection.traceId, spanId: connection.spanId },
        }),
        attributes: {
          ...connections.attributes(connection),
          "network.connection.state": TCP_STATES[change.newState],
          "wirespan.tcp.state.previous": TCP_STATES[change.oldState],
          ...(duration && { "wirespan.tcp.state.duration": duration / 1e9 }),
          ...(context.comm && {
            "wirespan.process.context.pid": context.pid,
            "wirespan.process.context.name": context.comm,
          }),
        } as never,
      });
    }

    return {
      changes: observe,
      dwells(rows) {
        for (const [key, histogram] of rows) {
          const workload = identity.workload(key.workload);
          const series = {
            ...workload.series,
            "wirespan.connection.direction": key.direction,
            "network.connection.state": TCP_STATES[key.state]!,
          };
          emit.duration.observe(seconds(histogram), series, workload.resource);
        }
      },
      overflow(rows) {
        for (const [{ value: state }, histogram] of rows) {
          if (!histogram.count) continue;
          const series = { "otel.metric.overflow": true, "network.connection.state": TCP_STATES[state]! };
          emit.duration.observe(seconds(histogram), series);
        }
      },
      sweep(rows) {
        for (const { sockets } of rows)
          for (const state of LIVING)
            emit.count.observe(sockets[state]!, {
              "network.transport": "tcp",
              "network.connection.state": TCP_STATES[state],
            });
      },
    };
  },

  trace,
});
