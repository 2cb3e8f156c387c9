// Processes of an ordinary user that declare a lot of false information about themselves.
import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type Agent, startAgent } from "../support/agent.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { Netns, needsRoot, output } from "../support/netns.ts";
import { OtlpSink } from "../support/otlp-sink.ts";
import { until } from "../support/until.ts";

const sources = join(import.meta.dirname, "../kinds");
const count = 1000;

/** Resident memory of the agent, kB. */
function resident({ pid }: Agent): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]);
}

describe(`${count} processes that claim others' names, of 15 kB`, () => {
  let folder = "";

  before(async function () {
    needsRoot(this);
    folder = mkdtempSync(join(tmpdir(), "wirespan-hostile-"));
    chmodSync(folder, 0o755);
    await output("cc", ["-O1", "-pthread", "-o", join(folder, "client"), join(sources, "client.c")]);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const excluded of [false, true]) {
    it(`do not make the agent's memory grow, nor export a false name${excluded ? ", and are not read if the filter excludes them" : ""}`, async () => {
      await using sink = await OtlpSink.start("grpc");
      await using netns = await Netns.create();
      await using agent = await startAgent(["--plugin", "tcplife"], {
        config: `version: 1
filter: { ${excluded ? "exclude" : "include"}: { netns: ["${inodeOf(netns)}"] } }
metrics: { interval: 1s }
control: { socket: "" }
exporters:
  sink: { type: otlp_grpc, endpoint: "${sink.endpoint}" }
`,
      });
      const server = netns.spawn("python3", ["-B", join(sources, "server.py")], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const [port] = (await once(createInterface({ input: server.stdout! }), "line")) as [string];
      const crowd = (size: number) =>
        netns.run("python3", "-B", join(sources, "crowd.py"), join(folder, "client"), port, String(size));
      await crowd(100);
      const before = resident(agent);
      await crowd(count);
      // What is no longer needed is freed a little later.
      await until("the agent's size", () => resident(agent) - before < 40_000);
      const { code, stderr } = await agent.stop();
      assert.equal(code, 0, stderr.join("\n"));
      const resources = sink.received.flatMap((each) =>
        each.signal === "traces"
          ? each.decoded.resourceSpans.map(({ resource }) => resource.attributes)
          : each.signal === "metrics"
            ? each.decoded.resourceMetrics.map(({ resource }) => resource.attributes)
            : [],
      );
      const names = new Set(resources.map((attributes) => String(attributes["service.name"])));
      const ours = [...names].filter((name) => name.startsWith("crowd-"));
      if (excluded) assert.equal(ours.length, 0);
      else assert.ok(ours.length > count / 2, `${ours.length} names`);
      for (const name of names) assert.ok(Buffer.byteLength(name) <= 256, name);
      for (const attributes of resources) {
        assert.doesNotMatch(
          JSON.stringify(attributes, (_, value) => (typeof value === "bigint" ? `${value}` : value)),
          /spoofed|evil|account/,
        );
        assert.notEqual(attributes["host.id"], "1");
      }
    });
  }
});
