// Jaeger has no warnings about our traces, neither in the API of its pages nor in its newer one.
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { startAgent } from "../support/agent.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { needsRoot } from "../support/netns.ts";
import { addresses, type Pair, pair } from "../support/topology.ts";
import { until } from "../support/until.ts";
import { build, run } from "../support/workload.ts";
import { needBackends } from "./find.ts";
import { type Jaeger, type ShownTrace, startJaeger, WARNINGS } from "./jaeger.ts";
import { attributesOf } from "./otlp.ts";

const COUNT = 300;
/** Cases that run at once, each with its own server: the acceptor or the opener closes first. */
const CASES = { 7301: "serverCloses", 7302: "clientCloses", 7303: "clientCloses" } as const;
const PORTS = Object.keys(CASES).map(Number);

/** Connections of several durations with both ends here, and attempts that are refused. */
async function traffic({ a, b }: Pair): Promise<void> {
  const options = { server: b, address: addresses.b, count: COUNT / PORTS.length };
  await Promise.all(
    Object.entries(CASES).map(([port, name], i) =>
      run(a, name, { ...options, port: Number(port), delay: 1 + 3 * i }),
    ),
  );
  await run(a, "attempt", { address: addresses.b, port: 7309, count: 10 });
}

function faultsShown(traces: readonly ShownTrace[]): string[] {
  return traces.flatMap(({ traceID, spans }) =>
    spans.flatMap(({ operationName, warnings }) =>
      (warnings ?? []).map((warning) => `${traceID} ${operationName}: ${warning}`),
    ),
  );
}

async function faultsOf(jaeger: Jaeger, traces: readonly ShownTrace[]): Promise<string[]> {
  const faults: string[] = [];
  for (const { traceID } of traces) {
    const spans = await jaeger.trace(traceID);
    const ids = new Set(spans.map(({ item }) => item.spanId));
    for (const { item } of spans) {
      if (item.parentSpanId && !ids.has(item.parentSpanId)) faults.push(`${traceID} ${item.name}: no parent`);
      const warnings = item.attributes?.find(({ key }) => key === WARNINGS);
      if (warnings) faults.push(`${traceID} ${item.name}: ${JSON.stringify(warnings.value)}`);
    }
  }
  return faults;
}

describe("traces in Jaeger", () => {
  before(async function () {
    needsRoot(this);
    needBackends(this, "jaeger");
    await build();
  });

  /** All traces of the traffic, found by a service that they all contain. */
  async function traced(
    filter: (net: Pair) => string,
    { service, traces, spans }: { service: string; traces: number; spans: number },
    look: (jaeger: Jaeger, found: readonly ShownTrace[]) => Promise<void>,
  ): Promise<void> {
    await using jaeger = await startJaeger();
    await using net = await pair();
    await using agent = await startAgent([], {
      config: `version: 1
filter: { include: { netns: ["${inodeOf(net.a)}", "${inodeOf(net.b)}"], ${filter(net)} } }
spans: { kind: client-server }
exporters:
  jaeger: { type: otlp_grpc, endpoint: "${jaeger.grpc}", signals: [traces] }
`,
    });
    await traffic(net);
    const found = async () => (await jaeger.shown(service, 1000)).filter(({ spans }) => spans.length > 0);
    await until("all spans", async () => {
      const all = await found();
      return all.length >= traces && all.reduce((sum, each) => sum + each.spans.length, 0) >= spans;
    });
    await delay(500); // enough time for late warnings
    const all = await found();
    assert.equal(all.length, traces);
    assert.equal(
      all.reduce((sum, each) => sum + each.spans.length, 0),
      spans,
    );
    assert.deepEqual(faultsShown(all).slice(0, 5), []);
    assert.deepEqual((await faultsOf(jaeger, all)).slice(0, 5), []);
    await look(jaeger, all);
    assert.equal((await agent.stop()).code, 0);
  }

  it("have no warning, whichever end ends last, and distinguish servers", () =>
    traced(
      () => "",
      { service: "pcli", traces: COUNT + 10, spans: 4 * COUNT + 2 * 10 },
      async (jaeger, all) => {
        const [{ traceID }] = all.filter(({ spans }) => spans.length === 4) as [ShownTrace];
        const hosts = (await jaeger.trace(traceID)).map(({ resource }) => resource["host.name"]);
        assert.equal(new Set(hosts).size, 1);
        const counts = new Map<unknown, number>();
        for (const { spans } of all) {
          const root = spans.find(({ references }) => references.length === 0);
          const port = root?.tags.find(({ key }) => key === "server.port")?.value;
          counts.set(port, (counts.get(port) ?? 0) + 1);
        }
        assert.deepEqual(
          [...counts].sort(),
          [...PORTS.map((port) => [port, COUNT / PORTS.length]), [7309, 10]].sort(),
        );
        const errors = all.filter(({ spans }) =>
          spans.some(({ tags }) => tags.some(({ key, value }) => key === "error" && value === true)),
        );
        assert.equal(errors.length, 10);
        for (const { spans } of errors) {
          const failed = spans.filter(({ tags }) => tags.some(({ key }) => key === "error"));
          assert.deepEqual(
            failed.map(({ operationName }) => operationName),
            ["tcp connect"],
          );
        }
      },
    ));

  it("have no warning if a filter leaves out the opener's end", () =>
    traced(
      () => `localPort: ["${PORTS.join('", "')}"]`,
      { service: "psrv", traces: COUNT, spans: 2 * COUNT },
      async (jaeger, [first]) => {
        const spans = await jaeger.trace(first!.traceID);
        const directions = spans.map(
          ({ item }) => attributesOf(item.attributes)["wirespan.connection.direction"],
        );
        assert.deepEqual(directions, ["inbound", "inbound"]);
      },
    ));

  it("have no warning if a filter leaves out the acceptor's end", () =>
    traced(
      () => `direction: [outbound]`,
      { service: "pcli", traces: COUNT + 10, spans: 2 * (COUNT + 10) },
      async () => {},
    ));
});
