import assert from "node:assert/strict";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { resourceFromAttributes } from "@opentelemetry/resources";
import type { ExponentialHistogram, Span } from "../../../core/plugin/signals.ts";
import { createExporters } from "../../../test/support/create-exporters.ts";
import {
  acceptedMetric,
  connectionSpan,
  dropEvent,
  resource,
  softirqMetric,
} from "../../../test/support/telemetry.ts";
import type { MetricPreferences } from "../../config.ts";
import { resourceMetrics } from "../../sdk/convert.ts";
import { MetricConverter } from "../../temporality.ts";
import type { Batch } from "./batch.ts";
import { Encoder } from "./encoder.ts";
import { SCHEMA_URL } from "./export-request.ts";
import { toJson } from "./json.ts";

const silent = { error() {}, warn() {}, info() {}, debug() {} };
const { JsonMetricsSerializer } = createRequire(
  createRequire(import.meta.url).resolve("@opentelemetry/exporter-trace-otlp-grpc"),
)("@opentelemetry/otlp-transformer");

/** The JSON of one request with these signals. */
function jsonOf(feed: (encoder: Encoder) => void, form: MetricPreferences = {}): unknown {
  const batches: Batch[] = [];
  const encoder = new Encoder();
  const unencodable = (_kind: string, _count: number, error: unknown) => assert.fail(String(error));
  encoder.add({ accept: (batch) => batches.push(batch), unencodable }, undefined, form);
  feed(encoder);
  encoder.cut();
  assert.equal(batches.length, 1);
  return JSON.parse(toJson(batches[0]!.signal, batches[0]!.bytes).toString());
}

describe("OTLP as JSON", () => {
  it("writes a point that ends a series with its flag", () => {
    const metric = acceptedMetric(1);
    const ended = [{ "server.port": 80 }];
    const [{ scopeMetrics }] = (
      jsonOf((encoder) => encoder.metrics([{ ...metric, points: [], ended }])) as {
        resourceMetrics: [{ scopeMetrics: [{ metrics: [{ sum: object }] }] }];
      }
    ).resourceMetrics;
    const { sec, nsec } = metric.time;
    assert.deepEqual((scopeMetrics[0].metrics[0].sum as { dataPoints: unknown }).dataPoints, [
      {
        timeUnixNano: String(BigInt(sec) * 1_000_000_000n + BigInt(nsec)),
        attributes: [{ key: "server.port", value: { intValue: "80" } }],
        flags: 1,
      },
    ]);
  });

  it("writes spans as the specification's JSON form has them", () => {
    const span: Span = {
      ...connectionSpan(255),
      attributes: {
        "process.pid": -1,
        "wirespan.tcp.bytes_sent": 2 ** 53,
        "wirespan.tcp.rtt.min": 1,
        on: true,
        tags: ["a", "ä"],
      },
      parentSpanId: Buffer.alloc(8, 7),
      parentIsRemote: true,
      traceState: "ot=th:c",
      links: [{ traceId: Buffer.alloc(16, 1), spanId: Buffer.alloc(8, 2) }],
      error: "connection_reset",
    };
    assert.deepEqual(
      jsonOf((encoder) => encoder.span(span)),
      {
        resourceSpans: [
          {
            resource: {
              attributes: [
                { key: "service.name", value: { stringValue: "curl" } },
                { key: "host.name", value: { stringValue: "here" } },
              ],
            },
            scopeSpans: [
              {
                scope: { name: "wirespan.tcplife", version: "0.2.0" },
                spans: [
                  {
                    traceId: "000000010000000000000000000000ff",
                    spanId: "00000001000000ff",
                    traceState: "ot=th:c",
                    parentSpanId: "0707070707070707",
                    name: "tcp connection",
                    kind: 1,
                    startTimeUnixNano: "1790000000000000255",
                    endTimeUnixNano: "1790000001000001785",
                    attributes: [
                      { key: "process.pid", value: { intValue: "-1" } },
                      { key: "wirespan.tcp.bytes_sent", value: { intValue: "9007199254740992" } },
                      { key: "wirespan.tcp.rtt.min", value: { doubleValue: 1 } },
                      { key: "on", value: { boolValue: true } },
                      {
                        key: "tags",
                        value: { arrayValue: { values: [{ stringValue: "a" }, { stringValue: "ä" }] } },
                      },
                    ],
                    links: [{ traceId: "01".repeat(16), spanId: "02".repeat(8), flags: 0x301 }],
                    status: { code: 2, message: "connection_reset" },
                    flags: 0x301,
                  },
                ],
                schemaUrl: SCHEMA_URL,
              },
            ],
            schemaUrl: SCHEMA_URL,
          },
        ],
      },
    );
  });

  for (const histograms of ["exponential", "explicit"] as const) {
    it(`writes metrics as the SDK's JSON serializer does, with ${histograms} histograms`, () => {
      const form: MetricPreferences = { histograms, temporality: "delta" };
      const metrics = [acceptedMetric(3, 2 ** 40), softirqMetric()];
      const made = resourceFromAttributes(resource.attributes as Record<string, string>, {
        schemaUrl: SCHEMA_URL,
      });
      const theirs = JSON.parse(
        Buffer.from(
          JsonMetricsSerializer.serializeRequest(
            resourceMetrics(made, new MetricConverter(form).convert(metrics)),
          ),
        ).toString(),
      );
      // The SDK writes it in the resource as well, where OTLP has no such field.
      delete theirs.resourceMetrics[0].resource.schemaUrl;
      const ours = jsonOf((encoder) => encoder.metrics(metrics), form);
      assert.deepEqual(plain(ours), plain(theirs));
    });
  }

  for (const histograms of ["exponential", "explicit"] as const) {
    it(`writes exemplars with hexadecimal ids (${histograms})`, () => {
      const [point] = softirqMetric().points;
      const exemplar = {
        value: 0.0625,
        time: { sec: 1_790_000_001, nsec: 2 },
        traceId: Buffer.alloc(16, 1),
        spanId: Buffer.alloc(8, 2),
      };
      const value = { ...(point!.value as ExponentialHistogram), exemplar };
      const metric = { ...softirqMetric(), points: [{ ...point!, value }] };
      const text = JSON.stringify(jsonOf((encoder) => encoder.metrics([metric]), { histograms }));
      const expected = {
        timeUnixNano: "1790000001000000002",
        asDouble: 0.0625,
        spanId: "02".repeat(8),
        traceId: "01".repeat(16),
      };
      assert.ok(text.includes(`"exemplars":[${JSON.stringify(expected)}]`), text);
    });
  }

  it("writes events with their context, and numbers that JSON cannot express", () => {
    const context = { traceId: Buffer.alloc(16, 1), spanId: Buffer.alloc(8, 2) };
    const event = { ...dropEvent(3), attributes: { nan: Number.NaN }, context, body: "gone" };
    const text = JSON.stringify(jsonOf((encoder) => encoder.event(event)));
    for (const part of [
      '"eventName":"wirespan.tcp.packet.drop"',
      '"body":{"stringValue":"gone"}',
      '"doubleValue":"NaN"',
      `"traceId":"${"01".repeat(16)}"`,
      '"severityNumber":13',
      '"observedTimeUnixNano":"1790000000000000003"',
    ]) {
      assert.ok(text.includes(part), part);
    }
  });

  it("rejects bytes that our writers do not produce", () => {
    assert.throws(() => toJson("traces", Buffer.from([0x78, 1])), RangeError);
  });

  for (const compression of ["gzip", "none"] as const) {
    it(`is sent as application/json with compression ${compression}, and a rejected part is counted`, async () => {
      const bodies: unknown[] = [];
      const types = new Set<string | undefined>();
      const server = createServer((request, response) => {
        const chunks: Buffer[] = [];
        request.on("data", (chunk) => chunks.push(chunk));
        request.on("end", () => {
          const body = Buffer.concat(chunks);
          types.add(request.headers["content-type"]);
          bodies.push(JSON.parse((compression === "gzip" ? gunzipSync(body) : body).toString()));
          response.setHeader("content-type", "application/json");
          response.end('{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}');
        });
      }).listen(0, "127.0.0.1");
      await new Promise((resolve) => server.once("listening", resolve));
      const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const fanout = await createExporters(
        {
          json: {
            type: "otlp_http",
            encoding: "json",
            endpoint,
            headers: {},
            tls: {},
            compression,
            timeoutMs: 5000,
            queueBytes: 1 << 24,
            signals: ["traces"],
          },
        },
        silent,
      );
      for (let i = 0; i < 5; i++) fanout.span(connectionSpan(i));
      await fanout.shutdown(5000);
      server.close();
      assert.deepEqual([...types], ["application/json"]);
      assert.equal(bodies.length, 1);
      const { acknowledged, lost } = fanout.exporters[0]!.counts("span");
      assert.deepEqual([acknowledged, lost.rejected], [3, 2]);
    });
  }
});

/** Without what only one of both writes: zeros and empty values, whose absence means the same. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return typeof value === "number" ? String(value) : value;
  const entries = Object.entries(value).map(([key, inner]) => [key, plain(inner)] as const);
  const empty = (inner: unknown) =>
    inner === "0" ||
    inner === false ||
    (Array.isArray(inner) && inner.length === 0) ||
    (typeof inner === "object" && Object.keys(inner as object).length === 0);
  return Object.fromEntries(
    entries.filter(([, inner]) => !empty(inner)).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}
