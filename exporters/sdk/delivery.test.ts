// What the SDK's own exporters lose is not lost if ours use them.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import { status } from "@grpc/grpc-js";
import { createExporters } from "../../test/support/create-exporters.ts";
import {
  arrived,
  type Change,
  configOf,
  Exporting,
  protocolOf,
  recorder,
  until,
  upTo,
} from "../../test/support/exporting.ts";
import { OtlpSink } from "../../test/support/otlp-sink.ts";
import { acceptedMetric, connectionSpan, dropEvent, softirqMetric } from "../../test/support/telemetry.ts";

const kinds = ["span", "point", "event"] as const;
const rig = (sink: OtlpSink, change: Change = {}) => Exporting.toSink(sink, { path: "sdk", ...change });

for (const protocol of ["grpc", "http"] as const) {
  describe(`OTLP over ${protocol} through the SDK`, () => {
    it("delivers all three signals, each under its own resource, with headers", async () => {
      await using sink = await OtlpSink.start(protocol);
      await using made = await rig(sink, { headers: { "x-api-key": "secret" } });
      const { fanout, exporter } = made;
      const other = { attributes: { "service.name": "nginx" } };
      for (let i = 0; i < 1000; i++) fanout.span(i % 2 ? connectionSpan(i) : connectionSpan(i, other));
      for (let i = 0; i < 10; i++) fanout.event(dropEvent(i));
      fanout.metrics([acceptedMetric(3), { ...softirqMetric(), resource: other }]);
      await fanout.flush(10_000);
      assert.deepEqual(
        arrived(sink).sort((a, b) => a - b),
        upTo(1000),
      );
      const services = sink.received.flatMap((each) =>
        each.signal === "traces"
          ? each.decoded.resourceSpans.map(({ resource }) => resource.attributes["service.name"])
          : [],
      );
      assert.deepEqual([...new Set(services)].sort(), ["curl", "nginx"]);
      const requests = sink.received.filter(({ signal }) => signal === "traces");
      assert.equal(requests.length, 2, "one request holds several resources");
      assert.deepEqual(
        kinds.map((kind) => exporter.counts(kind).acknowledged),
        [1000, 4, 10],
      );
      assert.equal(sink.metrics.length, 2);
      for (const { headers } of sink.received) assert.equal(headers["x-api-key"], "secret");
      made.assertBalanced();
    });

    it("loses nothing in an outage, keeps the order, and recovers at once", async () => {
      await using sink = await OtlpSink.start(protocol);
      await using made = await rig(sink);
      const { fanout, exporter } = made;
      let next = 0;
      const feed = setInterval(() => {
        for (let i = 0; i < 5; i++) fanout.span(connectionSpan(next++));
        made.assertBalanced();
      }, 10);
      await until(() => sink.received.length > 0);
      await sink.stop();
      // Long enough for an old gRPC connection to pause for many seconds.
      await delay(protocol === "grpc" ? 12_500 : 4000);
      assert.ok(exporter.counts("span").queued > 500);
      const taken = sink.received.length;
      await sink.start();
      const back = performance.now();
      await until(() => sink.received.length > taken);
      const recovery = sink.received[taken]!.at - back;
      clearInterval(feed);
      await fanout.flush(20_000);
      assert.deepEqual(arrived(sink), upTo(next));
      const { acknowledged, queued } = exporter.counts("span");
      assert.deepEqual([acknowledged, queued], [next, 0]);
      // The SDK's HTTP exporter itself pauses for up to 5 s; its gRPC exporter alone would take 20.
      assert.ok(recovery < (protocol === "grpc" ? 2000 : 7000), `${recovery} ms`);
    });

    it("counts what the backend rejects, a whole request or a part, and logs its message", async () => {
      await using sink = await OtlpSink.start(protocol);
      await using made = await rig(sink);
      const { fanout, exporter } = made;
      sink.answer = {
        kind: "fail",
        code: protocol === "grpc" ? status.INVALID_ARGUMENT : 400,
        message: "no",
      };
      for (let i = 0; i < 5; i++) fanout.span(connectionSpan(i));
      await fanout.flush(5000);
      sink.answer = { kind: "partial", rejected: 2, message: "too old" };
      for (let i = 0; i < 5; i++) fanout.span(connectionSpan(i));
      await fanout.flush(5000);
      sink.answer = { kind: "ok" };
      fanout.metrics([acceptedMetric(3)]);
      await fanout.flush(5000);
      const { acknowledged, lost } = exporter.counts("span");
      assert.deepEqual([acknowledged, lost.rejected], [3, 7]);
      assert.equal(exporter.counts("point").acknowledged, 3);
      made.assertBalanced();
    });

    it("retries what the backend cannot accept now", async () => {
      await using sink = await OtlpSink.start(protocol);
      await using made = await rig(sink);
      const { fanout, exporter } = made;
      const code = protocol === "grpc" ? status.UNAVAILABLE : 503;
      sink.answer = () => (sink.attempts < 3 ? { kind: "fail", code, message: "not now" } : { kind: "ok" });
      fanout.span(connectionSpan(0));
      await fanout.flush(20_000);
      assert.ok(sink.attempts >= 3);
      assert.equal(exporter.counts("span").acknowledged, 1);
    });

    it("drops the oldest when full, counts them, and keeps its bound", async () => {
      await using sink = await OtlpSink.start(protocol);
      await sink.stop();
      await using made = await rig(sink, { queueBytes: 4 * 1024 ** 2 });
      const { fanout, exporter } = made;
      for (let i = 0; i < 20_000; i++) fanout.span(connectionSpan(i));
      const { lost, queued } = exporter.counts("span");
      assert.ok(lost.queue_full > 10_000);
      assert.ok(queued > 1000 && exporter.queue.bytes <= exporter.queue.limit);
      made.assertBalanced();
      await sink.start();
      await fanout.flush(20_000);
      assert.deepEqual(Math.max(...arrived(sink)), 19_999);
      made.assertBalanced();
    });

    it("counts what remains at shutdown", async () => {
      await using sink = await OtlpSink.start(protocol);
      await using made = await rig(sink);
      const { fanout, exporter } = made;
      sink.answer = { kind: "hang" };
      fanout.span(connectionSpan(0));
      await fanout.shutdown(300);
      assert.equal(exporter.counts("span").lost.shutdown_timeout, 1);
      made.assertBalanced();
    });

    it("does not send one backend's environment settings to another", async () => {
      await using sink = await OtlpSink.start(protocol);
      process.env.OTEL_EXPORTER_OTLP_HEADERS = "authorization=for-another";
      try {
        await using made = await rig(sink);
        for (let i = 0; i < 3; i++) made.fanout.span(connectionSpan(i));
        made.fanout.metrics([acceptedMetric(3)]);
        made.fanout.event(dropEvent(0));
        await made.fanout.flush(5000);
        assert.equal(sink.received.length, 3);
        for (const { headers } of sink.received) assert.equal(headers.authorization, undefined);
        assert.equal(process.env.OTEL_EXPORTER_OTLP_HEADERS, "authorization=for-another");
      } finally {
        delete process.env.OTEL_EXPORTER_OTLP_HEADERS;
      }
    });
  });
}

describe("the SDK", () => {
  it("samples and limits according to its environment variables", async () => {
    await using sink = await OtlpSink.start("grpc");
    process.env.OTEL_TRACES_SAMPLER = "always_off";
    try {
      await using made = await rig(sink);
      made.fanout.span(connectionSpan(0));
      made.fanout.event(dropEvent(0));
      await made.fanout.flush(5000);
      assert.deepEqual([sink.spans.length, sink.logs.length], [0, 1]);
      assert.equal(made.exporter.counts("span").given, 0);
    } finally {
      delete process.env.OTEL_TRACES_SAMPLER;
    }
  });

  it("does not sample by a ratio again, and exports how the programs in the kernel did", async () => {
    await using sink = await OtlpSink.start("grpc");
    Object.assign(process.env, { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" });
    try {
      await using made = await rig(sink);
      made.fanout.span({ ...connectionSpan(0), traceState: "ot=th:c" });
      made.fanout.span(connectionSpan(1));
      await made.fanout.flush(5000);
      assert.deepEqual(
        sink.spans.map(({ traceState }) => traceState),
        ["ot=th:c", ""],
      );
    } finally {
      delete process.env.OTEL_TRACES_SAMPLER;
      delete process.env.OTEL_TRACES_SAMPLER_ARG;
    }
  });

  it("is loaded only if it is chosen", () => {
    const loaded = (path: string): string[] => {
      const script = `
        import { createExporters } from "./test/support/create-exporters.ts";
        import { registerHooks } from "node:module";
        const names = new Set();
        registerHooks({ resolve(specifier, context, next) {
          const found = next(specifier, context);
          const name = /node_modules\\/(@opentelemetry\\/[^/]+)/.exec(found.url)?.[1];
          if (name) names.add(name);
          return found;
        } });
        const config = { type: "otlp_http", path: "${path}", endpoint: "http://127.0.0.1:1", headers: {}, tls: {},
          compression: "none", timeoutMs: 100, queueBytes: 1 << 20, signals: ["traces"] };
        const log = { error() {}, warn() {}, info() {}, debug() {} };
        await createExporters({ a: config }, log);
        console.log(JSON.stringify([...names]));
        process.exit();`;
      return JSON.parse(
        execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" }),
      ) as string[];
    };
    assert.deepEqual(loaded("lean"), []);
    assert.ok(loaded("sdk").includes("@opentelemetry/sdk-node"));
  });

  it("replaces our writer for one exporter, while another keeps it", async () => {
    await using first = await OtlpSink.start("grpc");
    await using second = await OtlpSink.start("http");
    await using third = await OtlpSink.start("http");
    const fanout = await createExporters(
      {
        sdk: configOf(first.endpoint, { ...protocolOf(first), path: "sdk" }),
        lean: configOf(second.endpoint, { ...protocolOf(second), path: "lean", temporality: "delta" }),
        delta: configOf(third.endpoint, {
          ...protocolOf(third),
          path: "sdk",
          signals: ["metrics"],
          temporality: "delta",
          histograms: "explicit",
        }),
      },
      recorder().log,
    );
    fanout.span(connectionSpan(1));
    fanout.metrics([acceptedMetric(1), softirqMetric()]);
    await fanout.shutdown(5000);
    assert.deepEqual([first.spans.length, second.spans.length, third.spans.length], [1, 1, 0]);
    const form = (sink: OtlpSink) =>
      sink.metrics.map((m) => (m.sum ?? m.exponentialHistogram ?? m.histogram)!.aggregationTemporality);
    assert.deepEqual(
      [form(first), form(second), form(third)],
      [
        [2, 2],
        [1, 1],
        [1, 1],
      ],
    );
    assert.ok(
      third.metrics[1]!.histogram !== undefined && second.metrics[1]!.exponentialHistogram !== undefined,
    );
  });
});
