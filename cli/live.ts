// The live view of the agent on a terminal: its settings, log and pages. Tests: test/system/live.kernel.test.ts.
import { requestShutdown } from "../agent/life.ts";
import type { Config } from "../config/config.ts";
import { standardError, standardOutput } from "../core/base/output.ts";
import type { Log } from "../core/plugin/log.ts";
import type { Plugin } from "../core/plugin/plugin.ts";
import type { Sink } from "../core/plugin/signals.ts";
import type { ConsoleConfig } from "../exporters/config.ts";
import type { Exporter } from "../exporters/exporter.ts";

/** Maximum interval between collections, milliseconds: a page that does not change for longer seems stuck. */
const INTERVAL = 2000;

/** Whether this configuration shows the live view here. */
export function isLive({ exporters }: Config): boolean {
  if (!standardOutput().isTTY) return false;
  return Object.values(exporters).some(
    (exporter) => exporter.type === "console" && (exporter.format === "live" || exporter.format === "auto"),
  );
}

/** The configuration with settings that the live view needs, unless they were given. */
export function configForLive(config: Config, plugins: readonly Plugin[]): Config {
  if (!isLive(config)) return config;
  const given = new Set(config.effective.filter(({ origins }) => origins.length > 0).map(({ path }) => path));
  const interval = given.has("metrics.interval")
    ? config.metrics.interval
    : Math.min(INTERVAL, config.metrics.interval);
  const changed = plugins.flatMap(({ name, trace }) => {
    const own = config.plugins[name];
    if (!own || !trace.live) return [];
    const settings = Object.entries(trace.live).filter(([key]) => !given.has(`plugins.${name}.${key}`));
    return [[name, { ...own, settings: { ...own.settings, ...Object.fromEntries(settings) } }]];
  });
  return {
    ...config,
    metrics: { ...config.metrics, interval },
    plugins: { ...config.plugins, ...Object.fromEntries(changed) },
  };
}

/** A log whose lines would corrupt the page: they are stored, shown on the page, and printed after it has ended. */
export interface HeldLog extends Log {
  /** The latest warning or error; undefined if it is old. */
  readonly latest: string | undefined;
}

/** Number of lines that are stored. */
const MOST_LINES = 100;
/** Milliseconds for which a line is shown. */
const SHOWN = 30_000;

/** Prints warnings and errors on standard error when the process ends. */
export function holdLog(): HeldLog {
  const lines: string[] = [];
  let latest: { readonly text: string; readonly at: number } | undefined;
  const write = (level: string) => (_fields: object, message: string) => {
    lines.push(`${level}: ${message}`);
    if (lines.length > MOST_LINES) lines.shift();
    latest = { text: `${level}: ${message}`, at: performance.now() };
  };
  process.once("exit", () => {
    for (const line of lines) standardError().write(`wirespan: ${line}\n`);
  });
  return {
    error: write("error"),
    warn: write("warn"),
    info: () => {},
    debug: () => {},
    get latest() {
      return latest && performance.now() - latest.at < SHOWN ? latest.text : undefined;
    },
  };
}

/** Creates the live view on standard output, with a page for each plugin. */
export async function createLive(
  name: string,
  { signals }: ConsoleConfig,
  plugins: readonly Plugin[],
  log: Partial<HeldLog>,
  page: () => string | undefined,
): Promise<Exporter & Sink> {
  const { stdin, stdout } = process;
  const { LiveExporter } = await import("../exporters/console/live/live-exporter.ts");
  const { TracePage } = await import("./trace/page.ts");
  const tools = plugins.map((plugin) => {
    return { name: plugin.name, summary: plugin.summary, open: () => new TracePage(plugin) };
  });
  return new LiveExporter(name, signals, {
    tools,
    stdin,
    stdout,
    output: standardOutput(),
    lastLine: () => log.latest,
    page,
    quit: requestShutdown,
  });
}
