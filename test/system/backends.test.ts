// What is exported to backends that cannot run here: path, encoding and headers of the examples' requests.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { environment } from "../support/environment.ts";
import { decodeLogs, decodeMetrics, decodeTraces } from "../support/otlp-decode.ts";
import { OtlpSink } from "../support/otlp-sink.ts";

const ROOT = join(import.meta.dirname, "../..");
const run = promisify(execFile);

/** `wirespan` with an example; throws if it does not end with 0. */
const wirespan = (env: Readonly<Record<string, string>>, ...args: readonly string[]) =>
  run(process.execPath, [join(ROOT, "cli/main.ts"), ...args], { env: { ...environment, ...env } });

const example = (name: string) => join(ROOT, "config/examples", `${name}.yaml`);

interface Request {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** The requests that `wirespan exporters test` makes over HTTP, by path. */
async function requested(name: string, env: Readonly<Record<string, string>>): Promise<Map<string, Request>> {
  const requests = new Map<string, Request>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const { url: path = "", headers } = request;
      requests.set(path, { path, headers, body: Buffer.concat(chunks) });
      response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const { pathname } = new URL(endpoints[name]!);
  const to = `exporters.${name}.endpoint=http://127.0.0.1:${port}${pathname === "/" ? "" : pathname}`;
  try {
    await wirespan(env, "exporters", "test", "--config", example(name), "--set", to);
  } finally {
    server.closeAllConnections();
    server.close();
  }
  return requests;
}

/** What the examples name. */
const endpoints: Readonly<Record<string, string>> = {
  "grafana-cloud": "https://otlp-gateway-prod-eu-west-0.grafana.net/otlp",
  honeycomb: "https://api.honeycomb.io",
};

const DECODE = { traces: decodeTraces, metrics: decodeMetrics, logs: decodeLogs } as const;

describe("examples for backends that cannot run here", () => {
  for (const [name, env, header, value] of [
    ["grafana-cloud", { GRAFANA_CLOUD_KEY: "MTIzOnRva2Vu" }, "authorization", "Basic MTIzOnRva2Vu"],
    ["honeycomb", { HONEYCOMB_API_KEY: "hcaik_1" }, "x-honeycomb-team", "hcaik_1"],
  ] as const) {
    it(`${name}: protobuf in gzip at its paths, with its key`, async () => {
      const { stdout } = await wirespan(env, "config", "print", "--config", example(name));
      assert.ok(stdout.includes(endpoints[name]!), "the example's own endpoint");
      await wirespan(env, "config", "check", example(name));
      const requests = await requested(name, env);
      const base = new URL(endpoints[name]!).pathname.replace(/\/$/, "");
      const signals = ["traces", "metrics", "logs"] as const;
      assert.deepEqual([...requests.keys()].toSorted(), signals.map((s) => `${base}/v1/${s}`).toSorted());
      for (const signal of signals) {
        const { headers, body } = requests.get(`${base}/v1/${signal}`)!;
        assert.equal(headers[header], value);
        assert.equal(headers["content-type"], "application/x-protobuf");
        const encoding = headers["content-encoding"];
        DECODE[signal](encoding === "gzip" ? gunzipSync(body) : body);
      }
    });
  }

  for (const [name, header, signals] of [
    ["tempo", ["x-scope-orgid", "network"], ["traces"]],
    ["datadog", undefined, ["logs", "metrics", "traces"]],
  ] as const) {
    it(`${name}: OTLP over gRPC, with the signals that it accepts`, async () => {
      await wirespan({}, "config", "check", example(name));
      await using sink = await OtlpSink.start("grpc");
      const to = `exporters.${name}.endpoint=${sink.endpoint}`;
      await wirespan({}, "exporters", "test", "--config", example(name), "--set", to);
      assert.deepEqual(sink.received.map(({ signal }) => signal).toSorted(), signals);
      for (const { headers } of sink.received)
        if (header) assert.equal(String(headers[header[0]]), header[1]);
      // 1: delta, of which Datadog keeps histograms.
      const temporalities = sink.metrics.map(({ sum }) => sum?.aggregationTemporality);
      assert.deepEqual(temporalities, name === "datadog" ? [1] : []);
    });
  }
});
