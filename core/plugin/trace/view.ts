// How `wirespan trace <tool>` shows a plugin: bcc's short options, bcc's columns. Tests: cli/trace/sink.test.ts.
import type { SettingValue } from "../settings.ts";
import type { AnyAttributes, ExponentialHistogram, Metric, Point, Time } from "../signals.ts";

/** Values of the options given on the command line, by long name in camelCase. */
export type Flags = Readonly<Record<string, string | boolean | undefined>>;

export interface TraceOption {
  /** In commander's syntax: `-L, --localport <ports>`. */
  readonly flags: string;
  readonly doc: string;
  /**
   * The setting that the option is short for, by path within the plugin's configuration: `filter.include.localPort`.
   * Without it the option only changes the view.
   */
  readonly setting?: string;
  /**
   * The value that it sets if that is not its argument (`-4` sets filter.include.family to `ipv4`); `{}` in it is
   * replaced with the argument.
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
  /** Tables only: other values for the plugin's columns. */
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
   * Options that all tools share (core/plugin/trace/options.ts) and that do not apply to this one, with the reason, a
   * clause; `*` is the reason for all criteria that the plugin's filters do not have.
   */
  readonly meansNothing?: Readonly<Record<string, string>>;
  readonly options: readonly TraceOption[];
  /** Positional arguments, in commander's syntax: `[interval] [count]`. */
  readonly arguments?: string;
  /** Those that stand for settings, by path as in `TraceOption.setting`; `unit` is appended to the number. */
  readonly operands?: Readonly<Record<string, { readonly setting: string; readonly unit: string }>>;
  /** Columns for these options, in order; more with `wide`. */
  columns(flags: Flags): readonly Column[];
  /** The names of the spans or events that are rows; the rows of a table tool are an interval's differences. */
  readonly rows: string | readonly string[] | TableRows;
  /** With this option (its long name in camelCase) the tool counts: one table at the end, or one per interval. */
  readonly counting?: { readonly option: string; readonly rows: TableRows };
  /** Settings of the tool's view unless an option sets them, by path as in `TraceOption.setting`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Settings of the plugin that the agent's live view needs, unless they are given. */
  readonly live?: Readonly<Record<string, SettingValue>>;
  /** The default interval between tables: `1s`. */
  readonly interval?: string;
  /** Events that are rows form a table for each interval, instead of a continuous one. */
  readonly tables?: boolean;
  /** Lines above an interval's table. */
  heading?(rows: readonly Row[], flags: Flags): readonly string[];
  /** On a terminal, each interval's table replaces the previous one. */
  refreshes?(flags: Flags): boolean;
  /** Lines without columns (histograms), printed instead of the table; undefined: the table. */
  render?(rows: readonly Row[], flags: Flags): readonly string[] | undefined;
}

/** The view's rows under these options. */
export function rowsOf({ rows, counting }: TraceView, flags: Flags): readonly string[] | TableRows {
  if (counting && flags[counting.option]) return counting.rows;
  return typeof rows === "string" ? [rows] : rows;
}
