import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { type Got, Served } from "../../test/support/page-server.ts";
import type { From } from "./receive.ts";

describe("the page's server as an OTLP receiver", () => {
  let served: Served;

  const start = async (from?: From): Promise<void> => {
    served = await Served.start({}, from);
  };
  const ask = (path: string) => served.ask(path);
  afterEach(() => served[Symbol.dispose]());

  const span = {
    traceId: "0123456789abcdef0123456789abcdef",
    spanId: "0123456789abcdef",
    name: "GET /orders",
    kind: 3,
    startTimeUnixNano: "1800000000000000000",
    endTimeUnixNano: "1800000000250000000",
    attributes: [
      { key: "http.route", value: { stringValue: "/orders" } },
      { key: "tries", value: { intValue: "2" } },
    ],
    status: { code: 2, message: "slow" },
  };
  const json = JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: [{ key: "service.name", value: { stringValue: "shop" } }] },
        scopeSpans: [{ scope: { name: "http" }, spans: [span] }],
      },
    ],
  });
  const withSpan = (more: object) =>
    JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [{ ...span, ...more }] }] }] });
  const SMALL = `{"traceId":"${span.traceId}","spanId":"${span.spanId}"}`;
  const JSON_TYPE = { "content-type": "application/json" };
  const post = (body: string | Buffer, headers: Readonly<Record<string, string>> = JSON_TYPE) =>
    served.ask("/v1/traces", { method: "POST", headers, body });

  it("accepts JSON and protobuf, plain and compressed, and shows the spans in their trace", async () => {
    await start("anyone");
    assert.equal((await post(json)).status, 200);
    assert.equal((await post(gzipSync(json), { ...JSON_TYPE, "content-encoding": "gzip" })).status, 200);
    assert.equal((await post(protobuf(), { "content-type": "application/x-protobuf" })).status, 200);
    const { rows, resources } = JSON.parse((await ask(`/api/v1/trace/${span.traceId}`)).text);
    assert.equal(rows.length, 3);
    for (const row of rows) {
      assert.equal(row.attributes["span.name"], "GET /orders");
      assert.deepEqual(JSON.parse(row.attributes["span.attributes"]), {
        "http.route": "/orders",
        tries: 2,
      });
      assert.deepEqual([row.duration, row.kind, row.error, row.span], [0.25, "client", "slow", span.spanId]);
      assert.equal(resources[row.resource].source, "application");
      assert.equal(row.service, "shop");
    }
    const { total } = JSON.parse((await ask("/api/v1/connections?last=600")).text);
    assert.equal(total, 1, "connections are what they were");
  });

  it("refuses browsers, other content types and invalid or too large requests", async () => {
    await start("anyone");
    const refused: readonly (readonly [number, Promise<Got>])[] = [
      [403, post(json, { ...JSON_TYPE, origin: "http://localhost:4380" })],
      [403, post(json, { ...JSON_TYPE, "sec-fetch-site": "same-origin" })],
      [415, post(json, { "content-type": "text/plain" })],
      [415, post(json, {})],
      [413, post(Buffer.alloc(4 * 1024 ** 2 + 1, 32))],
      [413, post(gzipSync(Buffer.alloc(64 * 1024 ** 2)), { ...JSON_TYPE, "content-encoding": "gzip" })],
      [400, post("{")],
      [400, post(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [{ name: "no ids" }] }] }] }))],
      [400, post(Buffer.from([0x0a, 0xff, 0xff, 0x01]), { "content-type": "application/x-protobuf" })],
      [400, post(withSpan({ endTimeUnixNano: "9".repeat(1e6) }))],
      [400, post(withSpan({ startTimeUnixNano: "-1" }))],
      [400, post(`{"resourceSpans":[${"{},".repeat(262_144)}{}]}`)],
      [400, post(`{"resourceSpans":[{"scopeSpans":[{"spans":[${`${SMALL},`.repeat(8192)}${SMALL}]}]}]}`)],
      [400, post(Buffer.alloc(2 * 65_537, "\x08\x01"), { "content-type": "application/x-protobuf" })],
      [405, ask("/v1/traces")],
    ];
    for (const [i, [status, got]] of refused.entries()) assert.equal((await got).status, status, `case ${i}`);
  });

  it("keeps at most 256 bytes of a text and 4 KiB of attributes of a span", async () => {
    await start("anyone");
    const long = { stringValue: "x".repeat(1e6) };
    const attributes = [
      { key: "long", value: long },
      { key: "short", value: { stringValue: "kept" } },
    ];
    const body = withSpan({
      attributes,
      name: "n".repeat(1e6),
      status: { code: 2, message: "m".repeat(1e6) },
    });
    assert.equal((await post(body)).status, 200);
    const { rows } = JSON.parse((await ask(`/api/v1/trace/${span.traceId}`)).text);
    assert.equal(rows[0].attributes["span.name"], "n".repeat(256));
    assert.equal(rows[0].error, "m".repeat(256));
    const kept = { short: "kept", "otel.dropped_attributes_count": 1 };
    assert.deepEqual(JSON.parse(rows[0].attributes["span.attributes"]), kept);
  });

  it("keeps only the service names of too many resources, and nothing of even more, which would fill the file", async () => {
    await start("anyone");
    const resourceSpans = Array.from({ length: 2100 }, (_, i) => ({
      resource: {
        attributes: [
          { key: "service.name", value: { stringValue: `shop-${i}` } },
          { key: "a", value: { stringValue: "b" } },
        ],
      },
      scopeSpans: [{ spans: [span] }],
    }));
    assert.equal((await post(JSON.stringify({ resourceSpans }))).status, 200);
    const kept = served.store.db
      .all("SELECT attributes FROM resource")
      .map(({ attributes }) => JSON.parse(String(attributes)))
      .filter(({ source }) => source === "application");
    const whole = kept.filter(({ a }) => a === "b");
    const named = kept.filter((one) => one["service.name"] !== undefined);
    assert.deepEqual([whole.length, named.length, kept.length], [1024, 2048, 2049]);
  });

  it("is disabled by default", async () => {
    await start();
    assert.equal((await post(json)).status, 405);
  });

  /** The same span in ExportTraceServiceRequest's fields. */
  function protobuf(): Buffer {
    const field = (number: number, bytes: Buffer) =>
      Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
    const text = (number: number, value: string) => field(number, Buffer.from(value));
    const fixed = (number: number, value: bigint) => {
      const bytes = Buffer.alloc(9);
      bytes[0] = (number << 3) | 1;
      bytes.writeBigUInt64LE(value, 1);
      return bytes;
    };
    const attribute = (key: string, value: Buffer) => Buffer.concat([text(1, key), field(2, value)]);
    const bytes = Buffer.concat([
      field(1, Buffer.from(span.traceId, "hex")),
      field(2, Buffer.from(span.spanId, "hex")),
      text(5, span.name),
      Buffer.from([6 << 3, span.kind]),
      fixed(7, BigInt(span.startTimeUnixNano)),
      fixed(8, BigInt(span.endTimeUnixNano)),
      field(9, attribute("http.route", text(1, "/orders"))),
      field(9, attribute("tries", Buffer.from([3 << 3, 2]))),
      field(15, Buffer.concat([text(2, "slow"), Buffer.from([3 << 3, 2])])),
    ]);
    const scope = Buffer.concat([
      field(1, text(1, "http")),
      Buffer.from([0x12]),
      length(bytes.length),
      bytes,
    ]);
    const resource = field(1, field(1, attribute("service.name", text(1, "shop"))));
    const whole = Buffer.concat([resource, Buffer.from([0x12]), length(scope.length), scope]);
    return Buffer.concat([Buffer.from([0x0a]), length(whole.length), whole]);
  }

  function length(value: number): Buffer {
    return value < 128 ? Buffer.from([value]) : Buffer.from([(value & 0x7f) | 0x80, value >> 7]);
  }
});
