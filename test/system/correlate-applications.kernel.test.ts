// Realistic applications: sampled by their SDK, and older than the agent.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExponentialHistogram } from "../../core/plugin/signals.ts";
import { forwardTelemetry } from "../../examples/shop/services.ts";
import { watchContexts } from "../support/contexts.ts";
import { HttpServer, linesOf } from "../support/http.ts";
import { size } from "../support/long.ts";
import { goClient, lossFolder } from "../support/loss.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { OtlpSink } from "../support/otlp-sink.ts";
import { skip } from "../support/skip.ts";
import { until } from "../support/until.ts";

const root = join(import.meta.dirname, "../..");
const only = (netns: Netns) => ({ "filter.include.netns": String(statSync(netns.path).ino) });

describe("the trace contexts of an application", () => {
  before(function () {
    needsRoot(this);
  });

  const count = size(100, 1000);
  for (const [sampler, least] of [
    ["parentbased_traceidratio", count / 4],
    ["always_off", 0],
  ] as const) {
    it(`with sampler ${sampler} have our spans below those that it exports, and no others; metrics count all of ${count} requests`, async () => {
      await using made = new AsyncDisposableStack();
      const folder = mkdtempSync(join(tmpdir(), "wirespan-sdk-"));
      made.defer(() => rmSync(folder, { recursive: true }));
      const netns = made.use(await Netns.create());
      const sink = made.use(await OtlpSink.start("http"));
      const port = Number(new URL(sink.endpoint).port);
      made.use(await forwardTelemetry([netns], join(folder, "otlp.sock"), port));
      const server = made.use(await HttpServer.start(netns, "127.0.0.1"));
      const w = made.use(
        await watchContexts(["tcplife", "tcpaccept"], {
          ...only(netns),
          "filter.exclude.remotePort": "4318",
          "filter.exclude.localPort": "4318",
          "correlate.rate": "100000",
        }),
      );
      await linesOf(
        netns,
        [process.execPath, `${root}/test/http/sdk.mjs`, "127.0.0.1", String(server.port), String(count)],
        {
          ...{ OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: "0.5" },
          ...{ OTEL_METRICS_EXPORTER: "none", OTEL_LOGS_EXPORTER: "none" },
          ...{
            OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318",
            OTEL_EXPORTER_OTLP_PROTOCOL: "http/protobuf",
          },
        },
      );
      const own = () => w.seen.spans.filter(({ name }) => name === "tcp connection");
      await w.seen.until("both ends of all", () => own().length >= 2 * count);
      const exported = sink.spans.map(({ traceId, spanId }) => `${traceId}-${spanId}`).sort();
      assert.ok(exported.length >= least && exported.length <= 3 * least, `${exported.length} exported`);
      for (const name of ["tcp connect", "tcp accept"]) {
        const below = w.seen.spans.filter((s) => s.name === name && s.attributes["wirespan.context.source"]);
        assert.deepEqual(below.map((s) => `${s.traceId}-${s.parentSpanId}`).sort(), exported, name);
      }
      assert.equal(w.traceparents("sent").length, count);
      const durations = (await w.seen.collect()).filter(
        ({ spec }) => spec.name === "wirespan.tcp.connection.duration",
      );
      const values = durations.flatMap(({ points }) =>
        points.map(({ value }) => value as ExponentialHistogram),
      );
      assert.equal(
        values.reduce((sum, { count }) => sum + count, 0),
        2 * count,
      );
    });
  }

  it("that started before the agent are read from its table: Node.js, Python and Go", async function () {
    if (spawnSync("go", ["version"]).status !== 0) skip(this, "no go on this machine");
    await using netns = await Netns.create();
    // So that they send continuously, and leave the machine to others.
    await netns.run("tc", ..."qdisc add dev lo root tbf rate 400kbit burst 2000 latency 1s".split(" "));
    const url = (server: HttpServer) => [`http://127.0.0.1:${server.port}/`, "1", "1000000"];
    const clients: readonly ((server: HttpServer) => Promise<readonly string[]> | readonly string[])[] = [
      ({ port }) => [
        ...[
          process.execPath,
          "--import",
          `${root}/correlate/node/register.js`,
          `${root}/test/http/client.mjs`,
        ],
        ...["127.0.0.1", String(port), '{"count":1000000}'],
      ],
      (server) => ["python3", "-uB", `${lossFolder}client.py`, ...url(server)],
      async (server) => [await goClient(), ...url(server)],
    ];
    await using made = new AsyncDisposableStack();
    const ports = await Promise.all(
      clients.map(async (of) => {
        const server = made.use(await HttpServer.start(netns, "127.0.0.1"));
        const [program = "", ...words] = await of(server);
        const env = { ...process.env, PYTHONPATH: `${root}/correlate/python` };
        const child = netns.spawn(program, words, { env, stdio: ["ignore", "pipe", "inherit"] });
        made.defer(() => void child.kill("SIGKILL"));
        await once(child.stdout!, "data");
        child.stdout!.resume();
        return server.port;
      }),
    );
    await using w = await watchContexts([], only(netns));
    const labelled = () =>
      new Set(w.contexts().flatMap(({ source, peerPort }) => (source === "table" ? [peerPort] : [])));
    await until("labels of all three", () => ports.every((port) => labelled().has(port)));
  });
});
