import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { AGENT_FLAGS, MAIN } from "../../test/support/agent.ts";
import { needsRoot } from "../../test/support/netns.ts";
import { OtlpSink } from "../../test/support/otlp-sink.ts";
import type { Measured } from "./measure.ts";

describe("wirespan bench", () => {
  let folder = "";

  before(function () {
    needsRoot(this);
    folder = mkdtempSync(join(tmpdir(), "wirespan-test-bench-"));
  });

  after(() => {
    if (folder) rmSync(folder, { recursive: true });
  });

  it("compares a host with and without the agent, sends nothing to the configured backend, and puts no secret into a bundle", async () => {
    await using sink = await OtlpSink.start("http");
    const [config, bundle] = [join(folder, "wirespan.yaml"), join(folder, "bundle.json.gz")];
    writeFileSync(join(folder, "token"), "s3cr3t-file");
    const headers = `{ api-key: s3cr3t-key, authorization: "Bearer \${env:SHOP_TOKEN}", x-token: "file:${folder}/token" }`;
    const endpoint = sink.endpoint.replace("http://", "http://user:s3cr3t-password@");
    writeFileSync(
      config,
      `version: 1
ids: { salt: s3cr3t-salt }
viewer: { token: s3cr3t-viewer-token-long-enough }
exporters:
  real: { type: otlp_http, endpoint: "${endpoint}/?key=s3cr3t-query", headers: ${headers} }
`,
    );
    const env = {
      ...process.env,
      SHOP_TOKEN: "s3cr3t-environment",
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.endpoint,
      OTEL_EXPORTER_OTLP_HEADERS: "api-key=s3cr3t-otel",
      HTTPS_PROXY: "http://user:s3cr3t-proxy@127.0.0.1:1",
    };
    const words = [...AGENT_FLAGS, MAIN, "doctor", "--config", config, "--bundle", bundle, "--bench", "0.3"];
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith("wirespan-bench-"));
    const { stdout, stderr } = await promisify(execFile)(process.execPath, words, { env });
    const text = gunzipSync(readFileSync(bundle)).toString();
    const reported = [text, stdout, stderr].flatMap((said) => said.match(/.*s3cr3t.*/g) ?? []);
    assert.deepEqual(reported, []);
    assert.equal(sink.attempts, 0);
    const { bench } = JSON.parse(text) as { bench: Measured & { software: Record<string, string> } };
    assert.deepEqual(Object.keys(bench.software), ["wirespan", "libbpf", "kernel", "Node"]);
    assert.equal(bench.plugins, 13);
    assert.equal(bench.rounds.length, 3);
    for (const { off, on, agentUs, seen, memory, startSeconds } of bench.rounds) {
      for (const window of [off, on]) {
        assert.ok(window.connections > 10 && window.seconds >= 0.3 && window.systemUs > 0);
      }
      assert.ok(agentUs >= 0 && memory > 20e6 && memory < 1e9 && startSeconds > 0.1);
      // Other programs connect during the test, and some machines do not show all events.
      assert.ok(seen > 0.8, `${seen} of the ends`);
    }
    const left = readdirSync(tmpdir()).filter((name) => name.startsWith("wirespan-bench-"));
    assert.deepEqual(
      left.filter((name) => !before.includes(name)),
      [],
    );
  });

  it("reports an invalid option or configuration before it measures anything", async () => {
    const run = (...args: string[]) =>
      promisify(execFile)(process.execPath, [...AGENT_FLAGS, MAIN, "bench", ...args]);
    await assert.rejects(run("--seconds", "0"), /is not a number of seconds from 0\.1 to 600/);
    await assert.rejects(run("--set", "log.level=nonsense"), /log\.level/);
  });
});
