// Process numbers in this agent's /proc: the kernel's own if it is of the initial pid namespace, others in a container
// with its own pid namespace.
import { readFileSync, readlinkSync } from "node:fs";
import type { BpfMap } from "../../native/index.ts";
import type { ConstantStruct } from "../plugin/plugin.ts";

/** linux/proc_ns.h: PROC_PID_INIT_INO. */
const INITIAL = "pid:[4026531836]";
/** The number of processes that the programs remember. */
const PROCESSES = 16_384;

/** Input and output of `whoami` (bpf/tracker/tracker.bpf.c). */
interface Whoami {
  readonly pid: number;
  /** Of the agent's own pid namespace; 0: the initial one. */
  readonly level: number;
  /** The inode of its namespace at the requested level. */
  readonly inode: number;
}

/** Number of process numbers that the programs have to keep (`pid_numbers`). */
export function pidNumberCapacity(): number {
  try {
    return readlinkSync("/proc/self/ns/pid") === INITIAL ? 1 : PROCESSES;
  } catch {
    return 1; // without /proc there is nothing to look up
  }
}

/** How many pid namespaces this process is in, from that of /proc down to its own. */
function depth(): number {
  const line = /^NSpid:\s*(.*)$/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1];
  return line?.split(/\s+/).length ?? 1;
}

export class PidNumbers {
  readonly #map: Pick<BpfMap, "lookUp">;
  readonly #level: number;
  readonly #inode: number;
  readonly #self: Whoami;
  readonly #key = new Uint32Array(1);
  readonly #value = new Uint32Array(1);

  constructor(map: Pick<BpfMap, "lookUp">, run: (context: Uint8Array) => number) {
    const whoami = (level: number): Whoami => {
      const context = Uint32Array.of(0, 0, level, 0);
      run(new Uint8Array(context.buffer));
      return { pid: context[0]!, level: context[1]!, inode: context[3]! };
    };
    this.#map = map;
    this.#self = whoami(0);
    this.#level = Math.max(0, this.#self.level - depth() + 1);
    this.#inode = whoami(this.#level).inode;
  }

  /** The agent's own process as the kernel numbers it. */
  get self(): number {
    return this.#self.pid;
  }

  /** /proc is of the initial pid namespace: its numbers are the kernel's. */
  get areKernels(): boolean {
    return this.#level === 0;
  }

  /** The agent is in the initial pid namespace. */
  get seesAll(): boolean {
    return this.#self.level === 0;
  }

  /** For `runtime_config.space` (bpf/tracker/shared.h). */
  get space(): ConstantStruct {
    return { level: this.#level, inode: this.#inode };
  }

  /** The limitations of an agent in its own pid namespace, in words. */
  get limits(): readonly string[] {
    const mend = "run it in the host's (hostPID: true in Kubernetes, --pid=host in Docker)";
    return [
      ...(this.areKernels
        ? []
        : [
            `/proc is that of the agent's own pid namespace: of processes outside it only the executable, the cgroup and the kernel's pid are known, and filters by pid are refused; ${mend}`,
          ]),
      ...(this.seesAll
        ? []
        : [
            `the agent runs in its own pid namespace: the owner of a socket older than the agent is known only if it is inside; the others become known when they use the socket; ${mend}`,
          ]),
    ];
  }

  /** The number that /proc has for a process; undefined: it is in none of its namespaces. */
  inProc(pid: number): number | undefined {
    if (this.areKernels) return pid;
    this.#key[0] = pid;
    const found = this.#map.lookUp(new Uint8Array(this.#key.buffer), new Uint8Array(this.#value.buffer));
    return found ? this.#value[0] : undefined;
  }
}
