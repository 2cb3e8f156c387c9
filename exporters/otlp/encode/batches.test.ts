import assert from "node:assert/strict";
import { collect, decodedLogs, decodedMetrics, decodedSpans } from "../../../test/support/encoded.ts";
import { decodeTraces } from "../../../test/support/otlp-decode.ts";
import { acceptedMetric, connectionSpan, dropEvent } from "../../../test/support/telemetry.ts";
import type { Batch } from "./batch.ts";
import { Encoder } from "./encoder.ts";

describe("batches of the OTLP encoder", () => {
  it("groups by resource and scope, each once in a request, and keeps the order within", () => {
    const resources = [0, 1, 2].map((i) => ({ attributes: { "service.name": `s${i}` } }));
    const scopes = [0, 1].map((i) => ({ name: `scope${i}`, version: "1" }));
    const spans = Array.from({ length: 300 }, (_, i) => ({
      ...connectionSpan(i, resources[(i * 7) % 3]),
      scope: scopes[(i * 5) % 2]!,
    }));
    const [batch] = collect((encoder) => {
      for (const span of spans) encoder.span(span);
    });
    const { resourceSpans } = decodeTraces(batch!.bytes);
    assert.deepEqual(resourceSpans.map((r) => r.resource.attributes["service.name"]).sort(), [
      "s0",
      "s1",
      "s2",
    ]);
    for (const { resource, scopeSpans } of resourceSpans) {
      assert.deepEqual(scopeSpans.map(({ scope }) => scope.name).sort(), ["scope0", "scope1"]);
      for (const { scope, spans: actual } of scopeSpans) {
        const expected = spans.filter(
          (span) =>
            span.resource.attributes["service.name"] === resource.attributes["service.name"] &&
            span.scope.name === scope.name,
        );
        assert.deepEqual(
          actual.map(({ spanId }) => spanId),
          expected.map(({ spanId }) => Buffer.from(spanId).toString("hex")),
        );
      }
    }
  });

  it("separates resource objects with equal attributes: identity decides", () => {
    const [a, b] = [{ attributes: { "service.name": "x" } }, { attributes: { "service.name": "x" } }];
    const [batch] = collect((encoder) => {
      for (let i = 0; i < 4; i++) encoder.span(connectionSpan(i, i % 2 ? a : b));
    });
    assert.equal(decodeTraces(batch!.bytes).resourceSpans.length, 2);
  });

  it("closes a batch at 2048 spans", () => {
    const batches = collect((encoder) => {
      for (let i = 0; i < 5000; i++) encoder.span(connectionSpan(i));
    });
    assert.deepEqual(
      batches.map(({ count }) => count),
      [2048, 2048, 904],
    );
    assert.equal(decodedSpans(batches).length, 5000);
  });

  it("closes a batch before it reaches the 4 MiB that a Collector accepts", () => {
    const big = "x".repeat(100_000);
    const batches = collect((encoder) => {
      for (let i = 0; i < 100; i++) encoder.event({ ...dropEvent(i), body: big });
    });
    for (const { bytes } of batches) assert.ok(bytes.length < 4 * 1024 * 1024 - 500_000, `${bytes.length}`);
    assert.equal(batches.length, 4);
    assert.equal(decodedLogs(batches).length, 100);
  });

  it("counts resources and scopes among a batch's bytes", () => {
    const batches = collect((encoder) => {
      for (let i = 0; i < 400; i++) {
        const large = { attributes: { "service.name": `${i}`, "a.b": "x".repeat(24_000) } };
        encoder.span(connectionSpan(i, large));
      }
    });
    assert.ok(batches.length >= 3);
    for (const { bytes } of batches) assert.ok(bytes.length < 4 * 1024 * 1024 - 500_000, `${bytes.length}`);
    assert.equal(decodedSpans(batches).length, 400);
  });

  it("closes a batch at the bytes that its receiver takes", () => {
    const closed: Batch[] = [];
    const encoder = new Encoder();
    encoder.add({
      accept: (batch) => closed.push(batch),
      unencodable: (_kind, _count, error) => assert.fail(String(error)),
      mostBytes: () => 100_000,
    });
    for (let i = 0; i < 4096; i++) encoder.span(connectionSpan(i));
    const sizes = closed.map(({ bytes }) => bytes.length);
    assert.ok(
      sizes.slice(1).every((size) => size >= 100_000 && size < 102_000),
      `${sizes}`,
    );
  });

  it("closes a batch a second after its first span", async () => {
    const encoder = new Encoder();
    const began = performance.now();
    const closed = new Promise<Batch>((resolve) =>
      encoder.add({ accept: resolve, unencodable: (_kind, _count, error) => assert.fail(String(error)) }),
    );
    encoder.span(connectionSpan(1));
    assert.equal(encoder.open("span"), 1);
    const keepAlive = setTimeout(() => {}, 10_000);
    assert.equal((await closed).count, 1);
    clearTimeout(keepAlive);
    assert.ok(performance.now() - began > 900);
    assert.equal(encoder.open("span"), 0);
  });

  it("splits a collection of many series into requests within a backend's default limit", () => {
    const batches = collect((encoder) => encoder.metrics([acceptedMetric(20_000)]));
    const ports = decodedMetrics(batches).flatMap(({ sum }) =>
      sum!.dataPoints.map((p) => p.attributes["server.port"]),
    );
    assert.deepEqual(
      ports,
      Array.from({ length: 20_000 }, (_, i) => i),
    );
    for (const { bytes } of batches) assert.ok(bytes.length < 1024 * 1024);
    assert.equal(
      batches.reduce((sum, { count }) => sum + count, 0),
      20_000,
    );
  });
});
