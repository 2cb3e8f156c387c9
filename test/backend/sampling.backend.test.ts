// Sampled traces in a real Collector: the right ones are kept, and each span has the tracestate of its sampling.
import assert from "node:assert/strict";
import { startAgent } from "../support/agent.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { Netns, needsRoot } from "../support/netns.ts";
import { until } from "../support/until.ts";
import { build, run } from "../support/workload.ts";
import { startCollector } from "./collector.ts";
import { needBackends } from "./find.ts";
import { attributesOf } from "./otlp.ts";

describe("sampled traces in a Collector", () => {
  before(async function () {
    needsRoot(this);
    needBackends(this, "collector");
    await build();
  });

  for (const path of ["lean", "sdk"]) {
    it(`have ids and tracestate according to OTEL_TRACES_SAMPLER (path: ${path})`, async () => {
      await using collector = await startCollector();
      await using netns = await Netns.create();
      const env = { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.25" };
      const config = `version: 1
filter: { include: { netns: ["${inodeOf(netns)}"] } }
control: { socket: "" }
exporters: { collector: { type: otlp_http, endpoint: "${collector.http}", path: ${path} } }
`;
      await using agent = await startAgent(["--plugin", "tcplife", "--plugin", "tcpaccept"], { config, env });
      await run(netns, "burst", { count: 200 });
      await run(netns, "attempt", { port: 9, count: 3 });
      await agent.stop();
      const spans = await until("the attempts", async () => {
        const found = (await collector.spans()).map(({ item }) => item);
        const failed = found.filter(({ attributes }) => attributesOf(attributes)["error.type"]);
        return failed.length >= 3 && found.length > failed.length && found;
      });
      for (const { traceId, traceState, attributes } of spans) {
        const always = attributesOf(attributes)["error.type"] !== undefined;
        const kept = BigInt(`0x${traceId.slice(-14)}`) >= 3n << 54n;
        assert.ok(kept || traceState === "ot=th:0", `${traceId} ${traceState}`);
        if (always) assert.equal(traceState, "ot=th:0");
        else assert.match(String(traceState), /^ot=th:[0c]$/);
      }
      const ends = spans.filter(({ name }) => name === "tcp connection").length;
      assert.ok(ends >= 40 && ends <= 180, `${ends} of 403 ends`);
    });
  }
});
