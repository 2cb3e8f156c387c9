// `wirespan doctor`: what this kernel and these privileges support, by plugin and hook.
import type { Config } from "../config/config.ts";
import { TRACEFS } from "../core/bridge/loader.ts";
import { type Capability, explainBpfRefusal, explained, readPrivileges } from "../core/bridge/refusal.ts";
import type { FailedPlugin } from "../core/engine/attach.ts";
import { describeUnseen } from "../core/engine/balance.ts";
import { stateOf } from "../core/engine/missing-hooks.ts";
import { parts } from "../core/engine/parts.ts";
import type { Plugin } from "../core/plugin/plugin.ts";
import { native } from "../native/index.ts";
import { type CarrierReport, carrierLines, carriersOf } from "./carriers.ts";
import { ask, resultOf } from "./control/client.ts";
import { engineParts } from "./engine-parts.ts";
import { type HookReport, reported } from "./hook-report.ts";
import { isStatus } from "./status.ts";

export interface PluginReport {
  readonly name: string;
  readonly state: "running" | "degraded" | "failed" | "disabled";
  /** Why it failed. */
  readonly error?: { readonly code: string; readonly message: string; readonly detail?: string };
  readonly hooks: readonly HookReport[];
}

export interface DoctorReport {
  /** Every enabled plugin can run, although some may be `degraded`. */
  readonly ok: boolean;
  readonly kernel: string;
  readonly libbpf: string;
  readonly lockdown: string;
  readonly uid: number;
  /** Program types: `ok`, or the error's name. */
  readonly kinds: Readonly<Record<string, string>>;
  /** What requires more privileges than loading, and whether they are granted. */
  readonly privileges: readonly {
    readonly what: string;
    readonly takes: string;
    readonly granted: boolean;
  }[];
  /** Limitations of the agent's environment, in words. */
  readonly limits: readonly string[];
  readonly plugins: readonly PluginReport[];
  /** How trace contexts are read (docs/correlation.md); absent if `correlate.enabled` is false. */
  readonly correlation?: PluginReport;
  /** Which carrier provides the contexts of which traffic; absent if none are read. */
  readonly carriers?: readonly CarrierReport[];
  /** Events that this kernel did not show to the running agent; absent if no accessible one runs. */
  readonly unseen?: number;
}

const KINDS = ["tp_btf", "iter", "fentry", "kprobe", "tracepoint"] as const;

const silent = { error() {}, warn() {}, info() {}, debug() {} };

function failure({ name, error }: FailedPlugin): PluginReport {
  const detail = error.detail === undefined ? {} : { detail: error.detail };
  return { name, state: "failed", error: { code: error.code, message: error.message, ...detail }, hooks: [] };
}

/** Longest time for which processes are searched for TLS libraries. */
const mostLookingMs = 2000;

async function attachAll(
  config: Config,
  plugins: readonly Plugin[],
): Promise<Pick<DoctorReport, "plugins" | "limits" | "correlation" | "carriers">> {
  try {
    await using container = engineParts({ config: { ...config, strict: false }, plugins, log: silent });
    const engine = await container.resolve(parts.engine);
    // Rings are mapped only now, and may find no free descriptors.
    engine.run({ span() {}, event() {}, metrics() {} });
    await engine.collect();
    const { correlation, error } = await engine.correlated();
    correlation?.tlsLibraries?.examineRest(mostLookingMs);
    const core: PluginReport = {
      name: "connections",
      state: "running",
      hooks: engine.tracker.loaded.hooks.map(reported),
    };
    const running = engine.runners.map(
      ({ plugin, hooks }): PluginReport => ({
        name: plugin.name,
        state: stateOf(hooks),
        hooks: hooks.map(reported),
      }),
    );
    return {
      plugins: [core, ...running, ...engine.failed.map(failure)],
      limits: engine.limits,
      ...(correlation && {
        correlation: { name: "correlation", state: "running", hooks: correlation.hooks.map(reported) },
        carriers: carriersOf({
          correlate: config.correlate,
          hooks: correlation.hooks,
          arch: process.arch,
          readsOthers: readPrivileges()?.capabilities.has("CAP_SYS_PTRACE") === true,
          tlsLibraries: correlation.tlsLibraries,
        }),
      }),
      ...(error && { correlation: failure({ name: "correlation", error }) }),
    };
  } catch (cause) {
    const error = explained("connections", cause, native.features().lockdown);
    return { plugins: [failure({ name: "connections", error })], limits: [] };
  }
}

/** Whether a program type loads and attaches: `ok`, or the error's name. */
function tryKind(kind: (typeof KINDS)[number]): string {
  try {
    return native.tryKind(kind) ?? "ok";
  } catch (error) {
    // Without BTF, no type can be tried.
    return (error as NodeJS.ErrnoException).code ?? "EINVAL";
  }
}

/** Unseen events of the agent behind this socket. */
async function askUnseen(socket: string): Promise<number | undefined> {
  if (!socket) return undefined;
  try {
    const result = resultOf(await ask(socket, "status"));
    return isStatus(result) ? result.unseen : undefined;
  } catch {
    return undefined; // none runs, or it belongs to another user
  }
}

/** Attaches every enabled plugin briefly, in the same way as the agent. */
export async function doctor(
  config: Config,
  { plugins, failed }: { readonly plugins: readonly Plugin[]; readonly failed: readonly FailedPlugin[] },
): Promise<DoctorReport> {
  const { kernel, libbpf, lockdown } = native.features();
  const attached = await attachAll(config, plugins);
  const reports = [...attached.plugins, ...failed.map(failure)];
  const unseen = await askUnseen(config.control.socket);
  const known = new Set(reports.map((r) => r.name));
  const disabled = Object.keys(config.plugins).filter(
    (name) => !known.has(name) && !config.plugins[name]!.enabled,
  );
  return {
    ...(unseen !== undefined && { unseen }),
    ok: reports.every((r) => r.state !== "failed"),
    kernel,
    libbpf,
    lockdown,
    uid: process.getuid!(),
    kinds: Object.fromEntries(KINDS.map((kind) => [kind, tryKind(kind)])),
    privileges: privileges(),
    limits: attached.limits,
    ...(attached.correlation && { correlation: attached.correlation }),
    ...(attached.carriers && { carriers: attached.carriers }),
    plugins: [...reports, ...disabled.map((name): PluginReport => ({ name, state: "disabled", hooks: [] }))],
  };
}

const PRIVILEGED = [
  ["executables of other users' processes, and what their SDKs publish", "CAP_SYS_PTRACE"],
  ["what VLAN, macvlan, bond ... interfaces receive (netqtop)", "CAP_SYS_ADMIN"],
  ["BPF run-time statistics (self.bpfStats)", "CAP_SYS_ADMIN"],
] as const satisfies readonly (readonly [string, Capability])[];

function privileges(): DoctorReport["privileges"] {
  const capabilities = readPrivileges()?.capabilities;
  return PRIVILEGED.map(([what, takes]) => ({ what, takes, granted: capabilities?.has(takes) === true }));
}

const MEANING: Readonly<Record<string, string>> = {
  tp_btf: "BTF tracepoints: required by every plugin",
  iter: "iterators: sockets older than the agent, sweeps",
  fentry: "fentry/fexit: some details; otherwise tracepoints are used",
  kprobe: "kprobes: not needed",
  tracepoint: "system call tracepoints: accept() if the kernel allows no fentry, and what settings require",
};

/** What refuses a program type, and how to fix it. */
function refusal(kind: string, state: string, { kinds, lockdown }: DoctorReport): string {
  if (state === "ESRCH") return "ESRCH: not tried: the kernel's BTF cannot be read (/sys/kernel/btf/vmlinux)";
  if (state === "ENOENT" || state === "EINVAL") return `${state}: not available in this kernel`;
  if (state === "ENOTSUPP") return "ENOTSUPP: not available on this processor";
  if (state === "EMFILE") return "EMFILE: too few file descriptors to try (ulimit -n)";
  if (kind !== "tp_btf" && kinds.tp_btf === state) return `${state}: refused for the same reason`;
  if (kinds.tp_btf !== "ok") return `${state}: ${explainBpfRefusal(lockdown)}`;
  if (kind === "tracepoint") return `${state}: ${TRACEFS}`;
  if (lockdown === "unknown") return `${state}: refused: by kernel lockdown, or to this user`;
  // Lockdown refuses those that can read and change what the kernel protects; the required ones are allowed.
  if (lockdown !== "none") return `${state}: refused by kernel lockdown (${lockdown})`;
  return `${state}: refused: not permitted to this user`;
}

/** The cost of hooks for the whole host, in addition to that of the programs. */
function costLines(hooks: readonly HookReport[]): string[] {
  const costly = new Set(hooks.flatMap(({ at = "" }) => (at.startsWith("tp/syscalls/") ? [at] : [])));
  if (costly.size === 0) return [];
  const names = [...costly].join(" and ");
  return [`    cost of ${names}: every system call of this host takes a little longer (some 5 to 40 ns)`];
}

function hookLines(hook: HookReport): string[] {
  const lack = hook.degrades
    ? "NOT OBSERVED, but required: the plugin is degraded"
    : "not observed, a detail";
  const taken = hook.at ? `${hook.at} (${hook.program})` : lack;
  const lines = [`    ${hook.thing}: ${taken}`];
  const better = new Set(hook.refused.map(({ at, why }) => `      not ${at}: ${why}`));
  lines.push(...better);
  if (!hook.at && hook.without) lines.push(`      lost: ${hook.without}`);
  return lines;
}

export function renderReport(report: DoctorReport): string {
  const lockdown = report.lockdown === "unknown" ? "unknown (securityfs is not mounted)" : report.lockdown;
  const lines = [
    `Linux ${report.kernel}, libbpf ${report.libbpf}, uid ${report.uid}, lockdown ${lockdown}`,
    "",
    "Programs that load and attach here",
    ...Object.entries(report.kinds).map(([kind, state]) => {
      const verdict = state === "ok" ? "yes" : refusal(kind, state, report);
      return `  ${kind.padEnd(10)} ${verdict}\n             ${MEANING[kind]}`;
    }),
    "",
    "Additional privileges",
    ...report.privileges.map(
      ({ what, takes, granted }) => `  ${what}: ${granted ? "yes" : `no (requires ${takes})`}`,
    ),
    ...(report.limits.length ? ["", "Limits", ...report.limits.map((limit) => `  ${limit}`)] : []),
    "",
    "Plugins",
  ];
  for (const plugin of [...report.plugins, ...(report.correlation ? [report.correlation] : [])]) {
    lines.push(`  ${plugin.name}: ${plugin.state}`);
    if (plugin.error) lines.push(`    ${plugin.error.code}: ${plugin.error.message}`);
    lines.push(...plugin.hooks.flatMap(hookLines), ...costLines(plugin.hooks));
  }
  if (report.carriers) lines.push("", "Trace contexts of applications", ...carrierLines(report.carriers));
  if (report.unseen) lines.push("", `The running agent has found that ${describeUnseen(report.unseen)}.`);
  lines.push("", verdict(report));
  return `${lines.join("\n")}\n`;
}

function verdict({ ok, plugins }: DoctorReport): string {
  if (!ok) return "Not every enabled plugin can run: see above.";
  const degraded = plugins.filter(({ state }) => state === "degraded").map(({ name }) => name);
  if (degraded.length === 0) return "Every enabled plugin can run.";
  return `Every enabled plugin can run, but some cannot serve their main purpose: ${degraded.join(", ")}; see above for what is refused.`;
}

/** The exit code of `wirespan doctor`. */
export function doctorCode({ ok, plugins }: DoctorReport): 0 | 1 | 6 {
  if (!ok) return 1;
  return plugins.some(({ state }) => state === "degraded") ? 6 : 0;
}
