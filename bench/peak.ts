// The agent's peak memory under load: with a backend that answers after 100 ms, and without one.
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ask } from "../agent/control/client.ts";
import type { Status } from "../agent/status.ts";
import { startAgent } from "../test/support/agent.ts";
import type { Netns } from "../test/support/netns.ts";
import { run } from "../test/support/workload.ts";
import { asStarted } from "./bundled.ts";
import { STORM_CPU } from "./contenders.ts";
import type { Row } from "./figures.ts";

/** Four spans each for both ends: 10,000 spans per second. */
const RATE = 2500;
const LATENCY_MS = 100;
const QUEUE_BYTES = 32 * 1024 ** 2;
const GOAL = 150;

interface Peak {
  /** Peak RSS, megabytes. */
  readonly rss: number;
  readonly spansPerSecond: number;
  readonly acknowledged: number;
  readonly given: number;
  /** Megabytes queued at the end. */
  readonly queued: number;
}

/** Peak RSS since the process started, megabytes. */
function peakOf(pid: number): number {
  return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) / 1024;
}

async function peak(netns: Netns, endpoint: string, seconds: number): Promise<Peak> {
  const folder = mkdtempSync(join(tmpdir(), "wirespan-bench-"));
  const socket = `${folder}/control.sock`;
  try {
    await using agent = await startAgent([], {
      ...asStarted,
      config: `version: 1
control: { socket: "${socket}" }
filter: { include: { netns: ["${statSync(netns.path).ino}"] } }
shutdown: { timeout: 0s }
exporters: { bench: { type: otlp_grpc, endpoint: "${endpoint}", queue: { bytes: ${QUEUE_BYTES} } } }
`,
    });
    const began = performance.now();
    await run(netns, "paced", { rate: RATE, seconds, cpu: STORM_CPU, limit: (seconds + 60) * 1000 });
    const took = (performance.now() - began) / 1000;
    const answer = await ask(socket, "status");
    if (answer.error !== undefined) throw new Error(answer.error.message);
    const { balance, queue } = (answer.result as Status).exporters[0]!;
    const { given, acknowledged } = balance.span;
    const rss = peakOf(agent.pid);
    await agent.stop();
    return { rss, spansPerSecond: given / took, acknowledged, given, queued: queue.bytes / 1024 ** 2 };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)} %`;

/** Peak RSS during `seconds` of load, megabytes. */
export async function peakRows(netns: Netns, seconds: number): Promise<Row[]> {
  const backend = fork(join(import.meta.dirname, "otlp-discard.ts"), [String(LATENCY_MS)]);
  try {
    const [port] = (await once(backend, "message")) as [number];
    const slow = await peak(netns, `http://127.0.0.1:${port}`, seconds);
    const dead = await peak(netns, "http://127.0.0.1:1", seconds);
    const beside = dead.rss - dead.queued;
    return [
      {
        measure: `peak RSS over ${RATE} connections/s for ${seconds} s, backend at ${LATENCY_MS} ms`,
        unit: "MB",
        ours: [slow.rss],
        peers: [],
        goal: `≤ ${GOAL}`,
        met: slow.rss <= GOAL,
        note: `${slow.spansPerSecond.toFixed(0)} spans/s, ${percent(slow.acknowledged, slow.given)} of them acknowledged at the end`,
      },
      {
        measure: "the same without a backend, not counting what waits in the queue",
        unit: "MB",
        ours: [beside],
        peers: [],
        goal: `≤ ${GOAL}`,
        met: beside <= GOAL,
        note: `${dead.spansPerSecond.toFixed(0)} spans/s, ${dead.queued.toFixed(1)} MB wait`,
      },
    ];
  } finally {
    backend.kill();
  }
}
