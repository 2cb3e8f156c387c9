// Runs inside a guest: what the agent's doctor says there, and what the agent tells of a workload whose
// numbers are known. Judges nothing; all of it goes to standard output.
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { DoctorReport } from "../../agent/doctor.ts";
import { startAgent } from "../support/agent.ts";
import { inodeOf } from "../support/connection-ends.ts";
import { Netns } from "../support/netns.ts";
import { OtlpSink } from "../support/otlp-sink.ts";
import { eventsOf, plain, seriesOf, spansOf } from "../support/received.ts";
import { type Line, run } from "../support/workload.ts";
import type { Finding, Moved } from "./finding.ts";
import { lost, runGolden } from "./golden.ts";
import { arePeersInstalled, startPeers } from "./peers.ts";

const main = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));
/** Milliseconds; emulated on a busy machine, everything takes its time. */
const limit = 300_000;

function configOf(netns: Netns, sink: OtlpSink): string {
  return `version: 1
filter: { include: { netns: ["${inodeOf(netns)}"] } }
metrics: { interval: 2s }
control: { socket: "" }
plugins:
  tcpstates: { events: true }
  tcpdrop: { eventRate: 1000 }
  tcpretrans: { eventRate: 1000 }
  solisten: { everyCall: true }
  netqtop: { loopback: true }
exporters:
  sink: { type: otlp_${sink.protocol}, endpoint: "${sink.endpoint}" }
`;
}

function doctor(): DoctorReport {
  const words = [main, "doctor", "--json"];
  const { stdout, stderr }: SpawnSyncReturns<string> = spawnSync(process.execPath, words, {
    encoding: "utf8",
  });
  if (stdout === "") throw new Error(`doctor says nothing but ${stderr}`);
  return JSON.parse(stdout) as DoctorReport;
}

/** What everybody said, and how many packets a rule threw away. */
async function work(netns: Netns): Promise<readonly [readonly Line[], number]> {
  const said = [...(await runGolden(netns))];
  const rule = await netns.rule("input", `tcp dport ${lost.port}`, "drop");
  said.push(...(await run(netns, "attempt", lost)));
  return [said, await rule.packets()];
}

const difference = (after: Moved, before: Moved): Moved =>
  Object.fromEntries(Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)]));

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
