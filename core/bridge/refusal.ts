// Why the kernel refuses something to this process, and how to fix it, from what /proc reports about the process.
import { readFileSync } from "node:fs";
import type { NativeError } from "../../native/index.ts";
import { type ErrorCode, WirespanError } from "../plugin/errors.ts";

/** linux/capability.h */
const CAPABILITIES = {
  CAP_DAC_READ_SEARCH: 2n,
  CAP_SYS_PTRACE: 19n,
  CAP_SYS_ADMIN: 21n,
  CAP_PERFMON: 38n,
  CAP_BPF: 39n,
} as const;

export type Capability = keyof typeof CAPABILITIES;

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** Privileges and limits of this process; undefined if /proc is not available. */
export interface Privileges {
  readonly uid: number;
  readonly capabilities: ReadonlySet<Capability>;
  /** In a user namespace of its own, where capabilities have little effect. */
  readonly confined: boolean;
  /** A seccomp filter is active. */
  readonly seccomp: boolean;
}

export function readPrivileges(status = read("/proc/self/status"), map = read("/proc/self/uid_map")) {
  if (status === undefined) return undefined;
  const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  const names = Object.keys(CAPABILITIES) as Capability[];
  return {
    uid: process.getuid!(),
    capabilities: new Set(names.filter((name) => (mask >> CAPABILITIES[name]) & 1n)),
    confined: map !== undefined && !/^\s*0\s+0\s+4294967295\s*$/.test(map),
    seccomp: /^Seccomp:\s*2$/m.test(status),
  } satisfies Privileges;
}

/** What refuses bpf(), and how to fix it. */
export function explainBpfRefusal(lockdown: string, us: Privileges | undefined = readPrivileges()): string {
  if (us === undefined)
    return "loading BPF is refused, and /proc, which shows the reason, is not mounted: mount it";
  if (us.confined) {
    return "loading BPF is refused: this process is in a user namespace (rootless container, unshare -U), whose capabilities do not apply to BPF: run it in the host's";
  }
  const needed = ["CAP_BPF", "CAP_PERFMON"] as const;
  const missing = us.capabilities.has("CAP_SYS_ADMIN")
    ? []
    : needed.filter((one) => !us.capabilities.has(one));
  if (missing.length > 0) {
    const root = us.uid === 0 ? "this root lacks" : "missing here:";
    return `loading BPF requires root, or CAP_BPF and CAP_PERFMON; ${root} ${missing.join(" and ")} (AmbientCapabilities= in a unit, --cap-add of a container)`;
  }
  if (us.seccomp) {
    return "loading BPF is refused by a seccomp filter, although the capabilities are there: let its profile allow bpf and perf_event_open (--security-opt seccomp=FILE, or SystemCallFilter=bpf perf_event_open)";
  }
  if (lockdown === "confidentiality") {
    return "loading BPF is refused by kernel lockdown (confidentiality), which forbids reading the kernel: boot with lockdown=integrity or none";
  }
  return "loading BPF is refused, although the capabilities are there: a security module (/sys/kernel/security/lsm names them) may forbid it; see the audit log";
}

/** Read now: without descriptors it would be too late. */
const LIMITS = read("/proc/self/limits") ?? "";

/** `ulimit -n` of this process. */
function descriptors(): string {
  const found = /^Max open files\s+(\d+)/m.exec(LIMITS)?.[1];
  return found === undefined ? "" : `: the limit is ${found}`;
}

/** A refusal that is not about a program or a hook but about this process or the host; undefined for other errors. */
function ofProcess(error: NativeError, lockdown: string): readonly [ErrorCode, string] | undefined {
  switch (error.code) {
    case "EPERM":
      return ["PERMISSION", explainBpfRefusal(lockdown)];
    case "ENOSYS": {
      const who = readPrivileges()?.seccomp
        ? "a seccomp filter hides bpf() from this process: let its profile allow bpf and perf_event_open"
        : "this kernel has no bpf() (CONFIG_BPF_SYSCALL)";
      return ["PERMISSION", who];
    }
    case "EMFILE":
      return [
        "LIMIT",
        `too few file descriptors${descriptors()}; raise the limit (ulimit -n 1024, LimitNOFILE= in a unit)`,
      ];
    case "ENFILE":
      return ["LIMIT", "the host has no file descriptors left; raise sysctl fs.file-max"];
    case "ENOMEM":
      return [
        "LIMIT",
        "the kernel has no memory for it; raise the memory limit of the cgroup (MemoryMax=, --memory) or make rings smaller (ring.core, ring.bytes)",
      ];
    default:
      return undefined;
  }
}

const isNative = (error: unknown): error is NativeError =>
  error instanceof Error && typeof (error as Partial<NativeError>).step === "string";

/** Any error of `what` as one with a message: what, where and, if possible, how to fix it. */
export function explained(what: string, error: unknown, lockdown: string): WirespanError {
  if (error instanceof WirespanError) return error;
  if (!isNative(error)) {
    const { code, message = String(error) } = error as NodeJS.ErrnoException;
    const known = code === "EMFILE" ? ofProcess({ code } as NativeError, lockdown) : undefined;
    const lacksProc = code === "ENOENT" && message.includes("'/proc/") ? "; is /proc mounted?" : "";
    const [as, why] = known ?? (["PLUGIN_FAILED", `${message}${lacksProc}`] as const);
    return new WirespanError(as, `${what}: ${why}`, { cause: error });
  }
  const where = error.program ? ` (program ${error.program})` : "";
  const detail = error.detail === undefined ? {} : { detail: error.detail };
  const known = ofProcess(error, lockdown);
  if (known !== undefined) return new WirespanError(known[0], `${what}: ${known[1]}`, { cause: error });
  return new WirespanError("BPF_LOAD", `${what}: ${error.step}: ${error.message}${where}`, {
    cause: error,
    ...detail,
  });
}
