// What the agent costs at startup, and when idle.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { installedPlugins } from "../core/engine/discover.ts";
import { type Agent, startAgent } from "../test/support/agent.ts";
import type { Netns } from "../test/support/netns.ts";
import { OtlpSink } from "../test/support/otlp-sink.ts";
import { run } from "../test/support/workload.ts";
import { cpuOf } from "./agent-cpu.ts";
import { asStarted } from "./bundled.ts";
import { median, type Row } from "./figures.ts";

/** Milliseconds after which a collection has reported the connections, and garbage has been collected. */
const REPORTED = 12_000;

const milliseconds = (pid: number): number => cpuOf(pid) / 1000;

/** Megabytes; `kind` as in /proc/pid/smaps_rollup. */
export function memoryOf(pid: number, kind: "Rss" | "Pss" | "Anonymous"): number {
  const [, kilobytes] = new RegExp(`^${kind}: +(\\d+)`, "m").exec(
    readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"),
  )!;
  return Number(kilobytes) / 1024;
}

/** CPU milliseconds from exec to the end of the shortest program that Node can run. */
async function nodeAlone(): Promise<number> {
  const child = spawn(process.execPath, ["-e", "process.stdout.write('.'); setInterval(() => {}, 1000)"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  await once(child.stdout, "data");
  const cpu = milliseconds(child.pid!);
  child.kill("SIGKILL");
  return cpu;
}

interface Started {
  readonly cpu: number;
  /** Milliseconds from exec to the first request that the backend accepted. */
  readonly firstExport: number;
  readonly agent: Agent;
  readonly sink: OtlpSink;
  readonly folder: string;
}

/** The kernel filters out the machine's other connections. */
async function start(netns: Netns, correlates: boolean): Promise<Started> {
  const { ino } = statSync(netns.path);
  const sink = await OtlpSink.start("grpc");
  const folder = mkdtempSync(join(tmpdir(), "wirespan-bench-"));
  const begun = performance.now();
  const agent = await startAgent([], {
    ...asStarted,
    config: `version: 1
control: { socket: "${folder}/control.sock" }
correlate: { enabled: ${correlates} }
filter: { include: { netns: ["${ino}"] } }
exporters: { bench: { type: otlp_grpc, endpoint: "${sink.endpoint}" } }
`,
  });
  const cpu = milliseconds(agent.pid);
  await run(netns, "clientCloses", { count: 20, delay: 0 });
  while (sink.received.length === 0) await sleep(5);
  return { cpu, firstExport: sink.received[0]!.at - begun, agent, sink, folder };
}

async function stop({ agent, sink, folder }: Started): Promise<void> {
  await agent.stop();
  await agent[Symbol.asyncDispose]();
  await sink.stop();
  rmSync(folder, { recursive: true });
}

export async function footprintRows(netns: Netns, rounds: number, idleSeconds: number): Promise<Row[]> {
  const [cpu, alone, first, rss, pss, anonymous, idle]: number[][] = [[], [], [], [], [], [], []];
  // Fills the compile cache.
  await stop(await start(netns, false));
  for (let round = 0; round < rounds; round++) {
    alone!.push(await nodeAlone());
    // The programs that read trace contexts are loaded afterwards, and have rows of their own (correlation.ts).
    const bare = await start(netns, false);
    cpu!.push(bare.cpu);
    await stop(bare);
    const started = await start(netns, true);
    first!.push(started.firstExport / 1000);
    if (round === rounds - 1) {
      // Startup is over, and its garbage has been collected.
      await sleep(5000);
      await run(netns, "paced", { rate: 500, seconds: 2 });
      rss!.push(memoryOf(started.agent.pid, "Rss"));
      pss!.push(memoryOf(started.agent.pid, "Pss"));
      anonymous!.push(memoryOf(started.agent.pid, "Anonymous"));
      await sleep(REPORTED);
      const before = milliseconds(started.agent.pid);
      await sleep(idleSeconds * 1000);
      idle!.push((milliseconds(started.agent.pid) - before) / (idleSeconds * 10));
    }
    await stop(started);
  }
  const plugins = `${installedPlugins().length} plugins`;
  return [
    {
      measure: `exec to all attached, ${plugins}, trace contexts apart, CPU`,
      unit: "ms",
      ours: cpu!,
      floor: { name: "node alone", figures: alone! },
      peers: [],
      goal: "≤ 220",
      met: median(cpu!) <= 220,
    },
    {
      measure: "exec to the first OTLP request",
      unit: "s",
      ours: first!,
      peers: [],
      goal: "≤ 2",
      met: median(first!) <= 2,
    },
    {
      measure: `RSS after 1,000 connections, ${plugins}`,
      unit: "MB",
      ours: rss!,
      peers: [],
      goal: "≤ 85",
      met: median(rss!) <= 85,
      note: `PSS ${median(pss!).toFixed(0)} MB`,
    },
    {
      measure: "of it anonymous",
      unit: "MB",
      ours: anonymous!,
      peers: [],
      goal: "≤ 30",
      met: median(anonymous!) <= 30,
    },
    {
      measure: `CPU while nothing of it happens, ${idleSeconds} s, a collection every 10 s`,
      unit: "% of a core",
      ours: idle!,
      peers: [],
      goal: "≤ 0.1",
      met: median(idle!) <= 0.1,
    },
  ];
}
