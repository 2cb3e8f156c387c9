// tcpaccept: accepted connections, those that were never accepted, and failed calls.
import { ConnRecordCursor, isStartKnown } from "../../core/plugin/connection.ts";
import { seconds } from "../../core/plugin/histogram.ts";
import { ACCEPT_PROBES, ACCEPT_SETTING, FAILED_ACCEPT_PROBES } from "../../core/plugin/hooks/accept.ts";
import { plugin } from "../../core/plugin/plugin.ts";
import { services } from "../../core/plugin/services.ts";
import { nested, values, without } from "../../core/plugin/values.ts";
import { acceptErrorOf, FAILED, HANDSHAKE, signals } from "./signals.ts";
import { FailedAcceptCursor, skeleton } from "./tcpaccept.skel.ts";
import { trace } from "./trace.ts";

const handshake = values(ConnRecordCursor, HANDSHAKE, {
  "wirespan.tcp.synack.retransmits": { from: "conn.handshakeRetransmits" },
  "wirespan.tcp.fastopen": { from: "conn.fastopen", nonZero: true },
});

const failed = values(FailedAcceptCursor, FAILED, {
  "error.type": { by: ({ conn }) => acceptErrorOf(conn.error) },
  "wirespan.errno": { from: "conn.error" },
  "wirespan.event.suppressed": { from: "suppressed", nonZero: true },
});

export default plugin({
  name: "tcpaccept",
  summary:
    "Accepted connections: the process that accepted each, its time in the accept queue; connections never accepted, and accept() errors.",

  config: {
    acceptHook: ACCEPT_SETTING,
    queued: {
      doc: "Also report connections that ended in the accept queue before accept() returned them.",
      format: "boolean",
      default: true,
    },
    eventRate: {
      doc: "Events per second for each error of accept(), also the size of a burst; 0: none. Further errors are counted as suppressed.",
      format: "count",
      default: 10,
    },
  },

  skeleton,
  probes: {
    ...ACCEPT_PROBES,
    ...FAILED_ACCEPT_PROBES,
    "ends in the accept queue": { programs: ["on_end_in_queue"] },
  },
  uses: {
    connections: services.connections,
    series: services.series,
    clock: services.clock,
    exemplars: services.exemplars,
  },
  spans: { accept: HANDSHAKE },
  signals,
  constants: ({ queued, eventRate }) => ({ count_queued: queued, event_rate: eventRate }),

  start({ emit, use: { connections, series, clock, exemplars } }) {
    // A listener has no peer.
    const listener = without(connections.values, "network.peer.address", "network.peer.port");
    const failure = nested(FailedAcceptCursor, "conn", listener).and(failed);

    return {
      accepts(rows) {
        for (const [key, { connections: count, duration: sum }] of rows) {
          const { attributes, resource } = series(key, "inbound");
          const row = exemplars.row(key.workload, key.family, key.queued);
          const duration = seconds(sum, row.of("duration"));
          if (!key.queued) emit.accepted.observe(count, attributes, resource);
          const error = key.queued ? "never_accepted" : undefined;
          if (duration.count)
            emit.duration.observe(duration, { ...attributes, "error.type": error }, resource);
        }
      },
      accepts_overflow(rows) {
        for (const [{ value: queued }, { connections: count, duration }] of rows) {
          if (count && !queued) emit.accepted.overflow(count);
          if (duration.count) emit.duration.overflow(seconds(duration));
        }
      },
      failures(rows) {
        for (const [key, { calls }] of rows) {
          const { attributes, resource } = series(key, "inbound");
          emit.failures.observe(calls, { ...attributes, "error.type": acceptErrorOf(key.error) }, resource);
        }
      },
      failures_overflow(rows) {
        for (const [, { calls }] of rows) if (calls) emit.failures.overflow(calls);
      },
      failed_accepts(record) {
        const { conn } = record;
        emit.failure({
          time: clock.wall(conn.openedAt),
          resource: connections.resource(conn.owner),
          attributes: failure.of(record),
        });
      },
      enrich: { accept: handshake },
      exemplify: {
        accept({ conn }, span) {
          const workload = connections.workload(conn.owner);
          const row = exemplars.row(workload, conn.ends.family, Number(conn.queued));
          const endedAt = conn.acceptedAt || conn.closedAt;
          if (isStartKnown(conn)) row.offer("duration", endedAt - conn.openedAt, endedAt, span);
        },
      },
    };
  },

  trace,
});
