// Finds the plugins: each folder in plugins/ that has an index is one.
import { join } from "node:path";
import { suggestion } from "../base/suggest.ts";
import { WirespanError } from "../plugin/errors.ts";
import type { Plugin } from "../plugin/plugin.ts";
import { importIndex, pluginNames } from "./plugin-folder.ts";

/** plugins/ of this clone or package. */
export const PLUGINS = join(import.meta.dirname, "..", "..", "plugins");

/** Names of the installed plugins, in order. */
export function installedPlugins(folder = PLUGINS): readonly string[] {
  return pluginNames(folder).sort();
}

/** Throws USAGE, with the nearest name, for a plugin that is not installed. */
export function requireInstalled(name: string, folder = PLUGINS): void {
  const installed = installedPlugins(folder);
  if (installed.includes(name)) return;
  throw new WirespanError(
    "USAGE",
    `There is no plugin called ${name}${suggestion(name, installed, "wirespan plugins lists them.")}`,
  );
}

/** Imports one plugin. Throws PLUGIN_INVALID if its folder has none, or one with another name. */
export async function importPlugin(name: string, folder = PLUGINS): Promise<Plugin> {
  const path = join(folder, name);
  let found: { default?: Partial<Plugin> };
  try {
    found = (await importIndex(folder, name)) as typeof found;
  } catch (cause) {
    const detail = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    throw new WirespanError("PLUGIN_INVALID", `The plugin ${name} cannot be imported from ${path}.`, {
      cause,
      detail,
    });
  }
  if (found.default?.name !== name) {
    const got =
      found.default?.name === undefined
        ? "has no default export that is a plugin"
        : `is named ${found.default.name}`;
    throw new WirespanError(
      "PLUGIN_INVALID",
      `The plugin in ${path} ${got}; its name must be that of its folder.`,
    );
  }
  return found.default as Plugin;
}

export interface Discovered {
  readonly plugins: readonly Plugin[];
  /** What could not be imported, and why. */
  readonly failed: readonly { readonly name: string; readonly error: WirespanError }[];
}

/** Imports plugins; one that fails does not affect the others. */
export async function importPlugins(names: readonly string[], folder = PLUGINS): Promise<Discovered> {
  const plugins: Plugin[] = [];
  const failed: { name: string; error: WirespanError }[] = [];
  const settled = await Promise.allSettled(names.map((name) => importPlugin(name, folder)));
  settled.forEach((result, i) => {
    if (result.status === "fulfilled") plugins.push(result.value);
    else failed.push({ name: names[i]!, error: result.reason as WirespanError });
  });
  return { plugins, failed };
}
