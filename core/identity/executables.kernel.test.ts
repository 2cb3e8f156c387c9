// Programs are reported with their complete names in spans, events and sums, even after they have ended.
import assert from "node:assert/strict";
import { inodeOf } from "../../test/support/connection-ends.ts";
import { type Watch, watch } from "../../test/support/engine.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { build, copied, run } from "../../test/support/workload.ts";

/** Their first 250 characters are equal. */
const stem = "a".repeat(250);
/** Name -> payload that its client sends. */
const PROGRAMS = new Map([
  ["opentelemetry-collector-contrib", 1000],
  ["opentelemetry-collector-loadbalancer", 2000],
  [`${stem}first`, 3000],
  [`${stem}other`, 4000],
  ['with space, "quotes", (deleted) and\nline', 5000],
  ["näme-日本", 6000],
  ["x", 7000],
]);

/** Sent payload by the executable's name and by service.name. */
async function sent(watched: Watch, metric: string): Promise<ReadonlyMap<string, number>> {
  const metrics = (await watched.collect()).filter(({ spec }) => spec.name === metric);
  const points = metrics.flatMap(({ points, resource }) => points.map((point) => ({ ...point, resource })));
  const found = new Map<string, number>();
  for (const { attributes, value, resource } of points) {
    if (attributes["network.io.direction"] !== "transmit" || !value) continue;
    const name = String(attributes["process.executable.name"]);
    if (!PROGRAMS.has(name)) continue;
    assert.equal(resource.attributes["service.name"], name);
    found.set(name, (found.get(name) ?? 0) + (value as number));
  }
  return found;
}

describe("names of executables", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  it("are complete, up to 255 bytes of any kind, in spans and sums of processes that have ended", async () => {
    await using netns = await Netns.create();
    await using files = new AsyncDisposableStack();
    for (const name of PROGRAMS.keys()) files.use(await copied(name));
    const only = { "filter.include.netns": String(inodeOf(netns)), "filter.include.direction": "outbound" };
    await using watched = await watch(["tcplife", "tcptop", "tcpconnlat", "tcpstates"], only);
    for (const [clientFile, up] of PROGRAMS) await run(netns, "clientCloses", { clientFile, up });
    await netns.settled();
    const connections = () => watched.spans.filter(({ name }) => name === "tcp connection");
    await watched.until("spans", () => connections().length >= PROGRAMS.size);
    const bytes = connections().map(({ attributes }) => [
      attributes["process.executable.name"],
      attributes["wirespan.tcp.bytes_sent"],
    ]);
    assert.deepEqual(bytes, [...PROGRAMS]);
    assert.deepEqual(await sent(watched, "wirespan.tcp.io"), PROGRAMS);
    assert.deepEqual(await sent(watched, "wirespan.tcp.process.io"), PROGRAMS);
    for (const metric of ["wirespan.tcp.connect.duration", "wirespan.tcp.state.duration"]) {
      const of = (await watched.collect()).filter(({ spec }) => spec.name === metric);
      const names = of.flatMap(({ points }) => points.map((p) => p.attributes["process.executable.name"]));
      assert.deepEqual(new Set(names), new Set(PROGRAMS.keys()), metric);
    }
    assert.equal(watched.counters().lost_names, 0);
  });

  it("are complete in events, including those of listeners", async () => {
    await using netns = await Netns.create();
    const [name] = [...PROGRAMS.keys()].slice(3);
    await using _file = await copied(name!);
    const only = { "filter.include.netns": String(inodeOf(netns)), "plugins.solisten.everyCall": "true" };
    await using watched = await watch(["solisten"], only);
    await run(netns, "listen", { serverFile: name! });
    await watched.until("events", () => watched.events.length >= 2);
    const names = new Set(watched.events.map(({ attributes }) => attributes["process.executable.name"]));
    assert.deepEqual(names, new Set([name]));
  });
});
