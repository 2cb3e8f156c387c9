// Filters of the configuration as the constants of bpf/include/wirespan/filter.h.
import { CRITERIA, packNetns as packInodes } from "../../config/criteria.ts";
import type { FilterNames } from "../identity/wanted.ts";
import type { ConstantStruct, ConstantValue } from "../plugin/plugin.ts";
import type { Filter, Match } from "../plugin/settings.ts";

const criteria = Object.entries(CRITERIA) as [keyof Match, (typeof CRITERIA)[keyof Match]][];

/** The paths of the criteria in use that a plugin with these `filters` ignores. */
export function ignoredCriteria(filter: Filter, filters: readonly (keyof Match)[]): readonly string[] {
  const { include, exclude, ...others } = filter;
  const matches = Object.entries({ include, exclude }).flatMap(([side, match]) =>
    criteria
      .filter(([key]) => match[key].length > 0 && !filters.includes(key))
      .map(([key]) => `${side}.${key}`),
  );
  const rest = Object.entries(others).flatMap(([key, value]) => (value ? [key] : []));
  return [...matches, ...rest].map((path) => `filter.${path}`);
}

function packMatch(path: string, match: Match, names: FilterNames): ConstantStruct {
  const packed: Record<string, ConstantValue> = {};
  for (const [key, { field, count, pack }] of criteria) {
    const values = pack(match[key], names, `${path}.${key}`);
    packed[field] = values;
    if (count !== undefined) packed[count] = (values as readonly ConstantValue[]).length;
  }
  return packed;
}

function isUsed({ include, exclude, ...others }: Filter): boolean {
  const lists = [include, exclude].flatMap((match) => Object.values(match));
  return lists.some(({ length }) => length > 0) || Object.values(others).some(Boolean);
}

/** For `agent_filter` and `plugin_filter`: most are not used. `at`: the path in the configuration, for messages. */
export function packFilter(at: string, filter: Filter, names: FilterNames): ConstantValue {
  if (!isUsed(filter)) return {};
  const include = packMatch(`${at}.include`, filter.include, names);
  const exclude = packMatch(`${at}.exclude`, filter.exclude, names);
  const others = {
    min_duration_ns: Math.round(filter.minDuration * 1e6),
    failures_only: filter.failuresOnly,
    by_cgroup_map: filter.cgroupMap !== "",
    by_mntns_map: filter.mntnsMap !== "",
  };
  return { include, exclude, ...others, is_used: true };
}

/** For `agent_netns` and `plugin_netns` (bpf/include/wirespan/netns_filter.h). */
export function packNetns({ include, exclude }: Filter, names: FilterNames): ConstantValue {
  const included = packInodes(include.netns, names);
  const excluded = packInodes(exclude.netns, names);
  return {
    includes: included.length,
    include: included,
    excludes: excluded.length,
    exclude: excluded,
  };
}

/** Whether a network namespace passes all of these filters, as bpf/include/wirespan/netns_filter.h decides it. */
export function netnsFilter(filters: readonly Filter[], names: FilterNames): (netns: number) => boolean {
  const sides = filters.map(({ include, exclude }) => ({
    included: packInodes(include.netns, names),
    excluded: packInodes(exclude.netns, names),
  }));
  return (netns) =>
    sides.every(
      ({ included, excluded }) =>
        (included.length === 0 || included.includes(netns)) && !excluded.includes(netns),
    );
}

/** Where the maps of bpf/include/wirespan/filter.h are pinned; empty: not in use. */
export function pinnedMaps(agent: Filter, plugin: Filter): Readonly<Record<string, string>> {
  return {
    agent_cgroup_map: agent.cgroupMap,
    agent_mntns_map: agent.mntnsMap,
    plugin_cgroup_map: plugin.cgroupMap,
    plugin_mntns_map: plugin.mntnsMap,
  };
}
