import assert from "node:assert/strict";
import { createRequire } from "node:module";
import type { Metric, Span } from "../../../core/plugin/signals.ts";
import { collect, decodedMetrics, decodedSpans, hex, nanos } from "../../../test/support/encoded.ts";
import { type DecodedSpan, decodeTraces } from "../../../test/support/otlp-decode.ts";
import { connectionSpan } from "../../../test/support/telemetry.ts";
import type { Batch } from "./batch.ts";
import { Encoder } from "./encoder.ts";

describe("OTLP encoder", () => {
  for (const [instrument, data] of [
    ["gauge", "gauge"],
    ["updowncounter", "sum"],
    ["counter", "sum"],
    ["histogram", "exponentialHistogram"],
    ["histogram", "histogram"],
  ] as const) {
    it(`ends a series of a ${instrument} with a point that has no value: ${data}`, () => {
      const attributes = { port: { type: "int", requirement: "required", description: "" } } as const;
      const about = { signal: "metric", name: "m", unit: "s", description: "" } as const;
      const spec = { ...about, instrument, attributes };
      const time = { sec: 7, nsec: 1, bootNs: 7 };
      const common = { spec, scope: { name: "s", version: "1" }, resource: { attributes: {} }, time };
      const metric: Metric = { ...common, points: [], ended: [{ port: 80 }, { port: 443 }] };
      for (const temporality of ["cumulative", "delta"] as const) {
        const encoder = new Encoder();
        const batches: Batch[] = [];
        const unencodable = () => assert.fail();
        const histograms = data === "histogram" ? "explicit" : "exponential";
        encoder.add({ accept: (batch) => batches.push(batch), unencodable }, undefined, {
          temporality,
          histograms,
        });
        encoder.metrics([metric]);
        if (temporality === "delta" && (instrument === "counter" || instrument === "histogram")) {
          assert.deepEqual(batches, [], "deltas end by themselves");
          continue;
        }
        assert.equal(batches[0]!.count, 2);
        const [decoded] = decodedMetrics(batches);
        assert.deepEqual(decoded![data]!.dataPoints, []);
        const ends = decoded!.ended.map((end) => [end.attributes.port, end.timeUnixNano]);
        assert.deepEqual(ends, [
          [80, nanos(time)],
          [443, nanos(time)],
        ]);
      }
    });
  }

  it("loses only what cannot be encoded", () => {
    const encoder = new Encoder();
    const batches: Batch[] = [];
    const refused: unknown[] = [];
    encoder.add({
      accept: (batch) => batches.push(batch),
      unencodable: (...what) => refused.push(what.slice(0, 2)),
    });
    encoder.span(connectionSpan(1));
    const broken = { ...connectionSpan(2), traceId: undefined } as unknown as Span;
    encoder.span(broken);
    encoder.span(connectionSpan(3));
    encoder.cut();
    assert.deepEqual(refused, [["span", 1]]);
    assert.deepEqual(
      decodedSpans(batches).map(({ spanId }) => spanId),
      [1, 3].map((i) => hex(connectionSpan(i).spanId)),
    );
  });

  it("writes an int attribute that is not an integer as a double", () => {
    const span = {
      ...connectionSpan(1),
      attributes: { "process.pid": 1.5, "network.peer.port": Number.NaN },
    };
    const [decoded] = decodedSpans(collect((encoder) => encoder.span(span)));
    assert.deepEqual(decoded!.types, { "process.pid": "double", "network.peer.port": "double" });
    assert.deepEqual(decoded!.attributes, { "process.pid": 1.5, "network.peer.port": Number.NaN });
  });

  it("agrees with the SDK's serializer, span by span", () => {
    // otlp-transformer is a dependency of the SDK's exporter: resolved from there, not from here.
    const sdk = createRequire(
      createRequire(import.meta.url).resolve("@opentelemetry/exporter-trace-otlp-grpc"),
    );
    const { ProtobufTraceSerializer } = sdk("@opentelemetry/otlp-transformer");
    const { resourceFromAttributes } = sdk("@opentelemetry/resources");
    const context = { traceId: "0123456789abcdef0123456789abcdef", spanId: "0123456789abcdef" };
    const cases = [0, 1, 2, 3].map((i) => {
      const span = connectionSpan(1 + i * 12_345_678);
      const error = i === 2 ? { error: "connection_reset" } : {};
      const parentSpanId = i > 0 ? Uint8Array.of(1, 2, 3, 4, 5, 6, 7, i) : undefined;
      const link = {
        traceId: Buffer.from(context.traceId, "hex"),
        spanId: Buffer.from(context.spanId, "hex"),
      };
      return { ...span, ...error, parentSpanId, parentIsRemote: i === 3, links: i === 1 ? [link] : [] };
    });
    const readable = cases.map((span) => ({
      name: span.spec.name,
      kind: 0,
      spanContext: () => ({ traceId: hex(span.traceId), spanId: hex(span.spanId), traceFlags: 1 }),
      ...(span.parentSpanId && {
        parentSpanContext: {
          traceId: hex(span.traceId),
          spanId: hex(span.parentSpanId),
          traceFlags: 1,
          isRemote: span.parentIsRemote,
        },
      }),
      startTime: [span.start.sec, span.start.nsec],
      endTime: [span.end.sec, span.end.nsec],
      attributes: span.attributes,
      links: span.links.map(() => ({ context: { ...context, traceFlags: 1 }, attributes: {} })),
      events: [],
      status: "error" in span ? { code: 2, message: span.error } : { code: 0 },
      duration: [1, 0],
      ended: true,
      resource: resourceFromAttributes(span.resource.attributes),
      instrumentationScope: span.scope,
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    }));
    const theirs = decodeTraces(ProtobufTraceSerializer.serializeRequest(readable)).resourceSpans;
    const theirSpans = theirs.flatMap((r) => r.scopeSpans.flatMap((s) => s.spans));
    const ours = decodedSpans(
      collect((encoder) => {
        for (const span of cases) encoder.span(span);
      }),
    );
    const comparable = (span: DecodedSpan) => ({
      ...span,
      // The SDK writes an empty status and counts of zero drops; it writes the span's flags as those of links.
      status: span.status ?? { code: 0, message: "" },
      links: span.links.map(({ traceId, spanId }) => [traceId, spanId]),
    });
    assert.equal(ours.length, 4);
    for (const span of theirSpans) {
      const own = ours.find(({ spanId }) => spanId === span.spanId)!;
      const { types: theirTypes, ...theirRest } = comparable(span);
      const { types: ownTypes, ...ownRest } = comparable(own);
      assert.deepEqual(ownRest, theirRest);
      assert.deepEqual(ownTypes, theirTypes);
    }
    assert.equal(theirSpans.length, 4);
    assert.deepEqual(theirs[0]!.scopeSpans[0]!.scope.name, cases[0]!.scope.name);
  });
});
