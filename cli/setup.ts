// The first steps of most commands: find the plugins, read the configuration.
import { type Command, Option } from "commander";
import type { Config } from "../config/config.ts";
import { loadConfig, type Override, readConfigFile, wantedPlugins } from "../config/load.ts";
import {
  type Discovered,
  importPlugins,
  installedPlugins,
  requireInstalled,
} from "../core/engine/discover.ts";
import { WirespanError } from "../core/plugin/errors.ts";

export interface ConfigFlags {
  readonly config?: string;
  readonly plugin?: readonly string[];
  readonly set?: readonly string[];
  /** Of the agent: lines on standard output. */
  readonly format?: string;
}

export interface Setup extends Discovered {
  readonly config: Config;
}

/** Adds the options for the sources of the configuration; without short forms, which bcc's tools use. */
export function withConfig(command: Command): Command {
  return command
    .option("--config <file>", "read the configuration from this YAML file")
    .addOption(
      new Option(
        "--set <path=value>",
        "set one setting, overriding file and environment: log.level=debug; may be repeated",
      ).argParser((value: string, before: readonly string[] = []) => [...before, value]),
    );
}

/** The values of --set as overrides. Throws USAGE for one without `=`. */
export function overridesOf(set: readonly string[] = []): Override[] {
  return set.map((pair) => {
    const at = pair.indexOf("=");
    if (at < 1)
      throw new WirespanError("USAGE", `--set requires PATH=VALUE, such as log.level=debug, not "${pair}".`);
    return { path: pair.slice(0, at), value: pair.slice(at + 1), flag: "--set" };
  });
}

/** Imports the plugins to be run and loads the configuration. */
export async function setUp(
  { config: file, plugin: only, set, format }: ConfigFlags,
  outcome?: string,
): Promise<Setup> {
  for (const name of only ?? []) requireInstalled(name);
  const flags = [
    ...(format === undefined ? [] : linesOf(format)),
    ...overridesOf(set),
    ...(only === undefined ? [] : selection(only, "--plugin")),
  ];
  return load(file, flags, outcome);
}

/** The overrides that make the console print lines. */
function linesOf(format: string): Override[] {
  const flag = "--format";
  return [
    { path: "exporters.console.type", value: "console", flag },
    { path: "exporters.console.format", value: format, flag },
  ];
}

/** The overrides that leave only these plugins enabled. */
export function selection(only: readonly string[], flag: string): Override[] {
  return installedPlugins().map((name) => {
    return { path: `plugins.${name}.enabled`, value: String(only.includes(name)), flag };
  });
}

/**
 * Imports the plugins that file, environment and `flags` leave enabled, and loads the configuration for them.
 * `outcome`: the consequence of an invalid configuration, for the message.
 */
export async function load(
  name: string | undefined,
  flags: readonly Override[],
  outcome?: string,
): Promise<Setup> {
  const installed = installedPlugins();
  const file = name === undefined ? undefined : readConfigFile(name, outcome);
  const sources = { file, env: process.env, flags, outcome };
  const discovered = await importPlugins(wantedPlugins(installed, sources));
  const { plugins } = discovered;
  const others = installed.filter((name) => !plugins.some((plugin) => plugin.name === name));
  return { ...discovered, config: loadConfig({ ...sources, plugins, others }) };
}
