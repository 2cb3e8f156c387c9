// From file, environment and flags to one checked configuration. Flags take precedence over the environment, the
// environment over the file, the file over defaults.
import type { Plugin } from "../core/plugin/plugin.ts";
import { assemble } from "./assemble.ts";
import type { Config } from "./config.ts";
import { readEnvironment, variableOf } from "./environment.ts";
import { EXPORTER_TYPES, exporterTree } from "./exporters.ts";
import { ConfigFile, exporterName } from "./file.ts";
import { readOtel } from "./otel.ts";
import { composeTree } from "./schema.ts";
import { type Environment, substitute } from "./secrets.ts";
import { type Assignment, ConfigErrors } from "./source.ts";
import type { Tree } from "./tree.ts";
import { Values } from "./values.ts";
import { isOpenToOthers } from "./viewer.ts";

/** Maximum number of exporters, since each has connections, a queue and a copy of everything. */
const EXPORTERS = 32;

/** A setting given on the command line. */
export interface Override {
  /** `plugins.tcplife.filter.include.localPort` */
  readonly path: string;
  readonly value: string;
  /** As the user wrote it, for messages: `--localport`. */
  readonly flag: string;
}

export interface Sources {
  /** The file, or its path. */
  readonly file?: string | ConfigFile | undefined;
  readonly env: Environment;
  readonly flags: readonly Override[];
  readonly plugins: readonly Plugin[];
  /** Names of installed plugins that are not in `plugins`: their settings are not checked. */
  readonly others?: readonly string[];
  /** The consequence of an error, for messages; `nothing was started` if absent. */
  readonly outcome?: string | undefined;
}

/**
 * The configuration. Throws CONFIG_UNREADABLE for the file and CONFIG_INVALID with all errors, one per line of detail.
 */
export function loadConfig(sources: Sources): Config {
  const { file: name, env, flags, plugins, others = [], outcome } = sources;
  const errors = new ConfigErrors(outcome);
  const file = typeof name === "string" ? new ConfigFile(name, errors) : name;
  const names = file?.keys("exporters") ?? [];
  if (names.length > EXPORTERS) {
    const found = `${names.length} exporters are too many; at most ${EXPORTERS}`;
    errors.add(file?.where("exporters") ?? "", "exporters", found);
    errors.throwIfAny();
  }
  const types = new Map(names.map((exporter) => [exporter, typeOf(exporter, { file, env, flags })]));
  const otel = readOtel(env, { names, otlpType: types.get("otlp") }, errors);
  for (const [exporter, type] of otel.exporters) types.set(exporter, type);
  for (const { path, value } of flags) {
    const [, exporter] = /^exporters\.([^.]+)\.type$/.exec(path) ?? [];
    if (exporter !== undefined) types.set(exporter, value);
  }

  const exporters: Record<string, Tree> = {};
  for (const [exporter, type] of types) {
    if (exporterName(exporter) === undefined) exporters[exporter] = exporterTree(type);
  }
  const tree = composeTree({ plugins, others, exporters });
  const opaque = new Set(others.map((other) => `plugins.${other}`));
  const assignments = [
    ...(file?.assignments(tree, opaque, errors) ?? []),
    ...otel.assignments,
    ...readEnvironment(env, tree, opaque, errors),
    ...flags.map(({ path, value, flag }): Assignment => {
      return { path, raw: value, origin: { source: "flag", where: flag } };
    }),
  ];
  const values = new Values(tree, env, errors);
  for (const assignment of assignments) values.assign(assignment);
  for (const exporter of Object.keys(exporters)) {
    const path = `exporters.${exporter}.type`;
    if (values.has(path)) continue;
    errors.add(
      file?.where("exporters", exporter) ?? "",
      path,
      `missing; one of ${EXPORTER_TYPES.join(", ")}`,
    );
  }
  errors.throwIfAny();
  const config = assemble({ ...values.result(), plugins, otel });
  const { address, token } = config.viewer;
  if (token === "" && isOpenToOthers(address)) {
    errors.add(
      file?.where("viewer", "address") ?? "",
      "viewer.address",
      `${address} can be reached by other hosts, which requires viewer.token; 127.0.0.1:4380 is for this host alone`,
    );
    errors.throwIfAny();
  }
  return config;
}

/** The type determines which settings an exporter has, so it is looked up before the rest. */
function typeOf(exporter: string, { file, env, flags }: TypeSources): string | undefined {
  const path = `exporters.${exporter}.type`;
  const flag = flags.findLast((override) => override.path === path)?.value;
  const written = flag ?? env[variableOf(path)] ?? file?.text("exporters", exporter, "type");
  try {
    return written && String(substitute(written, env).raw);
  } catch {
    return undefined; // reported where the value itself is assigned
  }
}

interface TypeSources extends Pick<Sources, "env" | "flags"> {
  readonly file: ConfigFile | undefined;
}

/** The installed plugins to import: all except those that the sources only disable. */
export function wantedPlugins(
  installed: readonly string[],
  { file, env, flags }: Pick<Sources, "env" | "flags"> & { readonly file?: ConfigFile | undefined },
): readonly string[] {
  return installed.filter((plugin) => {
    const path = `plugins.${plugin}.enabled`;
    const flag = flags.findLast((override) => override.path === path)?.value;
    const said =
      flag ??
      env[variableOf(path)] ??
      file?.text("plugins", plugin, "enabled") ??
      file?.text("plugins", plugin);
    // Settings of a plugin that the file disables are still checked, so it is imported for that.
    return said !== "false" || (flag === undefined && (file?.keys("plugins", plugin).length ?? 0) > 1);
  });
}

/**
 * Reads a configuration file, whose keys are checked by loadConfig. Throws CONFIG_UNREADABLE, or CONFIG_INVALID for
 * text that is not YAML; `outcome`: as in Sources.
 */
export function readConfigFile(name: string, outcome?: string): ConfigFile {
  return new ConfigFile(name, new ConfigErrors(outcome));
}
