// How `wirespan trace <tool>` shows a plugin: bcc's short options, bcc's columns.
import type { AnyAttributes, ExponentialHistogram, Metric } from "../signals.ts";

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
  /** The value it stands for where the option takes none (`-4` sets filter.include.family to `ipv4`). */
  readonly value?: string;
}

/** One line: the attributes of a span, an event or a series of a table, flat. */
export interface Row {
  readonly time: string;
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

export interface Column {
  readonly title: string;
  readonly width: number;
  readonly align?: "left" | "right";
  cell(row: Row): string | number | undefined;
}

export interface TraceView {
  readonly options: readonly TraceOption[];
  /** Positional arguments, as commander takes them: `[interval] [count]`. */
  readonly arguments?: string;
  /** Columns for these options, in order; more with `wide`. */
  columns(flags: Flags): readonly Column[];
  /** The name of the span or event that is a row; a table tool makes its rows of what an interval added. */
  readonly rows: string | ((delta: readonly Metric[], flags: Flags) => readonly Row[]);
  /** Lines that are no columns (histograms), printed instead of the table where it answers. */
  render?(rows: readonly Row[], flags: Flags): readonly string[] | undefined;
}
