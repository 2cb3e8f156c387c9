import assert from "node:assert/strict";
import { createExporters } from "../test/support/create-exporters.ts";
import { arrived, recorder, until, upTo } from "../test/support/exporting.ts";
import { OtlpSink } from "../test/support/otlp-sink.ts";
import { connectionSpan } from "../test/support/telemetry.ts";

describe("createExporters", () => {
  it("feeds several exporters at once, and an outage of one does not affect the other", async () => {
    await using grpc = await OtlpSink.start("grpc");
    await using http = await OtlpSink.start("http");
    http.answer = { kind: "fail", code: 503, message: "down" };
    const common = {
      headers: {},
      tls: {},
      compression: "gzip",
      timeoutMs: 5000,
      queueBytes: 1 << 20,
    } as const;
    const signals = ["traces", "metrics", "logs"] as const;
    const fanout = await createExporters(
      {
        one: { type: "otlp_grpc", endpoint: grpc.endpoint, ...common, signals },
        two: { type: "otlp_http", endpoint: http.endpoint, ...common, signals },
      },
      recorder().log,
    );
    for (let i = 0; i < 700; i++) fanout.span(connectionSpan(i));
    const [one, two] = fanout.exporters;
    await until(() => one!.counts("span").acknowledged === 700);
    assert.deepEqual(arrived(grpc), upTo(700));
    assert.equal(two!.counts("span").queued, 700);
    http.answer = { kind: "ok" };
    await fanout.shutdown(5000);
    assert.deepEqual(arrived(http), upTo(700));
    assert.deepEqual([one!.name, one!.type, two!.name, two!.type], ["one", "otlp_grpc", "two", "otlp_http"]);
  });

  it("rejects an endpoint, a header or a file that cannot be used, by name", async () => {
    const config = {
      headers: {},
      tls: {},
      compression: "gzip",
      timeoutMs: 1,
      queueBytes: 1,
      signals: [],
    } as const;
    const grpc = { ...config, type: "otlp_grpc", endpoint: "http://127.0.0.1:4317" } as const;
    const http = { ...config, type: "otlp_http", endpoint: "http://127.0.0.1:4318" } as const;
    const { log } = recorder();
    for (const wrong of [
      { ...grpc, endpoint: "ftp://x" },
      { ...grpc, endpoint: "" },
      { ...http, endpoint: "localhost:4318" },
      { ...grpc, headers: { "bad header": "x" } },
      { ...http, headers: { "x-key": "a\nb" } },
      { ...http, tls: { cert: "/nonexistent.pem" } },
    ]) {
      await assert.rejects(createExporters({ mine: wrong }, log), {
        code: "CONFIG_INVALID",
        message: /exporters\.mine/,
      });
    }
    await assert.rejects(createExporters({ mine: { ...grpc, tls: { ca: "/nonexistent.pem" } } }, log), {
      code: "CONFIG_UNREADABLE",
      message: /nonexistent\.pem/,
    });
  });

  it("loads grpc-js only for path: sdk", async () => {
    const { spawnSync } = await import("node:child_process");
    const script = `
      const { createExporters } = await import(${JSON.stringify(import.meta.resolve("../test/support/create-exporters.ts"))});
      const log = { error() {}, warn() {}, info() {}, debug() {} };
      const otlp = { type: "otlp_http", endpoint: "http://127.0.0.1:9", headers: {}, tls: {}, compression: "gzip",
        timeoutMs: 1, queueBytes: 1, signals: [] };
      await createExporters({ otlp, console: { type: "console", signals: [] } }, log);
      const { createRequire } = await import("node:module");
      const { cache } = createRequire(${JSON.stringify(import.meta.url)});
      const loaded = () => Object.keys(cache).some((path) => path.includes("grpc-js"));
      await createExporters({ otlp: { ...otlp, type: "otlp_grpc" } }, log);
      const without = loaded();
      await createExporters({ otlp: { ...otlp, type: "otlp_grpc", path: "sdk" } }, log);
      console.log(without, loaded());
      process.exit();`;
    const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
    });
    assert.equal(stdout.trim(), "false true", stderr);
  });
});
