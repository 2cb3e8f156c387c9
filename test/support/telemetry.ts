// Spans, events and metrics like those of plugins, for tests and benches of exporters.
import type {
  Event,
  EventSpec,
  Instant,
  Metric,
  MetricSpec,
  Resource,
  Scope,
  Span,
  SpanSpec,
} from "../../core/plugin/signals.ts";

/** An instant at which the boot clock and the wall clock agree. */
export const instant = (sec: number, nsec = 0): Instant => ({ sec, nsec, bootNs: sec * 1e9 + nsec });

const recommended = "recommended" as const;
const text = { type: "string", requirement: recommended, description: "" } as const;
const int = { type: "int", requirement: recommended, description: "" } as const;
const double = { type: "double", requirement: recommended, description: "" } as const;

export const connectionSpec = {
  signal: "span",
  name: "tcp connection",
  description: "A TCP connection.",
  attributes: {
    "network.transport": { ...text, requirement: "required", enum: ["tcp"] },
    "network.type": { ...text, requirement: "required", enum: ["ipv4", "ipv6"] },
    "network.local.address": text,
    "network.local.port": int,
    "network.peer.address": text,
    "network.peer.port": int,
    "process.pid": int,
    "process.executable.name": text,
    "thread.name": text,
    "wirespan.connection.direction": { ...text, enum: ["inbound", "outbound", "unknown"] },
    "wirespan.connection.id": text,
    "wirespan.tcp.bytes_sent": int,
    "wirespan.tcp.bytes_received": int,
    "wirespan.tcp.segments_sent": int,
    "wirespan.tcp.segments_received": int,
    "wirespan.tcp.retransmits": int,
    "wirespan.tcp.rtt.smoothed": double,
    "wirespan.tcp.rtt.min": double,
    "wirespan.tcp.cwnd": int,
    "wirespan.tcp.close.reason": text,
    "error.type": text,
  },
} as const satisfies SpanSpec;

export const dropSpec = {
  signal: "event",
  name: "wirespan.tcp.packet.drop",
  severity: "WARN",
  description: "A dropped packet.",
  attributes: { "wirespan.packet.drop.reason": { ...text, requirement: "required" } },
} as const satisfies EventSpec;

export const acceptedSpec = {
  signal: "metric",
  instrument: "counter",
  name: "wirespan.tcp.connection.accepted",
  unit: "{connection}",
  description: "Accepted connections.",
  attributes: { "server.port": int },
} as const satisfies MetricSpec;

export const softirqSpec = {
  signal: "metric",
  instrument: "histogram",
  name: "wirespan.softirq.duration",
  unit: "s",
  description: "Time in softirq handlers.",
  attributes: { "wirespan.softirq.vector": text },
} as const satisfies MetricSpec;

export const scope: Scope = { name: "wirespan.tcplife", version: "0.2.0" };
export const resource: Resource = { attributes: { "service.name": "curl", "host.name": "here" } };

/** Span number `i`, whose number is also in its ids. */
export function connectionSpan(i: number, of: Resource = resource): Span {
  const traceId = new Uint8Array(16);
  const spanId = new Uint8Array(8);
  new DataView(traceId.buffer).setUint32(0, 1);
  new DataView(traceId.buffer).setUint32(12, i);
  new DataView(spanId.buffer).setUint32(0, 1);
  new DataView(spanId.buffer).setUint32(4, i);
  return {
    spec: connectionSpec,
    scope,
    resource: of,
    traceId,
    spanId,
    kind: "internal",
    start: { sec: 1_790_000_000, nsec: i % 1e9 },
    end: { sec: 1_790_000_001, nsec: (i * 7) % 1e9 },
    attributes: {
      "network.transport": "tcp",
      "network.type": "ipv4",
      "network.local.address": "10.0.0.1",
      "network.local.port": 32_768 + (i % 28_000),
      "network.peer.address": "10.0.0.2",
      "network.peer.port": 443,
      "process.pid": 1000 + (i % 30_000),
      "process.executable.name": "curl",
      "thread.name": "curl",
      "wirespan.connection.direction": "outbound",
      "wirespan.connection.id": (0x10_0000_0000 + i).toString(16),
      "wirespan.tcp.bytes_sent": i * 3,
      "wirespan.tcp.bytes_received": i * 1001,
      "wirespan.tcp.segments_sent": i % 100,
      "wirespan.tcp.segments_received": i % 1000,
      "wirespan.tcp.retransmits": 0,
      "wirespan.tcp.rtt.smoothed": 0.000_123,
      "wirespan.tcp.rtt.min": 0.000_1,
      "wirespan.tcp.cwnd": 10,
      "wirespan.tcp.close.reason": "fin_local",
    },
  };
}

/** The number that `connectionSpan` put into a span, from the decoded id. */
export function numberOf(spanIdHex: string): number {
  return Number.parseInt(spanIdHex.slice(8), 16);
}

export function dropEvent(i: number): Event {
  return {
    spec: dropSpec,
    scope,
    resource,
    time: { sec: 1_790_000_000, nsec: i % 1e9 },
    attributes: { "wirespan.packet.drop.reason": `REASON_${i}` },
  };
}

/** One collection: a counter with `series` points. */
export function acceptedMetric(series: number, value = 1): Metric {
  return {
    spec: acceptedSpec,
    scope,
    resource,
    time: instant(1_790_000_010, 5),
    points: Array.from({ length: series }, (_, port) => ({
      attributes: { "server.port": port },
      start: instant(1_790_000_000, 1),
      value,
    })),
  };
}

export function softirqMetric(): Metric {
  return {
    spec: softirqSpec,
    scope,
    resource,
    time: instant(1_790_000_010, 5),
    points: [
      {
        attributes: { "wirespan.softirq.vector": "net_rx" },
        start: instant(1_790_000_000, 1),
        value: {
          count: 5,
          sum: 0.25,
          scale: 3,
          zeroCount: 1,
          offset: -80,
          counts: [1, 0, 3],
          min: 0,
          max: 0.1,
        },
      },
    ],
  };
}
