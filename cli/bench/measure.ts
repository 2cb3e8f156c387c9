// What an agent costs on this host, compared with the same work without one.
import { execFile } from "node:child_process";
import { cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { BenchAgent, type BenchAgentOptions } from "./agent.ts";
import type { Window } from "./workload.ts";

const ROUNDS = 3;
/** Seconds until the telemetry of the last connections has left the agent. */
const SETTLE = 1;

export interface Round {
  readonly off: Window;
  readonly on: Window;
  readonly startSeconds: number;
  /** Microseconds of the agent's own CPU for each connection, minus what it uses when idle. */
  readonly agentUs: number;
  /** CPU that it uses when idle, as a share of one CPU. */
  readonly idle: number;
  /** Connection ends that it has seen for each that was opened. */
  readonly seen: number;
  /** Bytes. */
  readonly memory: number;
}

export interface Measured {
  readonly cpu: { readonly model: string; readonly count: number };
  readonly plugins: number;
  readonly seconds: number;
  readonly rounds: readonly Round[];
}

/** Connections in a separate process, as the agent's are. */
async function makeConnections(seconds: number): Promise<Window> {
  const words = [...process.execArgv, process.argv[1]!, "bench", "--workload", String(seconds)];
  const { stdout } = await promisify(execFile)(process.execPath, words);
  return JSON.parse(stdout) as Window;
}

async function round(
  options: BenchAgentOptions,
  seconds: number,
): Promise<Round & { readonly plugins: number }> {
  const off = await makeConnections(seconds);
  await using agent = await BenchAgent.start(options);
  // To warm it up.
  await makeConnections(seconds / 2);
  await sleep(SETTLE * 1000);
  const first = agent.cpuUs();
  await sleep(seconds * 1500);
  const idle = (agent.cpuUs() - first) / (seconds * 1.5e6);
  const opened = await agent.opened();
  const before = agent.cpuUs();
  const begun = performance.now();
  const on = await makeConnections(seconds);
  await sleep(SETTLE * 1000);
  const used = agent.cpuUs() - before - idle * (performance.now() - begun) * 1000;
  const seen = ((await agent.opened()) - opened) / (2 * on.connections);
  return {
    ...{ off, on, idle, seen },
    startSeconds: agent.startSeconds,
    agentUs: Math.max(0, used) / on.connections,
    memory: agent.memory(),
    plugins: agent.plugins,
  };
}

/**
 * `seconds`: of connections in each round, without an agent and with one. `progress`: called with each step, for
 * people.
 */
export async function measure(
  options: BenchAgentOptions,
  seconds: number,
  progress: (text: string) => void,
): Promise<Measured> {
  const rounds: Round[] = [];
  let plugins = 0;
  for (let i = 0; i < ROUNDS; i++) {
    progress(`round ${i + 1} of ${ROUNDS}`);
    const { plugins: running, ...one } = await round(options, seconds);
    plugins = running;
    rounds.push(one);
  }
  const all = cpus();
  return { cpu: { model: all[0]?.model.trim() ?? "", count: all.length }, plugins, seconds, rounds };
}
