// What a bug report needs about this host and this configuration, without confidential data: secrets are
// already masked in the configuration, and no environment, address or process is read.
import { readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import type { Config } from "../config/config.ts";
import { VERSION } from "../core/base/version.ts";
import { ask, resultOf } from "./control/client.ts";
import type { DoctorReport } from "./doctor.ts";

const SYSCTLS = [
  "kernel/unprivileged_bpf_disabled",
  "kernel/perf_event_paranoid",
  "kernel/kptr_restrict",
  "kernel/bpf_stats_enabled",
  "net/core/bpf_jit_enable",
  "net/core/somaxconn",
  "net/ipv4/tcp_fastopen",
] as const;

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
}

/** Which file systems of interest are mounted, and where. */
function mounts(): readonly string[] {
  const wanted = new Set(["bpf", "tracefs", "securityfs", "cgroup", "cgroup2", "debugfs"]);
  const lines = read("/proc/self/mounts")?.split("\n") ?? [];
  return lines
    .map((line) => line.split(" "))
    .flatMap(([, at, type]) => (wanted.has(type!) ? [`${type} ${at}`] : []));
}

/** The running agent's own status, if one answers. */
async function status(socket: string): Promise<unknown> {
  try {
    return resultOf(await ask(socket, "status"));
  } catch {
    return undefined;
  }
}

/** Plain data, ready for JSON. */
export async function createSupportBundle(config: Config, report: DoctorReport): Promise<object> {
  return {
    wirespan: VERSION,
    node: process.version,
    kernel: { release: release(), version: read("/proc/version") },
    os: read("/etc/os-release"),
    machine: { arch: process.arch, cpus: cpus().length, memoryBytes: totalmem() },
    capabilities: read("/proc/self/status")?.match(/^Cap.*$/gm) ?? [],
    lsm: read("/sys/kernel/security/lsm"),
    mounts: mounts(),
    sysctls: Object.fromEntries(SYSCTLS.map((name) => [name, read(`/proc/sys/${name}`)])),
    doctor: report,
    configuration: config.effective,
    agent: config.control.socket ? await status(config.control.socket) : undefined,
  };
}
