// tcpretrans: segments sent again, and why.

import { formatAddress } from "../../core/plugin/address.ts";
import { plugin } from "../../core/plugin/plugin.ts";
import { CONNECTION, NETNS, TCP_STATE, TCP_STATES, WORKLOAD } from "../../core/plugin/semconv.ts";
import { services } from "../../core/plugin/services.ts";
import type { AttributeSpecs } from "../../core/plugin/signals.ts";
import { FAILURES, type FailureType, failureOf } from "./failure.ts";
import { type FlowKey, type Retransmit, skeleton, type Total, type TotalKey } from "./tcpretrans.skel.ts";
import { trace } from "./trace.ts";

const TYPE = {
  "wirespan.tcp.retransmit.type": {
    type: "string",
    requirement: "required",
    enum: ["rto", "tlp", "fast", "slow_start", "syn", "synack"],
    usual: "each",
    description:
      "What made TCP retransmit: a timeout; a tail loss probe; recovery (duplicate or selective acknowledgements, RACK); acknowledgements that come in again after a timeout; a handshake's unanswered SYN or SYN-ACK.",
  },
} as const satisfies AttributeSpecs;

const FAILURE = {
  "error.type": {
    type: "string",
    requirement: "conditional",
    enum: FAILURES,
    description:
      "Why the segment did not leave the host; absent if it did. Kernels before 6.18 report only segments that left.",
  },
} as const satisfies AttributeSpecs;

const SERIES = { ...WORKLOAD, ...TYPE, ...TCP_STATE } as const satisfies AttributeSpecs;

const EVENT = {
  ...CONNECTION,
  ...TYPE,
  ...TCP_STATE,
  ...FAILURE,
  "wirespan.tcp.sequence": {
    type: "int",
    requirement: "recommended",
    description: "The segment's sequence number, as on the wire.",
  },
  "wirespan.tcp.flags": {
    type: "int",
    requirement: "recommended",
    description: "The segment's TCP flags, as in its header.",
  },
  "wirespan.tcp.segments": {
    type: "int",
    requirement: "required",
    description: "Segments on the wire; 0 if the attempt failed before there was one.",
  },
  "wirespan.tcp.bytes": { type: "int", requirement: "required", description: "Payload in them." },
  "network.interface.name": {
    type: "string",
    requirement: "conditional",
    description:
      "The interface that the connection's route leads to; absent for a SYN-ACK, and if there is no route.",
  },
  "wirespan.interface.index": {
    type: "int",
    requirement: "conditional",
    description: "The interface's index, as `ip link` shows it.",
  },
  "wirespan.tcp.cwnd": {
    type: "int",
    requirement: "conditional",
    description: "Congestion window, segments; absent in a handshake, and while it is still the initial one.",
  },
  "wirespan.tcp.rtt.smoothed": {
    type: "double",
    requirement: "conditional",
    description:
      "Smoothed round-trip time, seconds; absent if only a handshake with retransmissions was measured, or nothing.",
  },
  "wirespan.event.suppressed": {
    type: "int",
    requirement: "conditional",
    description:
      "Retransmissions of this type since the last event that exceeded `eventRate` and have no event of their own.",
  },
} as const satisfies AttributeSpecs;

export default plugin({
  name: "tcpretrans",
  summary: "TCP segments retransmitted: whose, what made TCP do it, and how much it cost.",

  config: {
    eventRate: {
      doc: "Events a second for each type, and as many in one burst; 0: none. Those beyond are counted as suppressed.",
      format: "count",
      default: 10,
    },
    flows: {
      doc: "Count retransmissions also by connection (wirespan.tcp.flow.retransmits).",
      format: "boolean",
      default: false,
    },
  },

  skeleton,
  probes: {
    retransmissions: { programs: [{ program: "on_attempt", args: 3 }, "on_retransmit"] },
    "retransmissions, in packets that interrupt the first": {
      programs: [{ program: "on_attempt_nested", args: 3 }, "on_retransmit_nested"],
    },
    "retransmitted SYN-ACKs": { programs: ["on_synack"] },
  },
  uses: {
    connections: services.connections,
    identity: services.identity,
    namespaces: services.namespaces,
    clock: services.clock,
  },

  signals: {
    retransmits: {
      signal: "metric",
      instrument: "counter",
      name: "wirespan.tcp.retransmits",
      unit: "{segment}",
      description: "Segments retransmitted: what RetransSegs counts.",
      attributes: { ...SERIES, ...FAILURE },
    },
    io: {
      signal: "metric",
      instrument: "counter",
      name: "wirespan.tcp.retransmit.io",
      unit: "By",
      description: "Payload retransmitted.",
      attributes: SERIES,
    },
    failures: {
      signal: "metric",
      instrument: "counter",
      name: "wirespan.tcp.retransmit.failures",
      unit: "{attempt}",
      description: "Retransmissions that failed on this host, with or without a segment.",
      attributes: { ...SERIES, "error.type": { ...FAILURE["error.type"], usual: "each" } },
    },
    flows: {
      signal: "metric",
      instrument: "counter",
      name: "wirespan.tcp.flow.retransmits",
      unit: "{segment}",
      description: "Segments retransmitted, by connection (setting `flows`).",
      attributes: {
        "process.executable.name": WORKLOAD["process.executable.name"],
        "network.type": CONNECTION["network.type"],
        "network.local.address": CONNECTION["network.local.address"],
        "network.local.port": CONNECTION["network.local.port"],
        "network.peer.address": CONNECTION["network.peer.address"],
        "network.peer.port": CONNECTION["network.peer.port"],
        ...NETNS,
        "otel.metric.overflow": WORKLOAD["otel.metric.overflow"],
      },
    },
    retransmit: {
      signal: "event",
      name: "wirespan.tcp.retransmit",
      severity: "INFO",
      description: "An attempt to retransmit a segment.",
      attributes: EVENT,
    },
  },

  series: ({ flows }) => (flows ? {} : { flows: 0 }),
  constants: ({ eventRate, flows }) => ({ event_rate: eventRate, count_flows: flows ? 1 : 0 }),

  start({ emit, use: { connections, identity, clock, namespaces } }) {
    function observe(key: TotalKey | undefined, total: Total): void {
      const workload = key && identity.workload(key.workload);
      const resource = workload?.resource;
      const series = key
        ? ({
            ...workload?.series,
            "network.type": networkType(key.family),
            "wirespan.connection.direction": key.direction,
            "wirespan.tcp.retransmit.type": key.type,
            "network.connection.state": TCP_STATES[key.state],
          } as const)
        : ({ "otel.metric.overflow": true, "wirespan.tcp.retransmit.type": "rto" } as const);
      const error: FailureType | undefined = key && failureOf(key.error);
      const failed = { ...series, "error.type": error };
      if (error) emit.failures.observe(total.attempts, failed, resource);
      if (!total.segments) return;
      emit.retransmits.observe(total.segments, failed, resource);
      if (!error) emit.io.observe(total.bytes, series, resource);
    }

    return {
      totals(rows) {
        for (const [key, total] of rows) observe(key, total);
      },
      flows(rows) {
        for (const [key, { segments }] of rows) {
          const { resource, series } = identity.workload(key.workload);
          const namespace = namespaces.attributes(key.netnsCookie, key.netns);
          emit.flows.observe(segments, { ...series, ...flowOf(key), ...namespace }, resource);
        }
      },
      overflow(rows) {
        for (const [key, total] of rows) {
          if (!total.attempts) continue;
          if (key.value === 0) observe(undefined, total);
          else emit.flows.observe(total.segments, { "otel.metric.overflow": true });
        }
      },
      retransmits(record) {
        const { connection, happenedAt } = record;
        const { conn } = connection;
        // A SYN's span has other ids if the other side answers than if it does not.
        const hasIds = conn.ownIsn !== 0 || conn.peerIsn !== 0;
        emit.retransmit({
          time: clock.wall(happenedAt),
          resource: connections.resource(conn.owner),
          ...(hasIds && { context: { traceId: connection.traceId, spanId: connection.spanId } }),
          attributes: { ...connections.attributes(connection), ...attributesOf(record) } as never,
        });
      },
    };
  },

  trace,
});

function networkType(family: number): "ipv4" | "ipv6" | undefined {
  return family === 4 ? "ipv4" : family === 6 ? "ipv6" : undefined;
}

function flowOf({ ends }: FlowKey) {
  const family = networkType(ends.family) ?? "ipv4";
  return {
    "network.type": family,
    "network.local.address": formatAddress(ends.local, family),
    "network.local.port": ends.localPort,
    "network.peer.address": formatAddress(ends.peer, family),
    "network.peer.port": ends.peerPort,
  };
}

function attributesOf({ attempt, connection: { traffic }, suppressed }: Retransmit) {
  return {
    "wirespan.tcp.retransmit.type": attempt.type,
    "network.connection.state": TCP_STATES[attempt.state],
    "error.type": failureOf(attempt.error),
    "wirespan.tcp.sequence": attempt.sequence,
    "wirespan.tcp.flags": attempt.flags & 0xff,
    "wirespan.tcp.segments": attempt.segments,
    "wirespan.tcp.bytes": attempt.bytes,
    "network.interface.name": attempt.interface || undefined,
    "wirespan.interface.index": attempt.ifindex || undefined,
    ...(traffic.cwnd && { "wirespan.tcp.cwnd": traffic.cwnd }),
    ...(traffic.srttUs && { "wirespan.tcp.rtt.smoothed": traffic.srttUs / 1e6 }),
    ...(suppressed && { "wirespan.event.suppressed": suppressed }),
  };
}
