// `wirespan trace <tool>`: bcc's options, each either a setting or a change of the view.
import { type Command, Option } from "commander";
import { BadValue, count, duration } from "../../config/formats.ts";
import type { Override } from "../../config/load.ts";
import {
  importPlugin,
  importPlugins,
  installedPlugins,
  requireInstalled,
} from "../../core/engine/discover.ts";
import { Names } from "../../core/identity/names/names.ts";
import { sourcesOf } from "../../core/identity/names/sources.ts";
import { WirespanError } from "../../core/plugin/errors.ts";
import { createLog } from "../../core/plugin/log.ts";
import type { Plugin } from "../../core/plugin/plugin.ts";
import { INTERFACE, longName, type SharedOptions, sharedOptions } from "../../core/plugin/trace/options.ts";
import type { Flags, TraceOption } from "../../core/plugin/trace/view.ts";
import { load, overridesOf, selection, withConfig } from "../setup.ts";
import { type AskNames, resolveOperand } from "../trace/operands.ts";
import type { TraceFormat, TraceRequest } from "../trace/request.ts";

/** Adds `trace`; with the tool's options if `args` name one. */
export async function addTrace(program: Command, args: readonly string[]): Promise<void> {
  const trace = program
    .command("trace")
    .description("show one tool live, with bcc's options and columns")
    .usage("<tool> [options] [arguments]")
    .addHelpText(
      "after",
      `
Examples:
  wirespan trace tcplife                 every connection that ends
  wirespan trace tcplife -L 22           those of local port 22
  wirespan trace tcplife --json          as JSON lines
  wirespan trace softirqs 1 10           ten times, one second each
  wirespan trace tcplife --help          this tool's own options`,
    );
  const tool = toolOf(args);
  if (tool !== undefined) {
    requireInstalled(tool);
    addTool(trace.command(tool), await importPlugin(tool));
  } else if (args[0] === "trace") {
    const { plugins } = await importPlugins(installedPlugins());
    for (const { name, summary } of plugins) trace.command(name).description(summary);
  }
}

/** The tool's own options must be known before the line can be parsed. */
function toolOf(args: readonly string[]): string | undefined {
  const [command, tool] = args;
  return command === "trace" && tool !== undefined && !tool.startsWith("-") ? tool : undefined;
}

/** Options that all tools share, unless the tool has its own with that name. */
const common = [
  new Option("--json", "print JSON lines").conflicts("csv"),
  new Option("--csv", "print comma-separated values"),
  new Option("--wide", "print more columns"),
  new Option("--signals", "print everything else that is emitted, too; JSON lines").implies({ json: true }),
  new Option("--duration <time>", "end after this time, such as 10s"),
];

function addTool(command: Command, plugin: Plugin): void {
  const { options, arguments: operands } = plugin.trace;
  const shared = sharedOptions(plugin);
  command.description(plugin.summary);
  if (operands !== undefined) command.arguments(operands);
  for (const { flags, doc } of [...options, ...shared.options]) command.addOption(new Option(flags, doc));
  for (const { flags } of shared.refused) command.addOption(meaningless(flags));
  const taken = new Set(command.options.map((option) => option.long));
  for (const option of common) if (!taken.has(option.long)) command.addOption(option);
  withConfig(command.allowExcessArguments(false)).action(async () => {
    const request = await requestOf(plugin, command);
    const { runTrace } = await import("../trace/trace.ts");
    await runTrace(request);
  });
}

/** Throws USAGE for an option that other tools have but that has no meaning for this one. */
function refuseMeaningless({ name }: Plugin, { refused }: SharedOptions, flags: Flags): void {
  for (const { flags: spelled, why } of refused) {
    const option = meaningless(spelled);
    if (flags[option.attributeName()] !== undefined)
      throw new WirespanError("USAGE", `${name} has no ${option.long}: ${why}.`);
  }
}

/** An explanation of why a tool does not have an option is better than "unknown option". */
const meaningless = (flags: string): Option => new Option(flags.replace(/<.*>/, "[value]")).hideHelp();

async function requestOf(plugin: Plugin, command: Command): Promise<TraceRequest> {
  const flags = command.opts<Flags & { config?: string; set?: readonly string[] }>();
  const { interval = flags.interval, count: times } = operandsOf(plugin, command.args);
  const shared = sharedOptions(plugin);
  refuseMeaningless(plugin, shared, flags);
  const options = [...plugin.trace.options, ...shared.options];
  const names = async () => {
    const { config } = await load(flags.config, [
      ...selection([plugin.name], "trace"),
      ...overridesOf(flags.set),
    ]);
    const asked = new Names(sourcesOf(config.identity), createLog(config.log));
    await asked.start();
    asked[Symbol.dispose]();
    return asked;
  };
  const counts = plugin.trace.counting !== undefined && flags[plugin.trace.counting.option] === true;
  const overrides = [
    ...selection([plugin.name], "trace"),
    // A tool that lists connections lists all of them.
    { path: "sampling.ratio", value: "1", flag: "trace" },
    ...presetsOf(plugin),
    ...(plugin.trace.interval !== undefined
      ? [{ path: "metrics.interval", value: plugin.trace.interval, flag: "trace" }]
      : []),
    ...overridesOf(flags.set),
    ...(await settingsOf(plugin.name, options, flags, names)),
    ...operandSettingsOf(plugin, command.args),
  ];
  if (typeof interval === "string") {
    if (!/^\d+(\.\d+)?$/.test(interval)) {
      throw new WirespanError("USAGE", `The interval is in seconds, such as 1 or 0.5, not "${interval}".`);
    }
    overrides.push({ path: "metrics.interval", value: `${interval}s`, flag: "the interval" });
  } else if (counts) {
    // One table, when it ends.
    overrides.push({ path: "metrics.interval", value: "24h", flag: "trace" });
  }
  const { config } = await load(flags.config, overrides);
  return {
    plugin,
    config,
    log: createLog(config.log),
    flags,
    ...(await interfacesOf(options, flags, names)),
    positionals: command.args,
    format: formatOf(flags),
    signals: flags.signals === true,
    ...(typeof flags.duration === "string" && {
      durationMs: read(duration(1), flags.duration, "--duration"),
    }),
    ...(times !== undefined && { count: read(count(1), times, "the count") }),
  };
}

const formatOf = (flags: Flags): TraceFormat =>
  flags.json === true ? "json" : flags.csv === true ? "csv" : "table";

/** `[interval] [count]` by name. */
function operandsOf({ trace }: Plugin, args: readonly string[]): Readonly<Record<string, string>> {
  const names = (trace.arguments ?? "").match(/[A-Za-z]+/g) ?? [];
  return Object.fromEntries(args.map((value, i) => [names[i] ?? "", value]));
}

function operandSettingsOf(plugin: Plugin, args: readonly string[]): Override[] {
  return Object.entries(operandsOf(plugin, args)).flatMap(([operand, value]) => {
    const { setting, unit } = plugin.trace.operands?.[operand] ?? {};
    if (setting === undefined) return [];
    return [{ path: `plugins.${plugin.name}.${setting}`, value: `${value}${unit}`, flag: operand }];
  });
}

const presetsOf = ({ name, trace }: Plugin): Override[] =>
  Object.entries(trace.settings ?? {}).map(([setting, value]) => {
    return { path: `plugins.${name}.${setting}`, value, flag: "trace" };
  });

/** The options on the command line that stand for settings; several for one setting form a list. */
async function settingsOf(
  name: string,
  options: readonly TraceOption[],
  flags: Flags,
  names: AskNames,
): Promise<Override[]> {
  const found = new Map<string, Override>();
  for (const { flags: spelled, setting, value } of options) {
    const option = new Option(spelled);
    const given = flags[option.attributeName()];
    if (setting === undefined || given === undefined || given === false) continue;
    const path = `plugins.${name}.${setting}`;
    const before = found.get(path);
    const flag = option.long ?? spelled;
    const said = value?.replace("{}", String(given)) ?? String(given);
    const text = await resolveOperand(setting, flag, said, names);
    found.set(path, {
      path,
      value: before === undefined ? text : `${before.value},${text}`,
      flag,
    });
  }
  return [...found.values()];
}

/** The requested interfaces, for a tool that has no setting for them. */
async function interfacesOf(
  options: readonly TraceOption[],
  { interface: given }: Flags,
  names: AskNames,
): Promise<{ readonly interfaces?: readonly string[] }> {
  const option = options.find((one) => longName(one) === longName(INTERFACE));
  if (typeof given !== "string" || option === undefined || option.setting !== undefined) return {};
  return { interfaces: (await resolveOperand("interfaces", "--interface", given, names)).split(",") };
}

function read(reader: ReturnType<typeof count>, text: string, what: string): number {
  try {
    return reader.read(text);
  } catch (error) {
    if (!(error instanceof BadValue)) throw error;
    throw new WirespanError("USAGE", `${what}: ${error.message}, got "${text}".`);
  }
}
