// `wirespan plugins [NAME]`
import type { Command } from "commander";
import { readerOf } from "../../config/formats.ts";
import {
  importPlugin,
  importPlugins,
  installedPlugins,
  requireInstalled,
} from "../../core/engine/discover.ts";
import { type SpanKey, spansWith } from "../../core/plugin/connection.ts";
import type { Plugin, Probe } from "../../core/plugin/plugin.ts";
import type { AttributeSpec, SignalSpec } from "../../core/plugin/signals.ts";

export function addPlugins(program: Command): void {
  program
    .command("plugins [name]")
    .description("list the plugins, or the signals and settings of one")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nExamples:\n  wirespan plugins\n  wirespan plugins tcplife\n  wirespan plugins --json",
    )
    .action(async (name: string | undefined, { json }: { json?: boolean }) => {
      if (name === undefined) await printAll(json === true);
      else await printOne(name, json === true);
    });
}

async function printAll(json: boolean): Promise<void> {
  const { plugins, failed } = await importPlugins(installedPlugins());
  if (json) {
    process.stdout.write(`${JSON.stringify(plugins.map(described), null, 2)}\n`);
  } else {
    const width = Math.max(...plugins.map(({ name }) => name.length), 0);
    for (const { name, summary } of plugins) process.stdout.write(`${name.padEnd(width)}  ${summary}\n`);
  }
  if (failed[0] !== undefined) throw failed[0].error;
}

async function printOne(name: string, json: boolean): Promise<void> {
  requireInstalled(name);
  const plugin = await importPlugin(name);
  process.stdout.write(json ? `${JSON.stringify(described(plugin), null, 2)}\n` : page(plugin));
}

/** The plugin's own signals, and the connection spans that it requests. */
function signalsOf(plugin: Plugin): SignalSpec[] {
  const spans = spansWith([plugin.spans ?? {}]);
  const asked = Object.keys(plugin.spans ?? {}).map((key) => spans[key as SpanKey]);
  return [...asked, ...Object.values(plugin.signals)];
}

/** Uses the keys that scripts read. */
function describedProbe({ lostWithout, ...probe }: Probe) {
  return { ...probe, ...(lostWithout !== undefined && { without: lostWithout }) };
}

function described(plugin: Plugin) {
  const { name, summary, config, probes, skeleton, trace } = plugin;
  return {
    name,
    summary,
    signals: signalsOf(plugin),
    settings: config,
    probes: Object.fromEntries(Object.entries(probes).map(([key, probe]) => [key, describedProbe(probe)])),
    programs: skeleton.programs,
    trace: trace.options,
  };
}

function page(plugin: Plugin): string {
  const lines = [`${plugin.name}: ${plugin.summary}`];
  for (const signal of signalsOf(plugin)) {
    lines.push("", `${heading(signal)}`, `  ${signal.description}`);
    const rows = Object.entries(signal.attributes).map(([key, spec]) => [
      key,
      typeOf(spec),
      spec.requirement,
      spec.description,
    ]);
    lines.push(...table(rows));
  }
  section(
    lines,
    "Settings",
    Object.entries(plugin.config).map(([key, { doc, format, default: value }]) => {
      return [
        key,
        typeof format === "string" ? format : format.join("|"),
        `default ${readerOf(format).show(value) || "none"}`,
        doc,
      ];
    }),
  );
  section(
    lines,
    "Hooks",
    Object.entries(plugin.probes).map(([what, probe]) => [
      what,
      hooks(plugin, probe),
      probe.lostWithout ?? "required",
    ]),
  );
  section(
    lines,
    "Options of trace",
    plugin.trace.options.map(({ flags, doc }) => [flags, doc]),
  );
  return `${lines.join("\n")}\n`;
}

function heading(signal: SignalSpec): string {
  if (signal.signal === "metric") return `metric ${signal.name} (${signal.instrument}, ${signal.unit})`;
  return signal.signal === "event" ? `event ${signal.name} (${signal.severity})` : `span ${signal.name}`;
}

function hooks({ skeleton }: Plugin, { programs }: Probe): string {
  const names = programs.map((candidate) => (typeof candidate === "string" ? candidate : candidate.program));
  return names.map((name) => skeleton.programs[name] ?? name).join(", else ");
}

const typeOf = ({ type, enum: values }: AttributeSpec): string =>
  values === undefined ? type : values.join("|");

function section(lines: string[], title: string, rows: readonly (readonly string[])[]): void {
  if (rows.length > 0) lines.push("", title, ...table(rows));
}

/** Columns of the terminal; elsewhere lines are not wrapped. */
const terminalWidth = (): number =>
  (process.stdout.isTTY && process.stdout.columns) || Number.POSITIVE_INFINITY;
/** Minimum columns of the last cell when it is continued on further lines. */
const LEAST = 30;

/** Columns as wide as their widest cell; the last one is wrapped below itself if the terminal is too narrow. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.slice(0, -1).entries())
      widths[i] = Math.min(48, Math.max(widths[i] ?? 0, cell.length));
  }
  const before = widths.reduce((sum, width) => sum + width + 2, 2);
  const room = terminalWidth() - before;
  return rows.flatMap((row) => {
    const cells = row.slice(0, -1).map((cell, i) => cell.padEnd(widths[i]!));
    const last = row.at(-1) ?? "";
    if (room >= LEAST) {
      const [first = "", ...more] = wrapped(last, room);
      return [`  ${[...cells, first].join("  ")}`, ...more.map((line) => " ".repeat(before) + line)];
    }
    return [`  ${cells.join("  ")}`, ...wrapped(last, terminalWidth() - 6).map((line) => `      ${line}`)];
  });
}

/** The words of a text in lines of at most `width` characters. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
