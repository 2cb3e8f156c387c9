// Every setting, composed of the agent's own, the plugins' and the exporters'. Tests: config/load.test.ts.
import { isDeepStrictEqual } from "node:util";
import { WirespanError } from "../core/plugin/errors.ts";
import type { Plugin } from "../core/plugin/plugin.ts";
import type { Match } from "../core/plugin/settings.ts";
import { CRITERIA, capacities, readerWithin } from "./criteria.ts";
import { duration, type Reader, readerOf, text } from "./formats.ts";
import { agentSettings, ringBytes } from "./settings.ts";
import { type Leaf, leaf, type Tree } from "./tree.ts";

const boolean = readerOf("boolean");

/** The settings of a filter; `filters`: only these criteria, and no other settings. */
function filterTree(capacity: ReadonlyMap<string, number>, filters?: readonly (keyof Match)[]): Tree {
  const match = Object.fromEntries(
    (filters ?? (Object.keys(CRITERIA) as (keyof Match)[])).map((key) => [
      key,
      leaf(readerWithin(CRITERIA[key], capacity), [], CRITERIA[key].doc),
    ]),
  );
  return { include: match, exclude: match, ...(filters === undefined && rest) };
}

const rest: Tree = {
  minDuration: leaf(duration(), 0, "Only what took at least this long."),
  failuresOnly: leaf(
    boolean,
    false,
    "Only failures: attempts that did not succeed, and connections that did not end with a FIN.",
  ),
  cgroupMap: leaf(
    text("a path"),
    "",
    "Only owners whose cgroup's id is a key of the BPF hash pinned here (64-bit keys; others may change it at any time).",
  ),
  mntnsMap: leaf(
    text("a path"),
    "",
    "Only owners whose mount namespace's inode is a key of the BPF hash pinned here (64-bit keys).",
  ),
};

const reserved = ["enabled", "filter", "ring", "default"];

/** The settings of a plugin's filter: the criteria that apply to it. */
function filterOf({ filters }: Plugin, filter: Tree, capacity: ReadonlyMap<string, number>): Tree {
  if (!filters) return { filter };
  return filters.length > 0 ? { filter: filterTree(capacity, filters) } : {};
}

/** Names are looked up in plain objects. */
const isInherited = (name: string): boolean => Object.hasOwn(Object.prototype, name);

/** Whether a default equals the value that its text is parsed as. */
function isOf(reader: Reader, value: unknown): boolean {
  try {
    return isDeepStrictEqual(reader.read(reader.show(value)), value);
  } catch {
    return false;
  }
}

function pluginTree(plugin: Plugin, filter: Tree): Tree {
  const { name, config } = plugin;
  if (isInherited(name)) throw new WirespanError("PLUGIN_INVALID", `a plugin cannot be called ${name}`);
  const settings: Record<string, Leaf> = {};
  for (const [key, setting] of Object.entries(config)) {
    const reader = readerOf(setting.format);
    if (!/^[a-z][A-Za-z0-9]*$/.test(key) || reserved.includes(key) || isInherited(key)) {
      throw new WirespanError("PLUGIN_INVALID", `plugin ${name}: a setting cannot be called ${key}`);
    }
    if (!isOf(reader, setting.default)) {
      throw new WirespanError(
        "PLUGIN_INVALID",
        `plugin ${name}: the default of ${key} is not ${reader.expected}`,
      );
    }
    settings[key] = leaf(reader, setting.default, setting.doc);
  }
  return {
    enabled: enabled(name),
    ...settings,
    ...filter,
    ring: { bytes: leaf(ringBytes, null, "Size of this plugin's ring; default: ring.bytes.") },
  };
}

const enabled = (name: string): Leaf => leaf(boolean, true, `Whether ${name} runs.`);

/** What the given plugins, the installed ones that were not imported and the exporters add to the base. */
export interface Parts {
  readonly plugins: readonly Plugin[];
  /** Installed, but not imported: only `enabled` is known. */
  readonly others: readonly string[];
  readonly exporters: Tree;
}

/** Connections whose contexts are not read: the criteria that can be decided when a connection is first seen. */
function excludeTree(capacity: ReadonlyMap<string, number>): Tree {
  const { localPort, remotePort, comm, cgroup } = CRITERIA;
  return Object.fromEntries(
    Object.entries({ localPort, peerPort: remotePort, comm, cgroup }).map(([key, criterion]) => [
      key,
      leaf(readerWithin(criterion, capacity), [], criterion.doc),
    ]),
  );
}

export function composeTree({ plugins, others, exporters }: Parts): Tree {
  const trees: Record<string, Tree> = {};
  const capacity = capacities(plugins.map(({ skeleton }) => skeleton));
  const filter = filterTree(capacity);
  for (const name of others) trees[name] = { enabled: enabled(name) };
  for (const plugin of plugins) trees[plugin.name] = pluginTree(plugin, filterOf(plugin, filter, capacity));
  const { version, strict, correlate, ...sections } = agentSettings;
  return {
    version: version!,
    strict: strict!,
    filter,
    correlate: { ...(correlate as Tree), exclude: excludeTree(capacity) },
    ...sections,
    plugins: trees,
    exporters,
  };
}
