import assert from "node:assert/strict";
import type { Event, Metric, Sink, Span } from "../../core/plugin/signals.ts";
import { Encoder } from "../../exporters/otlp/encode/encoder.ts";
import { check, type Declared, type Rule } from "../support/conformance.ts";
import { decodeLogs, decodeMetrics, decodeTraces } from "../support/otlp-decode.ts";
import type { Export } from "../support/otlp-sink.ts";
import {
  acceptedMetric,
  acceptedSpec,
  connectionSpan,
  connectionSpec,
  dropEvent,
  dropSpec,
  instant,
  softirqMetric,
  softirqSpec,
} from "../support/telemetry.ts";

const declared: readonly Declared[] = [
  { scope: "wirespan.tcplife", signals: { connectionSpec, dropSpec, acceptedSpec, softirqSpec } },
];

/** What the real writer exports for what was emitted. */
function exported(emit: (sink: Sink) => void): Export[] {
  const encoder = new Encoder();
  const exports: Export[] = [];
  encoder.add({
    accept({ signal, bytes }) {
      if (signal === "traces") exports.push({ signal, decoded: decodeTraces(bytes) });
      else if (signal === "metrics") exports.push({ signal, decoded: decodeMetrics(bytes) });
      else exports.push({ signal, decoded: decodeLogs(bytes) });
    },
    unencodable: (_kind, _count, error) => assert.fail(String(error)),
  });
  emit(encoder);
  encoder.cut();
  return exports;
}

const rules = (emit: (sink: Sink) => void): Rule[] => [
  ...new Set(check(exported(emit), declared).map(({ rule }) => rule)),
];
const span = (change: Partial<Span>) => (sink: Sink) => sink.span({ ...connectionSpan(1), ...change });
const event = (change: Partial<Event>) => (sink: Sink) => sink.event({ ...dropEvent(1), ...change });
const metric = (change: Partial<Metric>) => (sink: Sink) =>
  sink.metrics([{ ...acceptedMetric(2), ...change }]);
const histogram = (change: object) => (sink: Sink) => {
  const base = softirqMetric();
  const point = base.points[0]!;
  sink.metrics([
    {
      ...base,
      points: [{ ...point, value: { ...(point.value as object), ...change } as typeof point.value }],
    },
  ]);
};

const { attributes } = connectionSpan(1);
const zero = new Uint8Array(16);
const with_ = (key: string, value: string | number | boolean) =>
  span({ attributes: { ...attributes, [key]: value } });

describe("conformance", () => {
  it("finds nothing wrong with what is as declared", () => {
    const findings = check(
      exported((sink) => {
        sink.span(connectionSpan(1));
        sink.event(dropEvent(1));
        sink.metrics([acceptedMetric(5), softirqMetric()]);
      }),
      declared,
    );
    assert.deepEqual(findings, []);
  });

  const faults: readonly (readonly [string, Rule, (sink: Sink) => void])[] = [
    [
      "a scope nobody declared",
      "undeclared scope",
      span({ scope: { name: "wirespan.other", version: "1" } }),
    ],
    [
      "a span nobody declared",
      "undeclared name",
      span({ spec: { ...connectionSpec, name: "tcp connections" } }),
    ],
    [
      "a metric nobody declared",
      "undeclared name",
      metric({ spec: { ...acceptedSpec, name: "wirespan.x" } }),
    ],
    ["an event nobody declared", "undeclared name", event({ spec: { ...dropSpec, name: "wirespan.x" } })],
    ["an attribute nobody declared", "undeclared attribute", with_("server.port", 1)],
    [
      "an undeclared attribute of a point",
      "undeclared attribute",
      metric({ points: [{ attributes: { "process.pid": 1 }, start: instant(1), value: 1 }] }),
    ],
    ["a number where a string is declared", "attribute type", with_("network.local.address", 10)],
    ["a string where an int is declared", "attribute type", with_("network.local.port", "80")],
    ["a fraction where an int is declared", "attribute type", with_("network.local.port", 80.5)],
    ["a value outside its enum", "value outside enum", with_("wirespan.connection.direction", "sideways")],
    ["a span that ends before it starts", "time", span({ end: { sec: 1, nsec: 0 } })],
    ["a span without a start", "time", span({ start: { sec: 0, nsec: 0 } })],
    ["an event without a time", "time", event({ time: { sec: 0, nsec: 0 } })],
    ["a point that starts after it was read", "time", metric({ time: instant(1) })],
    ["a trace id of zeros", "id", span({ traceId: zero })],
    ["a span id of zeros", "id", span({ spanId: zero.subarray(8) })],
    ["a short trace id", "id", span({ traceId: Uint8Array.of(1) })],
    ["a parent id of zeros", "id", span({ parentSpanId: zero.subarray(8) })],
    ["a span that is its own parent", "id", span({ parentSpanId: connectionSpan(1).spanId })],
    ["a link into its own trace", "id", span({ links: [connectionSpan(1)] })],
    ["a resource without service.name", "resource", span({ resource: { attributes: { "host.name": "x" } } })],
    ["another unit", "unit", metric({ spec: { ...acceptedSpec, unit: "1" } })],
    ["another description", "description", metric({ spec: { ...acceptedSpec, description: "?" } })],
    [
      "a gauge where a counter is declared",
      "kind of data",
      metric({ spec: { ...acceptedSpec, instrument: "gauge" } }),
    ],
    [
      "an updowncounter where a counter is declared",
      "kind of data",
      metric({ spec: { ...acceptedSpec, instrument: "updowncounter" } }),
    ],
    ["a histogram of another scale", "scale", histogram({ scale: 0 })],
    ["a histogram whose buckets do not add up", "count", histogram({ count: 6 })],
    ["a counter below zero", "value", metric({ points: [{ attributes: {}, start: instant(1), value: -1 }] })],
    [
      "a value that is no number",
      "value",
      metric({ points: [{ attributes: {}, start: instant(1), value: Number.NaN }] }),
    ],
    [
      "one series twice",
      "series repeated",
      metric({ points: [...acceptedMetric(1).points, ...acceptedMetric(1).points] }),
    ],
    ["another severity", "severity", event({ spec: { ...dropSpec, severity: "INFO" } })],
    ["an error without error.type", "status", span({ error: "reset" })],
    ["an error.type without an error", "status", with_("error.type", "reset")],
    ["a parent that was not sent", "parent", span({ parentSpanId: connectionSpan(2).spanId })],
  ];

  for (const [what, rule, emit] of faults) {
    it(`finds ${what}`, () => assert.deepEqual(rules(emit), [rule]));
  }

  it("reports a failure with two errors, and accepts one that its child reports", () => {
    const failed = { ...connectionSpan(1), attributes: { ...attributes, "error.type": "reset" } };
    const child = {
      ...failed,
      spanId: connectionSpan(2).spanId,
      parentSpanId: failed.spanId,
      error: "reset",
    };
    const both = (error: string | undefined) => (sink: Sink) => {
      sink.span({ ...failed, error });
      sink.span(child);
    };
    assert.deepEqual(rules(both(undefined)), []);
    assert.deepEqual(rules(both("reset")), ["status"]);
  });

  it("finds a required attribute that is missing", () => {
    const { "network.transport": _, ...rest } = attributes;
    assert.deepEqual(rules(span({ attributes: rest })), ["required attribute missing"]);
    assert.deepEqual(rules(event({ attributes: {} })), ["required attribute missing"]);
  });

  it("finds an attribute that is neither registered nor ours, even a declared one", () => {
    const own = {
      ...connectionSpec,
      attributes: { "tcp.bogus": { type: "int", requirement: "recommended", description: "" } },
    } as const;
    const findings = check(exported(span({ spec: own, attributes: { "tcp.bogus": 1 } })), [
      { scope: "wirespan.tcplife", signals: { own } },
    ]);
    assert.deepEqual(
      findings.map(({ rule, detail }) => [rule, detail]),
      [["unregistered attribute", "tcp.bogus"]],
    );
  });

  it("reports the same violation once, however often it occurs", () => {
    const many = exported((sink) => {
      for (let i = 1; i < 100; i++) sink.span({ ...connectionSpan(i), traceId: zero });
    });
    assert.equal(check(many, declared).length, 1);
  });
});
