// CPU time of the agent's process per reported connection, once it is warm.
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { installedPlugins } from "../core/engine/discover.ts";
import { startAgent } from "../test/support/agent.ts";
import type { Netns } from "../test/support/netns.ts";
import { run } from "../test/support/workload.ts";
import { asStarted } from "./bundled.ts";
import { STORM_CPU } from "./contenders.ts";
import { median, type Row } from "./figures.ts";

/** Connections per second: a sustained rate, and a peak. The warm-up runs at the peak. */
const RATES = [1000, 6000] as const;
/** Length of a window, seconds. */
const SECONDS = 4;
/** Time for the telemetry of the last connections to leave the agent, milliseconds. */
const SETTLE = 1500;

/** CPU time of all threads of a process, in microseconds; more exact than `stat`, which counts ticks of 10 ms. */
export function cpuOf(pid: number): number {
  const times = readdirSync(`/proc/${pid}/task`).map((tid) =>
    Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, "utf8").split(" ")[0]),
  );
  return times.reduce((sum, ns) => sum + ns, 0) / 1000;
}

/** CPU microseconds per connection (both ends), less what the agent uses when idle. */
async function window(netns: Netns, pid: number, rate: number): Promise<number> {
  const first = cpuOf(pid);
  await sleep(SECONDS * 1000);
  const start = performance.now();
  const before = cpuOf(pid);
  await run(netns, "paced", { rate, seconds: SECONDS, cpu: STORM_CPU });
  await sleep(SETTLE);
  const used = cpuOf(pid) - before;
  const idle = ((before - first) * (performance.now() - start)) / (SECONDS * 1000);
  return (used - idle) / (rate * SECONDS);
}

export async function agentCpuRows(netns: Netns, rounds: number): Promise<Row[]> {
  const { ino } = statSync(netns.path);
  const backend = fork(join(import.meta.dirname, "otlp-discard.ts"));
  const folder = mkdtempSync(join(tmpdir(), "wirespan-bench-"));
  try {
    const [port] = (await once(backend, "message")) as [number];
    await using agent = await startAgent([], {
      ...asStarted,
      config: `version: 1
control: { socket: "${folder}/control.sock" }
filter: { include: { netns: ["${ino}"] } }
exporters: { bench: { type: otlp_grpc, endpoint: "http://127.0.0.1:${port}", compression: none } }
`,
    });
    const warmUp = await window(netns, agent.pid, Math.max(...RATES));
    const figures = RATES.map((): number[] => []);
    for (let round = 0; round < rounds; round++)
      for (const [i, rate] of RATES.entries()) figures[i]!.push(await window(netns, agent.pid, rate));
    await agent.stop();
    return RATES.map((rate, i) => ({
      measure: `the agent's user CPU per connection, both ends, ${installedPlugins().length} plugins, ${rate}/s`,
      unit: "µs",
      ours: figures[i]!,
      peers: [],
      goal: "≤ 15",
      met: median(figures[i]!) <= 15,
      note: `first window ${warmUp.toFixed(0)} µs; its system calls included`,
    }));
  } finally {
    backend.kill();
    rmSync(folder, { recursive: true });
  }
}
