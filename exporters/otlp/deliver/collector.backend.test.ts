// Our bytes as read by another implementation: a real Collector, over both protocols.
import assert from "node:assert/strict";
import { startCollector } from "../../../test/backend/collector.ts";
import { needBackends } from "../../../test/backend/find.ts";
import { attributesOf } from "../../../test/backend/otlp.ts";
import { createExporters } from "../../../test/support/create-exporters.ts";
import { acceptedMetric, connectionSpan, dropEvent, softirqMetric } from "../../../test/support/telemetry.ts";
import { until } from "../../../test/support/until.ts";

const silent = { error() {}, warn() {}, info() {}, debug() {} };

describe("OTLP into a Collector", () => {
  before(function () {
    needBackends(this, "collector");
  });

  for (const { type, ...way } of [
    { type: "otlp_grpc" },
    { type: "otlp_http" },
    { type: "otlp_http", encoding: "json" },
    { type: "otlp_grpc", path: "sdk" },
    { type: "otlp_http", path: "sdk" },
    { type: "otlp_http", path: "sdk", encoding: "json" },
  ] as const) {
    for (const compression of ["gzip", "none"] as const) {
      const name = [type, ...Object.values(way)].join(", ");
      it(`arrives unchanged over ${name} with compression ${compression}`, async () => {
        await using collector = await startCollector();
        const endpoint = type === "otlp_grpc" ? collector.grpc : collector.http;
        const signals = ["traces", "metrics", "logs"] as const;
        const common = { headers: {}, tls: {}, compression, timeoutMs: 5000, queueBytes: 1 << 24, signals };
        const fanout = await createExporters({ collector: { type, ...way, endpoint, ...common } }, silent);
        const expected = {
          ...connectionSpan(12_345),
          error: "connection_reset",
          parentSpanId: Buffer.alloc(8, 7),
        };
        fanout.span(expected);
        for (let i = 0; i < 1000; i++) fanout.span(connectionSpan(i));
        fanout.event(dropEvent(4));
        fanout.metrics([acceptedMetric(1, 42), softirqMetric()]);
        await fanout.shutdown(5000);
        const [exporter] = fanout.exporters;
        assert.deepEqual(
          (["span", "point", "event"] as const).map((kind) => exporter!.counts(kind).acknowledged),
          [1001, 2, 1],
        );
        await until("everything", async () => {
          const [spans, metrics, logs] = [
            await collector.spans(),
            await collector.metrics(),
            await collector.logs(),
          ];
          return spans.length === 1001 && metrics.length === 2 && logs.length === 1;
        });

        const { resource, scope, item: span } = (await collector.spans())[0]!;
        assert.equal(resource["service.name"], "curl");
        assert.equal(scope, "wirespan.tcplife");
        assert.deepEqual(
          [span.name, span.kind, span.parentSpanId, span.status],
          ["tcp connection", 1, "0707070707070707", { code: 2, message: "connection_reset" }],
        );
        assert.deepEqual(
          [span.startTimeUnixNano, span.endTimeUnixNano],
          ["1790000000000012345", "1790000001000086415"],
        );
        assert.deepEqual(
          attributesOf(span.attributes),
          Object.fromEntries(
            Object.entries(expected.attributes).map(([key, value]) => [
              key,
              Number.isInteger(value) ? BigInt(value as number) : value,
            ]),
          ),
        );

        const metrics = (await collector.metrics()).map(({ item }) => item);
        assert.deepEqual(metrics.find(({ unit }) => unit === "{connection}")!.sum, {
          dataPoints: [
            {
              attributes: [{ key: "server.port", value: { intValue: "0" } }],
              startTimeUnixNano: "1790000000000000001",
              timeUnixNano: "1790000010000000005",
              asInt: "42",
            },
          ],
          aggregationTemporality: 2,
          isMonotonic: true,
        });
        const [point] = metrics.find(({ unit }) => unit === "s")!.exponentialHistogram!.dataPoints;
        assert.deepEqual(
          [point!.count, point!.sum, point!.scale, point!.zeroCount, point!.positive, point!.max],
          ["5", 0.25, 3, "1", { offset: -80, bucketCounts: ["1", "0", "3"] }, 0.1],
        );
        const [log] = (await collector.logs()).map(({ item }) => item);
        assert.deepEqual(
          [log!.eventName, log!.severityNumber, log!.timeUnixNano],
          ["wirespan.tcp.packet.drop", 13, "1790000000000000004"],
        );
      });
    }
  }
});
