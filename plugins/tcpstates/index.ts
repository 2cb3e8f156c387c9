// tcpstates: the states of TCP sockets.
import { ConnRecordCursor } from "../../core/plugin/connection.ts";
import { seconds } from "../../core/plugin/histogram.ts";
import { plugin } from "../../core/plugin/plugin.ts";
import { TCP_STATES } from "../../core/plugin/semconv.ts";
import { services } from "../../core/plugin/services.ts";
import { nested, values } from "../../core/plugin/values.ts";
import { LIVING, STATES, signals } from "./signals.ts";
import { ChangeCursor, skeleton } from "./tcpstates.skel.ts";
import { trace } from "./trace.ts";

const LISTEN = 10;

const change = values(ChangeCursor, STATES, {
  "network.connection.state": { from: "newState", names: TCP_STATES },
  "wirespan.tcp.state.previous": { from: "oldState", names: TCP_STATES },
  "wirespan.tcp.state.duration": { from: "duration", per: 1e9, when: "duration" },
  "wirespan.process.context.pid": { by: ({ context }) => (context.comm ? context.pid : undefined) },
  "wirespan.process.context.name": { from: "context.comm", nonZero: true },
});

export default plugin({
  name: "tcpstates",
  summary: "The states of TCP sockets: how long each lasts, how many sockets are in each, and every change.",

  config: {
    events: {
      doc: "Report each change of state as an event: about ten for each connection.",
      format: "boolean",
      default: false,
    },
  },

  skeleton,
  probes: { "changes of state": { programs: ["on_change"] } },
  uses: { connections: services.connections, series: services.series, clock: services.clock },
  signals,
  constants: ({ events }) => ({ events }),

  start({ emit, use: { connections, series, clock } }) {
    const connection = nested(ConnRecordCursor, "conn", connections.values);
    const attributes = nested(ChangeCursor, "connection", connection).and(change);

    return {
      changes(record) {
        const { connection, changedAt, oldState, newState } = record;
        const { conn } = connection;
        // A listener has no span.
        const listens = conn.direction === "unknown" && (oldState === LISTEN || newState === LISTEN);
        emit.change({
          time: clock.wall(changedAt),
          resource: connections.resource(conn.owner),
          ...(!listens && { context: { traceId: connection.traceId, spanId: connection.spanId } }),
          attributes: attributes.of(record),
        });
      },
      dwells(rows) {
        for (const [key, histogram] of rows) {
          const { attributes, resource } = series({ workload: key.workload }, key.direction);
          const state = { "network.connection.state": TCP_STATES[key.state]! };
          emit.duration.observe(seconds(histogram), { ...attributes, ...state }, resource);
        }
      },
      dwells_overflow(rows) {
        for (const [, histogram] of rows) if (histogram.count) emit.duration.overflow(seconds(histogram));
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
