// Reports which carrier provides the contexts of each kind of traffic here, or why none does: a part of `wirespan
// doctor`. Tests: agent/carriers.test.ts, agent/doctor.kernel.test.ts.
import type { Config } from "../config/config.ts";
import type { Hook } from "../core/bridge/loader.ts";
import { TLS_HOOK } from "../core/engine/correlation.ts";

/** A row under the keys of `wirespan doctor --json`. */
export interface CarrierReport {
  readonly traffic: string;
  /** docs/correlation.md describes what each one covers. */
  readonly carrier: "header" | "table" | "thread" | "uprobe";
  readonly works: boolean;
  /** Why, or where, it does not work. */
  readonly why?: string;
}

export interface CarrierFacts {
  readonly correlate: Config["correlate"];
  /** Those of correlation. */
  readonly hooks: readonly Hook[];
  /** The same as `process.arch`. */
  readonly arch: string;
  /** CAP_SYS_PTRACE: the memory of other users' processes may be read. */
  readonly readsOthers: boolean;
  /** Of `Correlation`. */
  readonly tlsLibraries:
    | {
        readonly paths: readonly string[];
        readonly refusal: string | undefined;
        /** Number of processes. */
        readonly unexamined: number;
      }
    | undefined;
}

type Why = string | undefined;

/** Undefined if the hook is in use. */
function refusalOf(hooks: readonly Hook[], observes: string): Why {
  const hook = hooks.find((h) => h.observes === observes);
  if (hook?.program !== undefined) return undefined;
  return hook?.refused.map(({ at, why }) => `${at}: ${why}`).join("; ") || "nothing observes it";
}

const ifOff = (setting: string, value: unknown): Why =>
  value === false || value === "never" ? `correlate.${setting} is ${value}` : undefined;

export function carriersOf(facts: CarrierFacts): readonly CarrierReport[] {
  const { correlate, hooks, arch, readsOthers, tlsLibraries } = facts;
  const row = (
    carrier: CarrierReport["carrier"],
    traffic: string,
    ...reasons: readonly Why[]
  ): CarrierReport => {
    const why = reasons.find((reason) => reason !== undefined);
    return { traffic, carrier, works: why === undefined, ...(why !== undefined && { why }) };
  };
  const sent = refusalOf(hooks, "contexts that are sent");
  const received = refusalOf(hooks, "contexts that are received") ?? ifOff("inbound", correlate.inbound);
  const opening = refusalOf(hooks, "handshakes that requests wait for");
  const inFunctions =
    hooks.find((h) => h.observes === "contexts that are received")?.program === "on_received";
  const late = refusalOf(hooks, "contexts that are received with a handshake's last packet");
  const [http1, http2] = [ifOff("http1", correlate.http1), ifOff("http2", correlate.http2)];
  const table = ifOff("table", correlate.table);
  const threads =
    ifOff("threads", correlate.threads) ??
    (arch === "x64" ? undefined : `threads are read only on x64, not on ${arch}`);
  const thread = (traffic: string, hook: Why): CarrierReport => {
    const found = row("thread", traffic, threads, hook);
    return found.works && !readsOthers
      ? { ...found, why: "only of processes of this user (others require CAP_SYS_PTRACE)" }
      : found;
  };
  const uprobe = (): CarrierReport => {
    const { paths = [], refusal, unexamined = 0 } = tlsLibraries ?? {};
    const rest = unexamined > 0 ? [`${unexamined} processes are not examined yet`] : [];
    const found = row(
      "uprobe",
      "HTTP/1.1 over TLS, sent, by programs that send within OpenSSL's SSL_write",
      ifOff("tlsUprobe", correlate.tlsUprobe),
      sent,
      refusalOf(hooks, TLS_HOOK),
      paths.length > 0 ? undefined : (refusal ?? ["no running program maps OpenSSL yet", ...rest].join("; ")),
    );
    return found.works
      ? { ...found, why: [...paths, ...(refusal ? [`not ${refusal}`] : []), ...rest].join(", ") }
      : found;
  };
  return [
    row("header", "HTTP/1.1 without TLS, sent", http1, sent),
    row("header", "HTTP/1.1 without TLS, received", http1, received),
    row("header", "HTTP/1.1 without TLS, received with the handshake's last packet", http1, received, late),
    row("header", "HTTP/2 and gRPC without TLS, sent", http2, sent),
    row(
      "header",
      "HTTP/2 and gRPC without TLS, received",
      http2,
      received,
      inFunctions ? "frames are followed in segments, which this kernel does not show" : undefined,
    ),
    row("table", "TLS, databases and everything else, by programs with a context table", table, sent),
    row("table", "attempts to connect, by programs with a context table", table, opening),
    thread("TLS, databases and everything else, by programs whose SDK publishes threads' contexts", sent),
    thread("attempts to connect, by programs whose SDK publishes threads' contexts", opening),
    uprobe(),
  ];
}

/** Readable lines. */
export function carrierLines(carriers: readonly CarrierReport[]): readonly string[] {
  return carriers.map(({ traffic, carrier, works, why }) => {
    const verdict = works ? `by ${carrier}` : `not by ${carrier}`;
    return `  ${traffic}: ${verdict}${why === undefined ? "" : `: ${why}`}`;
  });
}
