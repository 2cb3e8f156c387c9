// What an agent reports at its end about telemetry that a backend did not get, and its exit code.
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { type Ended, startAgent } from "../support/agent.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { OtlpSink } from "../support/otlp-sink.ts";
import { until } from "../support/until.ts";
import { one, run } from "../support/workload.ts";

interface Loss {
  readonly exporter: string;
  readonly kind: string;
  readonly cause: string;
  readonly count: number;
}

function losses({ stderr }: Ended): Loss[] {
  const lines = stderr.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  return lines.filter(({ msg }) => msg === "telemetry lost");
}

const sumOf = (found: readonly Loss[]): number => found.reduce((sum, { count }) => sum + count, 0);

describe("an agent that shuts down", () => {
  before(function () {
    needsRoot(this);
  });

  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    it(`reports exactly how much no backend received, and exits with 7 (${signal})`, async () => {
      await using netns = await Netns.create();
      await using good = await OtlpSink.start("grpc");
      await using refuses = await OtlpSink.start("http");
      refuses.answer = { kind: "fail", code: 401, message: "no token" };
      const silent = createServer((socket) => socket.resume());
      await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
      const { port } = silent.address() as AddressInfo;
      await using agent = await startAgent(["--plugin", "tcplife"], {
        config: `version: 1
filter: { include: { netns: ["${statSync(netns.path).ino}"] } }
control: { socket: "" }
shutdown: { timeout: 1s }
exporters:
  good: { type: otlp_grpc, endpoint: "${good.endpoint}", signals: [traces] }
  dead: { type: otlp_http, endpoint: "http://127.0.0.1:1", signals: [traces] }
  silent: { type: otlp_grpc, endpoint: "http://127.0.0.1:${port}", signals: [traces] }
  refuses: { type: otlp_http, endpoint: "${refuses.endpoint}", signals: [traces] }
`,
      });
      const lines = await run(netns, "paced", { rate: 500, seconds: 3 });
      // One at each end, which the working backend receives within the second that the others are given.
      const made = 2 * one(lines, "summary", "client").connections;
      // Requests that the agent retries because of a late answer arrive twice.
      const arrived = () => new Set(good.spans.map(({ traceId, spanId }) => traceId + spanId)).size;
      await until("all spans", () => arrived() >= made);
      const ended = await agent.stop(signal);
      silent.close();
      assert.equal(ended.code, 7, ended.stderr.join("\n"));
      const all = arrived();
      assert.equal(all, made);
      assert.ok(all > 1000, `${all} spans`);
      for (const exporter of ["dead", "silent"]) {
        const found = losses(ended).filter((loss) => loss.exporter === exporter);
        assert.deepEqual(
          found.map(({ kind, cause, count }) => ({ kind, cause, count })),
          [{ kind: "span", cause: "shutdown_timeout", count: all }],
        );
      }
      const refused = losses(ended).filter(({ exporter }) => exporter === "refuses");
      assert.ok(refused.length <= 2 && refused.every(({ cause }) => cause === "rejected"));
      assert.equal(sumOf(refused), all);
      const inAll = ended.stderr.filter((line) => line.includes("telemetry was lost since the start"));
      assert.deepEqual(
        inAll.map((line) => JSON.parse(line).lost),
        ["shutdown_timeout", "shutdown_timeout", "rejected"].map((cause) => [
          { kind: "span", cause, count: all },
        ]),
      );
    });
  }

  it("exits with 0 if everything arrived", async () => {
    await using netns = await Netns.create();
    await using good = await OtlpSink.start("grpc");
    await using agent = await startAgent(["--plugin", "tcplife"], {
      config: `version: 1
filter: { include: { netns: ["${statSync(netns.path).ino}"] } }
control: { socket: "" }
exporters: { good: { type: otlp_grpc, endpoint: "${good.endpoint}" } }
`,
    });
    await run(netns, "paced", { rate: 100, seconds: 1 });
    const { code, stderr } = await agent.stop();
    assert.equal(code, 0, stderr.join("\n"));
    assert.ok(good.spans.length > 50);
  });
});
