// Trace contexts of applications: the programs that read them in the kernel, and what these have counted.
import { join } from "node:path";
import { type Correlated, type Question, skeleton } from "../../bpf/context/context.skel.ts";
import type { Config } from "../../config/config.ts";
import { withDefaults } from "../../config/criteria.ts";
import type { BpfMap, Native } from "../../native/index.ts";
import { detachAll, type Hook, type Loaded, loadObject } from "../bridge/loader.ts";
import { type AnyHandlers, ObjectReader } from "../bridge/object-reader.ts";
import type { Log } from "../plugin/log.ts";
import type { Probe } from "../plugin/plugin.ts";
import { packFilter, pinnedMaps } from "./filter.ts";
import { Threads, type ThreadsOptions } from "./threads.ts";
import { TlsLibraries } from "./tls-libraries.ts";
import type { Tracker } from "./tracker.ts";

type Program = keyof typeof skeleton.programs;

const PROBES: Readonly<Record<string, Probe<Program>>> = {
  "contexts that are sent": {
    programs: ["on_send", "on_sendmsg_locked", "on_sendmsg"],
    lostWithout: "contexts in requests that are sent, and those of applications' tables",
  },
  "contexts that are received": {
    programs: ["on_segment", "on_received"],
    lostWithout: "contexts in requests that are received",
  },
  "contexts that are received with a handshake's last packet": {
    programs: ["on_received"],
    lostWithout:
      "the first request of a connection that is accepted with its data (TCP_DEFER_ACCEPT, Fast Open)",
  },
  "handshakes that requests wait for": {
    programs: ["on_opening"],
    lostWithout: "attempts to connect that fail, in the trace of the request that they were for",
  },
};

/** Only with `correlate.tlsUprobe`. They are attached to each library that is found, not here. */
export const TLS_HOOK = "requests that applications hand to OpenSSL";
const TLS_PROBES: Readonly<Record<string, Probe<Program>>> = {
  [TLS_HOOK]: { programs: ["on_tls_write"], lostWithout: "contexts in requests over TLS" },
  "ends of OpenSSL's calls": { programs: ["on_tls_written"], lostWithout: "contexts in requests over TLS" },
};
const TLS_PROGRAMS: readonly string[] = ["on_tls_write", "on_tls_written"];

const INBOUND = { never: 0, privatePeers: 1, always: 2 } as const;

/** Connections excluded by `correlate.exclude`, as a filter. */
function excludedBy({ exclude }: Config["correlate"]): ReturnType<typeof withDefaults> {
  const { localPort, peerPort, comm, cgroup } = exclude;
  return withDefaults({ exclude: { localPort, remotePort: peerPort, comm, cgroup } });
}

/** The layout of thread-local storage depends on the processor. */
function readsThreads({ correlate }: Config): boolean {
  return correlate.threads !== false && process.arch === "x64";
}

/** Why a context was not read, or is not used. */
export const UNREAD = [
  "ambiguous",
  "beyond_window",
  "contradicted",
  "interrupted",
  "invalid",
  "no_memory",
  "overrun",
  "refused_announcement",
  "replaced",
  "sent_later",
  "thread_unreadable",
  "torn",
  "unreadable",
  "unseen",
] as const;

/** By what happened, in all programs. */
export type CorrelationCounts = { readonly [K in keyof Correlated]: number };

const NOTHING: CorrelationCounts = {
  headersSent: 0,
  headersReceived: 0,
  tablesSent: 0,
  threadsSent: 0,
  callsSent: 0,
  suppressed: 0,
  lost: 0,
  contradicted: 0,
  beyondWindow: 0,
  invalid: 0,
  ambiguous: 0,
  unreadable: 0,
  torn: 0,
  overrun: 0,
  announced: 0,
  refusedAnnouncements: 0,
  noMemory: 0,
  unseen: 0,
  replaced: 0,
  sentLater: 0,
};

/** What is known about threads, and which processes were examined. */
const OF_THREADS = ["thread_variables", "asked", "question_count"];

export interface CorrelationOptions {
  readonly native: Native;
  readonly config: Config;
  readonly tracker: Tracker;
  readonly log: Log;
}

export class Correlation {
  readonly #tracker: Tracker;
  readonly #loaded: Loaded;
  /** Its rings must be drained. */
  readonly reader: ObjectReader;
  /** Shared with the predecessors and successors of these programs. */
  readonly #threads: Threads;
  readonly #threadsOptions: ThreadsOptions;
  readonly #readsThreads: boolean;
  /** By the programs that these replaced. */
  readonly #interruptedBefore: number;
  #sharesThreads: boolean;
  #tls: TlsLibraries | undefined;
  readonly #log: Log;
  #counts = NOTHING;
  readonly hooks: readonly Hook[];

  private constructor(
    { native, config, tracker, log }: CorrelationOptions,
    loaded: Loaded,
    before: Correlation | undefined,
  ) {
    this.#tracker = tracker;
    this.#loaded = loaded;
    this.#log = log;
    const ofTls = loaded.hooks.filter(({ observes }) => observes in TLS_PROBES);
    this.hooks = before ? [...before.#untilReload, ...ofTls] : loaded.hooks;
    this.#interruptedBefore = before?.unread.interrupted ?? 0;
    this.#counts = before?.counts ?? NOTHING;
    this.#readsThreads = readsThreads(config);
    this.#sharesThreads = before !== undefined;
    this.#threadsOptions = {
      variables: loaded.object.map("thread_variables"),
      announce: () => this.#announce(),
      published: config.correlate.threads === "auto",
      numberOf: (pid) => tracker.pids.inProc(pid),
      shiftNs: native.bootShift(),
      log,
    };
    this.#threads = before ? before.#threads : new Threads(this.#threadsOptions);
    this.reader = new ObjectReader(native, loaded.object, skeleton, {
      correlated: (rows: Iterable<readonly [unknown, Correlated]>) => {
        for (const [, counts] of rows)
          this.#counts = Object.fromEntries(
            Object.keys(NOTHING).map((key) => [key, counts[key as keyof Correlated]]),
          ) as CorrelationCounts;
      },
      questions: (question: Question) => this.#threads.asked(question),
    } as AnyHandlers);
  }

  /**
   * Loads the programs, and attaches them unless they `replace` previous ones: then they use the same hooks, with the
   * tables and threads known to those. Throws what the kernel refuses.
   */
  static async load(options: CorrelationOptions, before?: Correlation): Promise<Correlation> {
    const { native, config, tracker } = options;
    const { correlate, filter } = config;
    const exclude = excludedBy(correlate);
    const loaded = await loadObject(native, {
      name: "correlation",
      path: join(import.meta.dirname, "../../bpf/context/context.bpf.o"),
      skeleton,
      probes: { ...(before ? before.#probes : PROBES), ...(correlate.tlsUprobe && TLS_PROBES) },
      constants: {
        ...tracker.ids,
        agent_filter: packFilter("filter", filter, tracker.names),
        plugin_filter: packFilter("correlate.exclude", exclude, tracker.names),
        window: correlate.window,
        reads_http1: correlate.http1,
        reads_http2: correlate.http2,
        reads_tables: correlate.table,
        reads_threads: readsThreads(config),
        reads_tls: correlate.tlsUprobe,
        connect_gap: correlate.connectGap * 1e6,
        inbound: INBOUND[correlate.inbound],
      },
      pinned: pinnedMaps(filter, exclude),
      later: [...(before ? before.#programs : []), ...(correlate.tlsUprobe ? TLS_PROGRAMS : [])],
      ...(!before && { chains: tracker.chains }),
      reuse: { ...tracker.sharedWithCorrelation, ...(before ? before.#kept(readsThreads(config)) : {}) },
    });
    const correlation = new Correlation(options, loaded, before);
    if (!before) correlation.#watchLibraries();
    return correlation;
  }

  #watchLibraries(): void {
    const programs = TLS_PROGRAMS.filter((name) => this.hooks.some(({ program }) => program === name));
    if (programs.length < TLS_PROGRAMS.length) return;
    this.#tls = new TlsLibraries({
      // The return comes first, so that the end of every call is seen.
      attach: (path, symbol) =>
        programs.toReversed().map((program) => this.#loaded.object.attachFunction(program, path, symbol)),
      detach: (links) => {
        for (const link of links) this.#loaded.object.detachFunction(link);
      },
      log: this.#log,
    });
  }

  /** Maps that outlive these programs. */
  #kept(readsThreads: boolean): Readonly<Record<string, BpfMap>> {
    const names = ["tables", ...(readsThreads && this.#readsThreads ? OF_THREADS : [])];
    return Object.fromEntries(names.map((name) => [name, this.#loaded.object.map(name)]));
  }

  get #programs(): readonly string[] {
    return [...new Set(this.#untilReload.flatMap(({ program }) => program ?? []))];
  }

  /** What is attached as long as the agent runs, whatever a reload changes. */
  get #untilReload(): readonly Hook[] {
    return this.hooks.filter(({ observes }) => !(observes in TLS_PROBES));
  }

  /** The programs that this kernel can attach, and no others. */
  get #probes(): typeof PROBES {
    return Object.fromEntries(
      this.#untilReload.flatMap(({ observes, program }) =>
        program === undefined ? [] : [[observes, { ...PROBES[observes]!, programs: [program as Program] }]],
      ),
    );
  }

  /** Replaces the running programs. */
  replace(before: Correlation): void {
    before.detach();
    for (const program of this.#programs) {
      const chain = this.#tracker.chains.find(({ hook }) => hook === skeleton.programs[program as Program]);
      if (chain)
        chain.join(this.#loaded.object, program, skeleton.links[program as keyof typeof skeleton.links]);
      else this.#loaded.object.attach(program);
    }
    this.#watchLibraries();
    // Sockets in which the previous programs found nothing are checked again.
    this.#announce(before.#announcements);
    before.reader.drain();
    this.#threads.configure(this.#threadsOptions, this.#readsThreads && before.#readsThreads);
    [this.#sharesThreads, before.#sharesThreads] = [false, true];
    before.close();
  }

  get loaded(): Loaded {
    return this.#loaded;
  }

  /** As of the last collection. */
  get counts(): CorrelationCounts {
    return this.#counts;
  }

  get unread(): Readonly<Record<(typeof UNREAD)[number], number>> {
    const { ambiguous, beyondWindow, contradicted, invalid, noMemory, overrun, replaced } = this.#counts;
    const { torn, unreadable, unseen } = this.#counts;
    return {
      ...{ ambiguous, contradicted, invalid, overrun, replaced, torn, unreadable, unseen },
      beyond_window: beyondWindow,
      no_memory: noMemory,
      sent_later: this.#counts.sentLater,
      thread_unreadable: this.#threads.counts.unreadable,
      refused_announcement: this.#counts.refusedAnnouncements,
      interrupted: this.#interruptedBefore + this.#loaded.object.misses,
    };
  }

  /** Files in which requests that applications hand to OpenSSL are read; undefined if this is disabled. */
  get tlsLibraries(): Pick<TlsLibraries, "paths" | "refusal" | "unexamined" | "examineRest"> | undefined {
    return this.#tls;
  }

  /** Images whose threads' contexts are or were read. */
  get threadsFound(): number {
    return this.#threads.counts.found;
  }

  collect(): void {
    this.reader.readTables();
  }

  /** `announcements` in bpf/context/announcement.h: a lost increment by the kernel changes it, too. */
  #announce(since = this.#announcements): void {
    const count = Uint32Array.of(since + 1);
    this.#loaded.object.map(".bss").update(new Uint8Array(4), new Uint8Array(count.buffer));
  }

  get #announcements(): number {
    const count = new Uint32Array(1);
    this.#loaded.object.map(".bss").lookUp(new Uint8Array(4), new Uint8Array(count.buffer));
    return count[0]!;
  }

  /** Stops observing; counts can still be collected. */
  detach(): void {
    this.#tls?.close();
    for (const chain of this.#tracker.chains) chain.leave(this.#loaded.object);
    detachAll(this.#loaded.object);
  }

  close(): void {
    this.detach();
    if (!this.#sharesThreads) this.#threads.close();
    this.reader.close();
  }
}
