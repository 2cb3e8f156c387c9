// The tracers to compare: none, programs that do nothing, wirespan, bpftrace and libbpf-tools.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { engineParts } from "../agent/engine-parts.ts";
import { skeleton as trackerSkeleton } from "../bpf/tracker/tracker.skel.ts";
import { load, selection } from "../cli/setup.ts";
import { parts } from "../core/engine/parts.ts";
import { programsOf } from "../core/engine/readings.ts";
import type { Sink } from "../core/plugin/signals.ts";
import { native } from "../native/index.ts";
import { end } from "../test/support/netns.ts";

const root = join(import.meta.dirname, "..");

/** The CPU of the tracers; the load runs on STORM_CPU. */
export const OUR_CPU = 0;
export const STORM_CPU = 1;

export interface Runs {
  /** Its hook; empty if that is not known. */
  readonly hook: string;
  readonly count: number;
  readonly ns: number;
}

/** A running tracer. */
export interface Watching {
  /** Runs of its programs so far; times only if statistics are on. */
  runs(): readonly Runs[];
  stop(): Promise<void>;
}

export interface Contender {
  readonly name: string;
  start(): Promise<Watching>;
}

export const nothing: Contender = {
  name: "nothing",
  start: async () => ({ runs: () => [], stop: async () => {} }),
};

const HOOKS: Readonly<Record<string, string>> = {
  empty_state: "tp_btf/inet_sock_set_state",
  empty_entry: "tp_btf/softirq_entry",
  empty_exit: "tp_btf/softirq_exit",
  empty_transmit: "tp_btf/net_dev_start_xmit",
  empty_receive: "tp_btf/netif_receive_skb",
  empty_send: "tp_btf/tcp_sendmsg_locked",
  empty_send_function: "fentry/tcp_sendmsg_locked",
  empty_segment: "tp_btf/tcp_probe",
};

export function empty(...programs: string[]): Contender {
  return {
    name: "empty program",
    async start() {
      execFileSync("make", ["-s", "-C", root, "bench/bpf/empty.bpf.o"], {
        stdio: ["ignore", "ignore", "inherit"],
      });
      const object = await native.load("empty", readFileSync(join(root, "bench/bpf/empty.bpf.o")), {
        programs,
      });
      for (const program of programs) object.attach(program);
      return {
        runs: () =>
          object.programs().map((p) => ({ hook: HOOKS[p.name]!, count: p.runCount, ns: p.runTimeNs })),
        stop: async () => object.close(),
      };
    },
  };
}

export const log = { debug() {}, info() {}, warn: console.warn, error: console.error };
export const forget: Sink = { span() {}, event() {}, metrics() {} };

/** The engine in this process, with its signals discarded. */
export function ours(name: string, plugins: readonly string[]): Contender {
  return {
    name,
    async start() {
      const { config, plugins: found } = await load(undefined, selection(plugins, "bench"));
      const engine = await engineParts({ config, plugins: found, log }).resolve(parts.engine);
      const [failed] = engine.failed;
      if (failed) throw failed.error;
      engine.run(forget);
      await engine.correlated();
      const hookOf = ({ owner, name: program }: { owner: string; name: string }) => {
        const { skeleton } = found.find((p) => p.name === owner) ?? { skeleton: trackerSkeleton };
        const programs: Readonly<Record<string, string>> = skeleton.programs;
        return programs[program]!;
      };
      return {
        runs: () =>
          programsOf(engine.objects).map((p) => ({ hook: hookOf(p), count: p.runCount, ns: p.runTimeNs })),
        stop: async () => engine.close(),
      };
    },
  };
}

/** The fdinfo of a descriptor; empty if it has been closed. */
function infoOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}

/** Run statistics of the BPF programs that a process holds, from its descriptors' fdinfo. */
function programsHeldBy(pid: number): Runs[] {
  const folder = `/proc/${pid}/fdinfo`;
  return readdirSync(folder).flatMap((fd) => {
    const info = infoOf(join(folder, fd));
    const [, ns] = /^run_time_ns:\s*(\d+)$/m.exec(info) ?? [];
    const [, count] = /^run_cnt:\s*(\d+)$/m.exec(info) ?? [];
    return ns === undefined ? [] : [{ hook: "", count: Number(count), ns: Number(ns) }];
  });
}

/** Undefined if it is not installed. */
function installed(name: string): string | undefined {
  return [`/usr/sbin/${name}`, `/usr/bin/${name}`].find((path) => existsSync(path));
}

/** A tool of libbpf-tools; undefined if it is not installed. */
export function libbpfTool(name: string, ...args: string[]): Contender | undefined {
  const path = installed(name);
  return path === undefined ? undefined : other(["libbpf-tools", name, ...args].join(" "), [path, ...args]);
}

/** A script of bench/bpf; undefined if bpftrace is not installed. */
export function bpftrace(script: string): Contender | undefined {
  const path = installed("bpftrace");
  const file = join(import.meta.dirname, "bpf", script);
  return path === undefined ? undefined : other(`bpftrace ${script}`, [path, file]);
}

/** Another tool, which gets tracefs in a mount namespace of its own. */
function other(name: string, command: readonly string[]): Contender {
  const mount = "mount -t tracefs none /sys/kernel/tracing";
  return {
    name,
    async start() {
      const words = ["--mount", "sh", "-c", `${mount}; exec taskset -c ${OUR_CPU} "$@"`, "sh", ...command];
      const child: ChildProcess = spawn("unshare", words, { stdio: ["ignore", "ignore", "pipe"] });
      let said = "";
      child.stderr?.on("data", (data) => {
        said += data;
      });
      const pid = child.pid!;
      for (let waited = 0; programsHeldBy(pid).length === 0; waited += 50) {
        if (child.exitCode !== null || waited > 10_000) throw new Error(`${name} did not start: ${said}`);
        await sleep(50);
      }
      // Loaded; it attaches a moment later.
      await sleep(300);
      return { runs: () => programsHeldBy(pid), stop: () => end(child) };
    },
  };
}
