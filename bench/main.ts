// `npm run bench`: every figure with its peer and its floor, measured in one run. --quick: under two minutes.
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { native } from "../native/index.ts";
import { Netns, output } from "../test/support/netns.ts";
import { agentCpuRows } from "./agent-cpu.ts";
import { makeBundle } from "./bundled.ts";
import { connectionRow } from "./connection.ts";
import { containerRow } from "./container.ts";
import { OUR_CPU } from "./contenders.ts";
import { correlateLanguageRows } from "./correlate-languages.ts";
import { correlateNodeRows } from "./correlate-node.ts";
import { correlationRows } from "./correlation.ts";
import { encodeRows } from "./encode.ts";
import { markdown, type Row } from "./figures.ts";
import { footprintRows } from "./footprint.ts";
import { packetRow, softirqRow, stateRows } from "./kernel.ts";
import { loadRow } from "./load.ts";
import { peakRows } from "./peak.ts";
import { readerRow } from "./reader.ts";
import * as storm from "./storm.ts";
import { sweepRows } from "./sweep.ts";
import { viewerRows } from "./viewer.ts";

const quick = process.argv.includes("--quick");
const rounds = quick ? 3 : 9;

if (process.getuid?.() !== 0) {
  console.error("bench: needs root: it loads BPF programs and makes network namespaces");
  process.exit(2);
}
makeBundle();
storm.build();
// Every thread of this process, so that the tracers do not use the measured CPU.
await output("taskset", ["-acp", String(OUR_CPU), String(process.pid)]);
await using netns = await Netns.create();
// Otherwise the ports of 127.0.0.0/8 and the memory for TIME_WAIT run out.
await netns.sysctl({ "net.ipv4.tcp_max_tw_buckets": 500 });

const rows: Row[] = [];
const failed: string[] = [];
const parts: readonly [string, () => Promise<readonly Row[]>][] = [
  ["kernel: connections", () => stateRows(netns, rounds)],
  ["kernel: softirqs", async () => [await softirqRow(netns, rounds)]],
  ["kernel: packets", async () => [await packetRow(rounds)]],
  ["sweeps", () => sweepRows(netns, rounds)],
  ["connection", async () => [await connectionRow(netns, rounds)]],
  ["loading", async () => [await loadRow(quick ? 3 : 5)]],
  ["reader", async () => [readerRow(rounds)]],
  ["container", async () => [await containerRow(rounds)]],
  ["start, memory, idle", () => footprintRows(netns, quick ? 3 : 5, quick ? 10 : 60)],
  ["memory under load", () => peakRows(netns, quick ? 10 : 60)],
  ["the agent's CPU", () => agentCpuRows(netns, quick ? 3 : 5)],
  ["the page", () => viewerRows(netns, quick ? 2 : 5)],
  ["encoding", () => encodeRows(rounds)],
  ["correlation", () => correlationRows(netns, rounds)],
  ["correlate/node", async () => correlateNodeRows(rounds)],
  ["correlate/python, correlate/go", async () => correlateLanguageRows(rounds)],
];
for (const [name, take] of parts) {
  process.stderr.write(`bench: ${name}\n`);
  try {
    rows.push(...(await take()));
  } catch (error) {
    // The other figures remain valid; the report says what is missing, and the run fails.
    const [why] = String(error).split("\n");
    console.error(error);
    failed.push(`Not taken: ${name}: ${why}.`);
    process.exitCode = 1;
  }
}

const { kernel } = native.features();
const [cpu] = cpus();
const about = [
  `Linux ${kernel}, ${cpus().length} × ${cpu?.model.trim()}, Node ${process.version}, ${rounds} rounds.`,
];
const text = markdown(rows, about);
const folder = join(import.meta.dirname, "results");
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, "latest.md"), text);
writeFileSync(join(folder, "latest.json"), `${JSON.stringify({ about, rows }, null, 1)}\n`);
console.log(text);
