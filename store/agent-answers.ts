// Responses about the agent itself. As in store/answers.ts, types only.
/** The agent's state as shown in the rail. */
export interface AgentSummary {
  /** When it last reported. */
  readonly at: number;
  readonly plugins: readonly PluginState[];
  /** Spans, points and events that an exporter lost. */
  readonly lost: number;
  readonly living: number;
}

export interface PluginState {
  readonly name: string;
  /** `running`, `degraded` or `failed`. */
  readonly state: string;
  readonly error?: string | undefined;
}

/** An exporter's counts of one kind: received, and by outcome. */
export interface ExportBalance {
  readonly given: number;
  readonly acknowledged: number;
  readonly queued: number;
  /** Losses by cause. */
  readonly lost: Readonly<Record<string, number>>;
}

/** The part of the agent's status that the page uses. */
export interface AgentState {
  readonly version: string;
  readonly pid: number;
  readonly uptimeSeconds: number;
  readonly plugins: readonly PluginState[];
  /** Limitations of the agent's environment, in words. */
  readonly limits: readonly string[];
  readonly exporters: readonly {
    readonly name: string;
    readonly type: string;
    readonly queue: { readonly bytes: number; readonly limit: number };
    readonly balance: Readonly<Record<string, ExportBalance>>;
  }[];
  readonly connections: {
    readonly opened: number;
    readonly ended: number;
    readonly living: number;
    readonly lost: Readonly<Record<string, number>>;
  };
  readonly unseen: number;
  /** The programs' own counts, by plugin. */
  readonly accounts: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** What `wirespan doctor` reports about the running plugins. */
  readonly hooks?: readonly HookState[] | undefined;
}

/** One event that a plugin observes, and its hook in the kernel. */
export interface HookState {
  readonly plugin: string;
  readonly thing: string;
  /** Absent: none could be attached. */
  readonly at?: string | undefined;
  readonly refused: readonly { readonly at: string; readonly why: string }[];
  /** What is not observed without it. */
  readonly without?: string | undefined;
}

export interface Agent {
  readonly state?: AgentState | undefined;
  readonly stateAt?: number | undefined;
  readonly store: {
    readonly file: string;
    readonly bound: number;
    readonly kept: Readonly<Record<string, Kept>>;
    /** Chunks that were replaced with newer ones. */
    readonly evicted: number;
    readonly oneIn: number;
    readonly edgesOverflow: number;
    readonly memory: number;
  };
}

/** The stored data of a class of connections. */
export interface Kept {
  readonly bytes: number;
  readonly rows: number;
  /** Microseconds since the epoch. */
  readonly from?: number | undefined;
}
