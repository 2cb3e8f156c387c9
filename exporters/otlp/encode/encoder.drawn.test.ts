// The encoder's output for anything that a plugin may emit, decoded again.
import assert from "node:assert/strict";
import fc from "fast-check";
import type {
  AttributeType,
  AttributeValue,
  EventSpec,
  Metric,
  MetricSpec,
  Span,
  SpanSpec,
} from "../../../core/plugin/signals.ts";
import { collect, decodedLogs, decodedMetrics, hex, nanos } from "../../../test/support/encoded.ts";
import { decodeTraces } from "../../../test/support/otlp-decode.ts";

const anyText = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.string({ minLength: 90, maxLength: 300 }),
  fc.string({ unit: "grapheme", minLength: 5000, maxLength: 6000 }),
);
const anyInt = fc.oneof(fc.integer(), fc.maxSafeInteger(), fc.integer({ min: -129, max: 129 }));
const arbitraryOf: Readonly<Record<AttributeType, fc.Arbitrary<AttributeValue>>> = {
  string: anyText,
  int: anyInt,
  double: fc.double({ noNaN: true }),
  boolean: fc.boolean(),
  "string[]": fc.array(anyText, { maxLength: 4 }),
};
const anyKey = fc.oneof(
  fc.stringMatching(/^[a-z][a-z_]{0,20}(\.[a-z_]{1,20}){1,3}$/),
  fc.stringMatching(/^[a-z]{85,140}$/),
  fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }),
);

interface Drawn {
  readonly key: string;
  readonly type: AttributeType;
  readonly value: AttributeValue | undefined;
}

const anyAttributes = fc
  .uniqueArray(
    fc.record({ key: anyKey, type: fc.constantFrom(...(Object.keys(arbitraryOf) as AttributeType[])) }),
    { selector: ({ key }) => key, maxLength: 25 },
  )
  .filter((drawn) => drawn.every(({ key }) => key !== "__proto__"))
  .chain((drawn) =>
    fc.tuple(
      ...drawn.map(({ key, type }) =>
        fc.record({
          key: fc.constant(key),
          type: fc.constant(type),
          value: fc.option(arbitraryOf[type], { nil: undefined }),
        }),
      ),
    ),
  );

const specsOf = (drawn: readonly Drawn[]) =>
  Object.fromEntries(
    drawn.map(({ key, type }) => [key, { type, requirement: "recommended", description: "" } as const]),
  );
const valuesOf = (drawn: readonly Drawn[]) => Object.fromEntries(drawn.map(({ key, value }) => [key, value]));

function assertAttributes(
  actual: { attributes: object; types: Readonly<Record<string, string>>; repeated: readonly string[] },
  drawn: readonly Drawn[],
): void {
  const given = drawn.filter(({ value }) => value !== undefined);
  assert.deepEqual(actual.repeated, []);
  assert.deepEqual(
    Object.entries(actual.attributes).sort(),
    given
      .map(({ key, value }) => [key, Object.is(value, -0) && actual.types[key] === "int" ? 0 : value])
      .sort(),
  );
  for (const { key, type } of given) assert.equal(actual.types[key], type, key);
}

const anyTime = fc.record({
  sec: fc.integer({ min: 0, max: 18_446_744_072 }),
  nsec: fc.integer({ min: 0, max: 999_999_999 }),
});
const anyInstant = anyTime.map((time) => ({ ...time, bootNs: 0 }));
const idOf = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const anyContext = fc.record({ traceId: idOf(16), spanId: idOf(8) });
const anyScope = fc.record({ name: anyText, version: fc.string() });

describe("OTLP encoder, given anything", () => {
  it("writes spans that decode to the input", () => {
    const anySpan = fc.record({
      name: anyText,
      drawn: anyAttributes,
      context: anyContext,
      parent: fc.option(idOf(8), { nil: undefined }),
      remote: fc.boolean(),
      state: fc.option(fc.stringMatching(/^[a-z]{2}=th:[0-9a-f]{1,300}$/), { nil: undefined }),
      kind: fc.constantFrom("internal", "client", "server"),
      start: anyTime,
      end: anyTime,
      links: fc.array(anyContext, { maxLength: 40 }),
      error: fc.option(anyText, { nil: undefined }),
      scope: anyScope,
    });
    fc.assert(
      fc.property(anySpan, (s) => {
        const spec: SpanSpec = {
          signal: "span",
          name: s.name,
          description: "",
          attributes: specsOf(s.drawn),
        };
        const span: Span = {
          ...s.context,
          spec,
          scope: s.scope,
          resource: { attributes: { "service.name": "x", "a.b": 7, list: ["ä", "b"] } },
          parentSpanId: s.parent,
          parentIsRemote: s.remote,
          traceState: s.state,
          kind: s.kind,
          start: s.start,
          end: s.end,
          attributes: valuesOf(s.drawn),
          links: s.links,
          error: s.error,
        };
        const [batch] = collect((encoder) => encoder.span(span));
        const decoded = decodeTraces(batch!.bytes);
        const [group] = decoded.resourceSpans;
        assert.deepEqual(group!.resource.attributes, { "service.name": "x", "a.b": 7, list: ["ä", "b"] });
        assert.equal(group!.schemaUrl, "https://opentelemetry.io/schemas/1.45.0");
        assert.equal(group!.scopeSpans[0]!.schemaUrl, "https://opentelemetry.io/schemas/1.45.0");
        assert.equal(group!.scopeSpans[0]!.scope.name, s.scope.name);
        assert.equal(group!.scopeSpans[0]!.scope.version, s.scope.version);
        const [actual] = group!.scopeSpans[0]!.spans;
        assert.equal(actual!.traceId, hex(s.context.traceId));
        assert.equal(actual!.spanId, hex(s.context.spanId));
        assert.equal(actual!.parentSpanId, hex(s.parent));
        assert.equal(actual!.traceState, s.state ?? "");
        assert.equal(actual!.name, s.name);
        assert.equal(actual!.kind, { internal: 1, server: 2, client: 3 }[s.kind]);
        assert.equal(actual!.startTimeUnixNano, nanos(s.start));
        assert.equal(actual!.endTimeUnixNano, nanos(s.end));
        assert.equal(actual!.flags, s.remote && s.parent ? 0x301 : 0x101);
        assert.deepEqual(actual!.status, s.error === undefined ? undefined : { code: 2, message: s.error });
        assert.deepEqual(
          actual!.links.map(({ traceId, spanId }) => [traceId, spanId]),
          s.links.map(({ traceId, spanId }) => [hex(traceId), hex(spanId)]),
        );
        assertAttributes(actual!, s.drawn);
      }),
      { numRuns: 300 },
    );
  });

  it("writes events that decode to the input", () => {
    const anyEvent = fc.record({
      name: anyText,
      severity: fc.constantFrom("DEBUG", "INFO", "WARN", "ERROR"),
      drawn: anyAttributes,
      context: fc.option(anyContext, { nil: undefined }),
      time: anyTime,
      body: fc.option(anyText, { nil: undefined }),
      scope: anyScope,
    });
    fc.assert(
      fc.property(anyEvent, ({ name, severity, drawn, context, time, body, scope }) => {
        const spec: EventSpec = {
          signal: "event",
          name,
          severity,
          description: "",
          attributes: specsOf(drawn),
        };
        const resource = { attributes: { "service.name": "x" } };
        const event = { spec, scope, resource, time, attributes: valuesOf(drawn), context };
        const [actual] = decodedLogs(
          collect((encoder) => encoder.event(body === undefined ? event : { ...event, body })),
        );
        assert.equal(actual!.eventName, name);
        assert.equal(actual!.severityNumber, { DEBUG: 5, INFO: 9, WARN: 13, ERROR: 17 }[severity]);
        assert.equal(actual!.timeUnixNano, nanos(time));
        assert.equal(actual!.observedTimeUnixNano, nanos(time));
        assert.equal(actual!.body, body);
        assert.equal(actual!.traceId, hex(context?.traceId));
        assert.equal(actual!.spanId, hex(context?.spanId));
        assertAttributes(actual!, drawn);
      }),
      { numRuns: 200 },
    );
  });

  it("writes metrics that decode to the input", () => {
    const count = fc.nat({ max: Number.MAX_SAFE_INTEGER });
    const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
    const anyHistogram = fc.record(
      {
        count,
        sum: finite,
        scale: fc.integer({ min: -10, max: 20 }),
        zeroCount: count,
        zeroThreshold: fc.double({ min: 0, max: 1, noNaN: true }),
        offset: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        counts: fc.array(count, { maxLength: 300 }),
        min: finite,
        max: finite,
        exemplar: fc.record({ value: finite, time: anyTime, traceId: idOf(16), spanId: idOf(8) }),
      },
      { requiredKeys: ["count", "sum", "scale", "zeroCount", "offset", "counts"] },
    );
    const anyMetric = fc.record({
      instrument: fc.constantFrom("counter", "updowncounter", "gauge", "histogram"),
      name: anyText,
      unit: fc.constantFrom("s", "By", "{connection}", "1", ""),
      description: anyText,
      points: fc.array(
        fc.record({
          drawn: anyAttributes,
          start: anyInstant,
          number: fc.oneof(anyInt, finite),
          histogram: anyHistogram,
        }),
        { maxLength: 5, minLength: 1 },
      ),
      time: anyInstant,
    });
    fc.assert(
      fc.property(anyMetric, ({ instrument, name, unit, description, points, time }) => {
        const attributes = Object.assign({}, ...points.map(({ drawn }) => specsOf(drawn)));
        // A key has one type in a spec: a point keeps only the attributes that were declared last.
        const kept = points.map((p) => ({
          ...p,
          drawn: p.drawn.filter(({ key, type }) => attributes[key].type === type),
        }));
        const spec: MetricSpec = { signal: "metric", instrument, name, unit, description, attributes };
        const isHistogram = instrument === "histogram";
        const metric: Metric = {
          spec,
          scope: { name: "s", version: "1" },
          resource: { attributes: {} },
          time,
          points: kept.map(({ drawn, start, number, histogram }) => ({
            attributes: valuesOf(drawn),
            start,
            value: isHistogram ? histogram : number,
          })),
        };
        const [actual] = decodedMetrics(collect((encoder) => encoder.metrics([metric])));
        assert.deepEqual([actual!.name, actual!.unit, actual!.description], [name, unit, description]);
        if (isHistogram) {
          const { dataPoints, aggregationTemporality } = actual!.exponentialHistogram!;
          assert.equal(aggregationTemporality, 2);
          kept.forEach(({ drawn, start, histogram }, i) => {
            const point = dataPoints[i]!;
            assert.deepEqual(
              [point.startTimeUnixNano, point.timeUnixNano, point.count, point.zeroCount],
              [nanos(start), nanos(time), BigInt(histogram.count), BigInt(histogram.zeroCount)],
            );
            assert.deepEqual(
              [point.sum, point.scale, point.min, point.max, point.zeroThreshold],
              [histogram.sum, histogram.scale, histogram.min, histogram.max, histogram.zeroThreshold ?? 0],
            );
            assert.deepEqual(point.positive, {
              offset: histogram.offset,
              bucketCounts: histogram.counts.map(BigInt),
            });
            assert.deepEqual(
              point.exemplars.map((e) => [e.asDouble, e.timeUnixNano, e.traceId, e.spanId]),
              [histogram.exemplar ?? []]
                .flat()
                .map(({ value, time, traceId, spanId }) => [value, nanos(time), hex(traceId), hex(spanId)]),
            );
            assertAttributes(point, drawn);
          });
          return;
        }
        const data = instrument === "gauge" ? actual!.gauge! : actual!.sum!;
        if (instrument !== "gauge") {
          assert.equal(actual!.sum!.aggregationTemporality, 2);
          assert.equal(actual!.sum!.isMonotonic, instrument === "counter");
        }
        kept.forEach(({ drawn, start, number }, i) => {
          const point = data.dataPoints[i]!;
          const counts = unit === "By" || unit.startsWith("{");
          const whole = counts && Number.isInteger(number) && number >= -(2 ** 63) && number < 2 ** 63;
          assert.equal(point.startTimeUnixNano, nanos(start));
          assert.equal(point.timeUnixNano, nanos(time));
          assert.equal(whole ? point.asInt : point.asDouble, whole ? BigInt(number) : number);
          assertAttributes(point, drawn);
        });
      }),
      { numRuns: 200 },
    );
  });
});
