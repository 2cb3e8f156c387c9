// How `wirespan trace <tool>` shows a plugin: bcc's short options, bcc's columns. Tests: cli/trace/sink.test.ts.
import type { SettingValue } from "../settings.ts";
import type { AnyAttributes, ExponentialHistogram, Metric, Point, Time } from "../signals.ts";

/** Values of the options given on the command line, by long name in camelCase. */
export type Flags = Readonly<Record<string, string | boolean | undefined>>;

export interface TraceOption {
  /** As commander takes it: `-L, --localport <ports>`. */
  readonly flags: string;
  readonly doc: string;
  /**
   * The setting that the option is short for, by path within the plugin's configuration:
   * `filter.include.localPort`. Without it the option only changes the view.
   */
  readonly setting?: string;
  /**
   * The value it stands for if that is not its own (`-4` sets filter.include.family to `ipv4`); `{}` in
   * it is what was given.
   */
  readonly value?: string;
}

/** One line: the attributes of a span, an event or a series of a table, flat. */
export interface Row {
  readonly time: Time;
  readonly name: string;
  readonly attributes: AnyAttributes;
  /** Spans only, seconds. */
  readonly duration?: number;
  readonly error?: string | undefined;
  /** Tables only. */
  readonly value?: number;
  readonly histogram?: ExponentialHistogram;
  /** Tables only: what else the plugin's columns show of the line. */
  readonly figures?: Readonly<Record<string, number | undefined>>;
}

/** The row of one point of a metric. */
export function pointRow({ time, spec }: Metric, { attributes, value }: Point): Row {
  const of = typeof value === "number" ? { value } : { histogram: value };
  return { time, name: spec.name, attributes, ...of };
}

export interface Column {
  readonly title: string;
  readonly width: number;
  readonly align?: "left" | "right";
  cell(row: Row): string | number | undefined;
}

/** The rows of a table tool, from the metrics' differences in an interval. */
export type TableRows = (delta: readonly Metric[], flags: Flags) => readonly Row[];

export interface TraceView {
  /**
   * Options that every tool has (core/plugin/trace/options.ts) and that do not apply to this one, with the reason, a clause;
   * `*` is the reason of all that the plugin's filters do not have.
   */
  readonly meansNothing?: Readonly<Record<string, string>>;
  readonly options: readonly TraceOption[];
  /** Positional arguments, as commander takes them: `[interval] [count]`. */
  readonly arguments?: string;
  /** Those of them that stand for settings, by path as in `TraceOption.setting`; `unit` goes behind the number. */
  readonly operands?: Readonly<Record<string, { readonly setting: string; readonly unit: string }>>;
  /** Columns for these options, in order; more with `wide`. */
  columns(flags: Flags): readonly Column[];
  /** The names of the spans or events that are rows; a table tool makes its rows of what an interval added. */
  readonly rows: string | readonly string[] | TableRows;
  /** With this option (its long name in camelCase) the tool counts: one table at the end, or each interval. */
  readonly counting?: { readonly option: string; readonly rows: TableRows };
  /** Settings that the tool is shown with unless an option says otherwise, by path as in `TraceOption.setting`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Settings of the plugin that the agent's live view needs, unless they are given. */
  readonly live?: Readonly<Record<string, SettingValue>>;
  /** The default time from table to table: `1s`. */
  readonly interval?: string;
  /** Events that are rows make a table for each interval, instead of a continuous one. */
  readonly tables?: boolean;
  /** Lines above an interval's table. */
  heading?(rows: readonly Row[], flags: Flags): readonly string[];
  /** On a terminal, each interval's table replaces the one before. */
  refreshes?(flags: Flags): boolean;
  /** Lines without columns (histograms), printed instead of the table; undefined: the table. */
  render?(rows: readonly Row[], flags: Flags): readonly string[] | undefined;
}

/** The view's rows under these options. */
export function rowsOf({ rows, counting }: TraceView, flags: Flags): readonly string[] | TableRows {
  if (counting && flags[counting.option]) return counting.rows;
  return typeof rows === "string" ? [rows] : rows;
}
