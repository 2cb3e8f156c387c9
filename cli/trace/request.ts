// The request of `wirespan trace <tool>`, parsed from the command line.
import type { Config } from "../../config/config.ts";
import type { Log } from "../../core/plugin/log.ts";
import type { Plugin } from "../../core/plugin/plugin.ts";
import type { Flags } from "../../core/plugin/trace/view.ts";

export type TraceFormat = "table" | "csv" | "json";

export interface TraceRequest {
  readonly plugin: Plugin;
  /** With only this plugin enabled, and the options that stand for settings applied. */
  readonly config: Config;
  readonly log: Log;
  /** The given options, by long name in camelCase, including those of settings. */
  readonly flags: Flags;
  /** Only rows of these interfaces; absent: all. */
  readonly interfaces?: readonly string[];
  readonly positionals: readonly string[];
  readonly format: TraceFormat;
  /** Everything else that is emitted is printed, too, as JSON lines. */
  readonly signals: boolean;
  /** Milliseconds after which to end; absent: at a signal. */
  readonly durationMs?: number;
  /** Collections after which to end, for tools that take `[interval] [count]`. */
  readonly count?: number;
}
