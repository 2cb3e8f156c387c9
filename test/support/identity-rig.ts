// An Identity over a fake /proc and cgroup tree.
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { CgroupPaths } from "../../core/identity/cgroup-paths.ts";
import type { HostAttributes } from "../../core/identity/host.ts";
import { Identity, type ObservedProcess } from "../../core/identity/identity.ts";
import type { Names } from "../../core/identity/names/names.ts";
import { Proc, type ProcReader } from "../../core/identity/proc.ts";
import { argumentPatterns, type Rule } from "../../core/identity/rules.ts";
import { FakeExecutables, FakeProc, type FakeProcess } from "./fake-proc.ts";

export const id = "3f2a9c0d7be14e5f8a6b1c2d3e4f5061728394a5b6c7d8e9f0a1b2c3d4e5f607";
export const uid = "2c48913c-b29f-11e7-9350-020968147796";
export const host = { "host.id": "machine", "host.name": "h" };
/** Contents of /proc/PID/cgroup. */
export const docker = `0::/docker/${id}\n`;
export const pod = `0::/kubepods/burstable/pod${uid}/${id}\n`;

const executables = new FakeExecutables();

export type Seen = Partial<Omit<ObservedProcess, "exe">> & { readonly exe?: string };

/** A process as the kernel reports it. */
export function seen(pid: number, { exe = "prog", ...more }: Seen = {}): ObservedProcess {
  const process = {
    pid,
    uid: 0,
    tid: pid,
    startedAt: 10_000_000_000,
    comm: "prog",
    cgroupId: 7,
    workload: 0,
  };
  return { ...process, exe: executables.number(exe), ...more };
}

export interface Made {
  readonly limit?: number;
  readonly workloads?: number;
  readonly proc?: ProcReader;
  readonly rules?: readonly Rule[];
  readonly host?: HostAttributes;
  readonly names?: Pick<Names, "of" | "awaits" | "listen">;
}

export class IdentityRig implements Disposable {
  readonly fake = new FakeProc();
  readonly mount = join(this.fake.root, "cgroup");
  /** Debug messages. */
  readonly heard: string[] = [];
  identity: Identity;

  constructor() {
    mkdirSync(this.mount);
    this.identity = this.made();
  }

  made(options: Made = {}): Identity {
    const {
      limit,
      workloads = 50,
      rules = [],
      proc = new Proc(this.fake.root, { patterns: argumentPatterns(rules) }),
    } = options;
    const cgroups = new CgroupPaths(this.mount, { pause: 0 });
    return new Identity(proc, options.host ?? host, {
      ...(limit !== undefined && { limit }),
      workloads,
      rules,
      cgroups,
      executables,
      ...(options.names && { names: options.names }),
      debug: (message) => this.heard.push(message),
    });
  }

  /** Adds a process to /proc. */
  run(pid: number, more: Partial<FakeProcess> = {}): void {
    this.fake.set({ pid, exe: "/usr/bin/prog", ...more });
  }

  /** A cgroup's number. */
  cgroup(path: string): number {
    mkdirSync(join(this.mount, path), { recursive: true });
    return statSync(join(this.mount, path)).ino;
  }

  name(process: ObservedProcess): unknown {
    return this.identity.of(process).resource!.attributes["service.name"];
  }

  /** Without the instance, which has its own tests. */
  attributesOf(process: ObservedProcess): Readonly<Record<string, unknown>> {
    const { "service.instance.id": _, ...others } = this.identity.of(process).resource!.attributes;
    return others;
  }

  [Symbol.dispose](): void {
    this.fake[Symbol.dispose]();
  }
}
