// Attaches plugins to the tracker. Tests: core/engine/missing-hooks.kernel.test.ts, test/system/reload.kernel.test.ts.
import type { Config } from "../../config/config.ts";
import { explained } from "../bridge/refusal.ts";
import type { WirespanError } from "../plugin/errors.ts";
import type { Log } from "../plugin/log.ts";
import { activeProbes, type Plugin } from "../plugin/plugin.ts";
import { ignoredCriteria } from "./filter.ts";
import { freeBit } from "./plugin-bits.ts";
import { PluginRunner, type RunnerOptions } from "./plugin-runner.ts";
import type { Needs } from "./tracker.ts";

export interface FailedPlugin {
  readonly name: string;
  readonly error: WirespanError;
}

/** The plugins that the configuration enables. */
export function enabledOf(plugins: readonly Plugin[], config: Config): readonly Plugin[] {
  return plugins.filter(({ name }) => config.plugins[name]?.enabled);
}

/** What these plugins require of the tracker. */
export function needsFrom(plugins: readonly Plugin[], config: Config): Needs {
  const hooks = new Set(
    plugins.flatMap((plugin) =>
      Object.values(activeProbes(plugin, config.plugins[plugin.name]!.settings))
        .flatMap(({ programs }) => programs)
        .map((p) => plugin.skeleton.programs[typeof p === "string" ? p : p.program] ?? ""),
    ),
  );
  return { hooks, tuples: plugins.some(({ tuples }) => tuples) };
}

/** Warns about plugins to which an agent-wide filter does not apply. */
export function warnIgnored(plugins: readonly Plugin[], { filter }: Config, log: Log): void {
  for (const { name, filters } of plugins) {
    const paths = filters ? ignoredCriteria(filter, filters) : [];
    if (paths.length > 0)
      log.warn({ paths }, `${name} ignores ${paths.join(", ")}: it does not observe connections`);
  }
}

type Attaching = Omit<RunnerOptions, "plugin" | "bit" | "before">;

/**
 * Attaches plugins at once and adds those that succeed to `runners`, in their order; returns the others with the
 * reasons.
 */
export async function attachPlugins(
  plugins: readonly Plugin[],
  options: Attaching,
  runners: PluginRunner[],
): Promise<FailedPlugin[]> {
  const { lockdown } = options.native.features();
  const bits = new Set<number>();
  const attach = async (plugin: Plugin): Promise<FailedPlugin | undefined> => {
    let bit = 0;
    try {
      bit = freeBit(plugin.name, bits);
      bits.add(bit);
      runners.push(await PluginRunner.attach({ ...options, plugin, bit }));
      return undefined;
    } catch (error) {
      bits.delete(bit);
      return { name: plugin.name, error: explained(plugin.name, error, lockdown) };
    }
  };
  const failed = (await Promise.all(plugins.map(attach))).filter((one) => one !== undefined);
  // Loading all at once may exceed a limit that is not exceeded one after the other.
  for (const [i, { name, error }] of failed.entries()) {
    if (error.code !== "LIMIT") continue;
    const again = await attach(plugins.find((plugin) => plugin.name === name)!);
    if (again === undefined) delete failed[i];
    else failed[i] = again;
  }
  const order = plugins.map(({ name }) => name);
  runners.sort((a, b) => order.indexOf(a.plugin.name) - order.indexOf(b.plugin.name));
  return failed.filter((one) => one !== undefined);
}

/**
 * Attaches additional plugins. If one fails, all of them are detached, unless it had `failed` before and `strict` is not
 * set: then it is returned as failed again.
 */
export async function attachMore(
  plugins: readonly Plugin[],
  options: Attaching,
  running: readonly PluginRunner[],
  failed: readonly FailedPlugin[],
): Promise<{ readonly attached: PluginRunner[]; readonly failed: FailedPlugin[] }> {
  const attached: PluginRunner[] = [];
  const again: FailedPlugin[] = [];
  try {
    for (const plugin of plugins) {
      const { name } = plugin;
      const taken = new Set([...running, ...attached].map(({ bit }) => bit));
      const before = running.find((runner) => runner.plugin === plugin);
      try {
        attached.push(await PluginRunner.attach({ ...options, plugin, bit: freeBit(name, taken), before }));
      } catch (error) {
        if (options.config.strict || !failed.some((one) => one.name === name)) throw error;
        again.push({ name, error: explained(name, error, options.native.features().lockdown) });
      }
    }
  } catch (error) {
    for (const runner of attached) runner.close();
    throw error;
  }
  return { attached, failed: again };
}
