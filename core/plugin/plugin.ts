// A plugin is one typed literal. Everything that can be is checked by the compiler: C field to record type to handler,
// C program to probe, constant to setting, declared attribute to emit call, token to service. Tests:
// test/system/guide.kernel.test.ts.

import type { Token } from "../base/container.ts";
import type { Enrich, Exemplify, SpanRequests } from "./connection.ts";
import type { Emit } from "./emit.ts";
import type { Match, Settings, SettingsOf } from "./settings.ts";
import type { Signals } from "./signals.ts";
import type { Records, RingRecords, RowRecords, Skeleton, TableRecords, TableRows } from "./skeleton.ts";
import type { TraceView } from "./trace/view.ts";

export type Uses = Readonly<Record<string, Token<unknown>>>;

/** A program, or one that reads an argument that only the tracepoints of newer kernels have. */
export type Candidate<P extends string> = P | { readonly program: P; readonly args: number };

export interface Probe<P extends string = string> {
  /** Programs that can observe it, best first; the first that the kernel has and allows to attach is used. */
  readonly programs: readonly [Candidate<P>, ...Candidate<P>[]];
  /** What is lost without it. A probe without this is required. */
  readonly lostWithout?: string;
  /**
   * Without it the plugin cannot serve its main purpose, and is reported as degraded. Otherwise only a detail is
   * missing.
   */
  readonly degrades?: true;
  /** The boolean setting of the plugin that enables it; absent: it is always enabled. */
  readonly setting?: string;
}

/** The probes that these settings enable. */
export function activeProbes(
  { probes }: Pick<Plugin, "probes">,
  settings: Readonly<Record<string, unknown>>,
): Readonly<Record<string, Probe>> {
  return Object.fromEntries(
    Object.entries(probes).filter(([, { setting }]) => setting === undefined || settings[setting] === true),
  );
}

export type ConstantValue = number | boolean | Uint8Array | readonly ConstantValue[] | ConstantStruct;
export interface ConstantStruct {
  readonly [field: string]: ConstantValue;
}

/** One row of a map that the agent fills. */
export type InputRow = readonly [key: ConstantValue, value: ConstantValue];

type Handler<W extends Records> =
  W extends RingRecords<infer R>
    ? (record: R) => void
    : W extends TableRecords<infer K, infer V>
      ? (rows: TableRows<K, V>) => void
      : W extends RowRecords<infer R>
        ? (rows: Iterable<R>) => void
        : never;

/** One handler for each ring, table and iterator of a skeleton. */
export type RecordHandlers<B extends Skeleton> = string extends keyof B["records"]
  ? { readonly [name: string]: unknown }
  : { readonly [K in keyof B["records"]]: Handler<B["records"][K]> };

/** One handler per ring, table and iterator. Records and rows are valid during the call only; tables are read at each collection. */
export type Handlers<B extends Skeleton, R extends SpanRequests = SpanRequests> = RecordHandlers<B> & {
  /** Called at the end of a collection, after the handlers of iterators' rows, rings and tables. */
  readonly collected?: () => void;
  /** What is added to the requested spans. */
  readonly enrich?: Enrich<R>;
  /** Called for each requested span that is exported, after the plugin has added to it. */
  readonly exemplify?: Exemplify<R>;
};

export interface PluginContext<C, S extends Signals, U extends Uses> {
  readonly config: C;
  readonly emit: Emit<S>;
  readonly use: { readonly [K in keyof U]: U[K] extends Token<infer T> ? T : never };
}

export interface Plugin<
  C extends Settings = Settings,
  B extends Skeleton = Skeleton,
  S extends Signals = Signals,
  U extends Uses = Uses,
  R extends SpanRequests = SpanRequests,
> {
  /** Folder, config key, object file and instrumentation scope. */
  readonly name: string;
  readonly summary: string;
  readonly config: C;
  readonly skeleton: B;
  /**
   * The filter criteria that apply to what the plugin observes; absent: all. It has settings for these only, and
   * ignores others in the agent's filter.
   */
  readonly filters?: readonly (keyof Match)[];
  /** How each event is observed. Programs on `iter/` hooks need no probe. */
  readonly probes: Readonly<Record<string, Probe<keyof B["programs"] & string>>>;
  readonly signals: S;
  /** The number of series of a metric for all resources, if settings limit open sets of attribute values. */
  series?(config: SettingsOf<C>): Readonly<Partial<Record<keyof S & string, number>>>;
  /** Attributes of its metrics, declared as opt-in, that these settings enable. */
  opted?(config: SettingsOf<C>): readonly string[];
  /**
   * Its programs look connections up by address (bpf/include/wirespan/tuples.h), so the tracker has to maintain the
   * index.
   */
  readonly tuples?: boolean;
  /** Spans of connections, which the agent emits, with the attributes that this plugin adds. */
  readonly spans?: R;
  /** Services that it uses, by token. */
  readonly uses?: U;
  /** Values for the object's `const volatile` globals, in addition to those that the agent sets. */
  constants?(config: SettingsOf<C>): Readonly<Partial<Record<keyof B["constants"], ConstantValue>>>;
  /** Sizes of maps (entries) and rings (bytes) that depend on settings. */
  sizes?(config: SettingsOf<C>): Readonly<Record<string, number>>;
  /** Rows for the maps that the programs read (AGENT_INPUT in bpf/include/wirespan/skeleton.h). */
  inputs?(config: SettingsOf<C>): Readonly<Record<keyof B["inputs"] & string, readonly InputRow[]>>;
  /** Runs before the programs are attached; returns one handler per ring, table and iterator. */
  start(context: PluginContext<SettingsOf<C>, S, U>): Handlers<B, R>;
  /** `wirespan trace <name>`: bcc's options and columns. */
  readonly trace: TraceView;
}

/** Infers a plugin's types from its literal; does nothing at run time. */
export function plugin<
  const C extends Settings,
  const B extends Skeleton,
  const S extends Signals,
  U extends Uses = Record<never, never>,
  const R extends SpanRequests = Record<never, never>,
>(p: Plugin<C, B, S, U, R>): Plugin<C, B, S, U, R> {
  return p;
}
