// Runs inside a guest: the report of the agent's doctor there, and what the agent reports about a workload with known
// numbers. Evaluates nothing; writes everything to standard output.
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import type { DoctorReport } from "../../agent/doctor.ts";
import { MAIN, startAgent } from "../support/agent.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { ask, HttpServer } from "../support/http.ts";
import { tap } from "../support/loss.ts";
import { Netns } from "../support/netns.ts";
import { OtlpSink } from "../support/otlp-sink.ts";
import { eventsOf, plain, seriesOf, spansOf } from "../support/received.ts";
import { addresses, pair, withoutOffload } from "../support/topology.ts";
import { type Line, run } from "../support/workload.ts";
import type { Finding, Moved, Requests } from "./finding.ts";
import { lost, runGolden } from "./golden.ts";
import { arePeersInstalled, startPeers } from "./peers.ts";

/** Milliseconds; in an emulated guest on a busy machine, everything is slow. */
const limit = 300_000;

/** A request that the slow sink has accepted late must not be sent again. */
const TIMEOUT = "5m";

function configOf(netns: Netns, sink: OtlpSink): string {
  return `version: 1
filter: { include: { netns: ["${inodeOf(netns)}"] } }
metrics: { interval: 2s }
control: { socket: "" }
shutdown: { timeout: 1m }
plugins:
  tcpstates: { events: true }
  tcpdrop: { eventRate: 1000 }
  tcpretrans: { eventRate: 1000 }
  solisten: { everyCall: true }
  netqtop: { loopback: true }
exporters:
  sink: { type: otlp_${sink.protocol}, endpoint: "${sink.endpoint}", timeout: ${TIMEOUT} }
`;
}

function doctor(): DoctorReport {
  const words = [MAIN, "doctor", "--json"];
  const { stdout, stderr }: SpawnSyncReturns<string> = spawnSync(process.execPath, words, {
    encoding: "utf8",
  });
  if (stdout === "") throw new Error(`doctor says nothing but ${stderr}`);
  return JSON.parse(stdout) as DoctorReport;
}

/** All reports, and the number of packets that a rule dropped. */
async function work(netns: Netns): Promise<readonly [readonly Line[], number]> {
  const said = [...(await runGolden(netns))];
  const rule = await netns.rule("input", `tcp dport ${lost.port}`, "drop");
  said.push(...(await run(netns, "attempt", lost)));
  return [said, await rule.packets()];
}

const difference = (after: Moved, before: Moved): Moved =>
  Object.fromEntries(Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)]));

/** Requests over a link that loses one in 23 of their packets, and one in 37 of the responses' packets. */
async function ask100(): Promise<Requests> {
  await using net = await pair();
  await withoutOffload(net);
  await using sink = await OtlpSink.start("http");
  const namespaces = [net.a, net.b].map((netns) => `"${inodeOf(netns)}"`).join(", ");
  await using agent = await startAgent(["--plugin", "tcplife", "--plugin", "tcpretrans"], {
    config: `version: 1
filter: { include: { netns: [${namespaces}] } }
metrics: { interval: 2s }
control: { socket: "" }
shutdown: { timeout: 1m }
exporters:
  sink: { type: otlp_${sink.protocol}, endpoint: "${sink.endpoint}", timeout: ${TIMEOUT} }
`,
    limit,
  });
  await using server = await HttpServer.start(net.b, addresses.b, 20_000);
  const taps = await Promise.all([net.a, net.b].map(tap));
  await net.b.rule("input", `tcp dport ${server.port} meta length > 100 numgen inc mod 23 == 5`, "drop");
  await net.a.rule("input", `tcp sport ${server.port} meta length > 100 numgen inc mod 37 == 5`, "drop");
  const asked = await ask(net.a, addresses.b, server.port, { count: 100, body: 4000 });
  const answered = await server.stop();
  for (const netns of [net.a, net.b]) await netns.settled();
  const again = (await Promise.all(taps.map((one) => one.stop()))).flat();
  await agent.stop();
  return { asked, answered, again, spans: spansOf(sink.received), series: seriesOf(sink.received) };
}

async function find(): Promise<Finding> {
  const found = doctor();
  await using netns = await Netns.create();
  await using sink = await OtlpSink.start("http");
  const endPeers = arePeersInstalled() ? await startPeers() : async () => [];
  await using agent = await startAgent([], { config: configOf(netns, sink), limit });
  const [counters, carried] = [await netns.counters(), await netns.loopback()];
  const [lines, thrownAway] = await work(netns);
  await netns.settled();
  const moved = {
    counters: difference(await netns.counters(), counters),
    loopback: difference(await netns.loopback(), carried),
  };
  const { code, stderr } = await agent.stop();
  return {
    requests: await ask100(),
    doctor: found,
    netns: inodeOf(netns),
    lines,
    thrownAway,
    spans: spansOf(sink.received),
    events: eventsOf(sink.received),
    series: seriesOf(sink.received),
    ...moved,
    peers: await endPeers(),
    agent: { code, stderr },
  };
}

process.stdout.write(JSON.stringify(await find(), plain));
