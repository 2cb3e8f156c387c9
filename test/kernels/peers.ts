// Debian's libbpf-tools alongside the agent: on stock kernels they work, and count correctly.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readlinkSync } from "node:fs";
import { text } from "node:stream/consumers";
import { until } from "../support/until.ts";

const folder = "/usr/sbin";

/** Those whose lines can be assigned to a connection, by a port. */
export const peers = ["tcplife", "tcpconnect", "tcpconnlat", "tcptracer", "solisten"] as const;
/** Those that need no kprobes. */
export const peersByTracepoint = ["tcplife", "tcpstates"] as const;

export type Peer = (typeof peers)[number] | (typeof peersByTracepoint)[number];

/** A tool's output until it was stopped. */
export interface Drawn {
  readonly tool: Peer;
  readonly lines: readonly string[];
}

/** The installed tools; none without root. */
export const arePeersInstalled = (tools: readonly Peer[] = peers): boolean =>
  tools.every((tool) => existsSync(`${folder}/${tool}`));

/** Attached when this returns; disposing of the result ends them. Some need tracefs, which only they can see. */
export async function startPeers(tools: readonly Peer[] = peers): Promise<() => Promise<readonly Drawn[]>> {
  const mounted = 'mount -t tracefs tracefs /sys/kernel/tracing && exec "$0"';
  const running = tools.map((tool) => {
    const child = spawn("unshare", ["-m", "sh", "-c", mounted, `${folder}/${tool}`], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    return { tool, child, exited: once(child, "exit"), said: text(child.stdout) };
  });
  for (const { tool, child } of running) await until(`${tool} to attach`, () => isAttached(child), 120_000);
  return async () => {
    for (const { child } of running) child.kill("SIGINT");
    return Promise.all(
      running.map(async ({ tool, exited, said }) => {
        await exited;
        return { tool, lines: (await said).split("\n") };
      }),
    );
  };
}

/** Their first hook, after which the others follow immediately. */
function isAttached({ pid, exitCode, signalCode }: ChildProcess): boolean {
  if (exitCode !== null || signalCode !== null) throw new Error(`it ended with ${signalCode ?? exitCode}`);
  return readdirSync(`/proc/${pid}/fd`).some((fd) => {
    try {
      return /bpf_link|perf_event/.test(readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      return false; // closed meanwhile
    }
  });
}
