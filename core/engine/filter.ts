// Filters of the configuration as the constants of bpf/include/wirespan/filter.h.
import { parseCidr } from "../plugin/address.ts";
import { WirespanError } from "../plugin/errors.ts";
import type { ConstantStruct, ConstantValue } from "../plugin/plugin.ts";
import type { Filter, Match, PartialFilter } from "../plugin/settings.ts";

const NAMES = 16;
const PORTS = 32;
const CIDRS = 16;
const FAMILIES: Readonly<Record<string, number>> = { ipv4: 1, ipv6: 2, ipv4_mapped: 4 };
const DIRECTIONS: Readonly<Record<string, number>> = { outbound: 2, inbound: 4 };

const ANY: Match = {
  pid: [],
  comm: [],
  uid: [],
  cgroup: [],
  netns: [],
  localPort: [],
  remotePort: [],
  localAddress: [],
  remoteAddress: [],
  address: [],
  family: [],
  direction: [],
};

/** What is not said asks for nothing. */
export function wholeFilter(filter: PartialFilter = {}): Filter {
  return {
    ...{ minDuration: 0, failuresOnly: false, cgroupMap: "", mntnsMap: "" },
    ...filter,
    include: { ...ANY, ...filter.include },
    exclude: { ...ANY, ...filter.exclude },
  };
}

/** What of a filter these criteria leave unheard, as the configuration calls it. */
export function unheard(filter: Filter, heard: readonly (keyof Match)[]): readonly string[] {
  const { include, exclude, ...others } = filter;
  const asked = Object.entries(others).filter(([, value]) => value);
  const criteria = Object.entries({ include, exclude }).flatMap(([side, match]) =>
    (Object.keys(match) as (keyof Match)[])
      .filter((key) => match[key].length > 0 && !heard.includes(key))
      .map((key) => `${side}.${key}`),
  );
  return [...criteria, ...asked.map(([key]) => key)].map((path) => `filter.${path}`);
}

/** `path`: as the configuration calls it. */
function invalid(path: string, why: string): never {
  throw new WirespanError("CONFIG_INVALID", `${path}: ${why}`);
}

function bounded<T>(path: string, what: string, list: readonly T[], most: number): readonly T[] {
  if (list.length <= most) return list;
  invalid(path, `${list.length} ${what} in one list; the kernel side holds ${most}`);
}

function numbers(path: string, what: string, list: readonly (string | number)[]): readonly number[] {
  return bounded(path, what, list, NAMES).map((text) => {
    const number = Number(text);
    return number <= 0xffff_ffff ? number : invalid(path, `${text} is too large for one of ${what}`);
  });
}

/** `22`, `8000-8999`: neighbours and overlaps become one range. */
function ports(path: string, list: readonly string[]): ConstantStruct[] {
  const ranges = list
    .map((text) => text.split("-").map(Number))
    .map(([first, last]) => ({ first: first!, last: last ?? first! }))
    .sort((a, b) => a.first - b.first);
  const merged: { first: number; last: number }[] = [];
  for (const range of ranges) {
    const before = merged.at(-1);
    if (before && range.first <= before.last + 1) before.last = Math.max(before.last, range.last);
    else merged.push({ ...range });
  }
  return [...bounded(path, "separate ranges of ports", merged, PORTS)];
}

function maskOf(prefix: number): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, i) => 0xff00 >> Math.max(0, Math.min(8, prefix - 8 * i)));
}

function cidrs(path: string, list: readonly string[]): ConstantStruct[] {
  return bounded(path, "addresses", list, CIDRS).map((text) => {
    const cidr = parseCidr(text);
    if (typeof cidr === "string") invalid(path, cidr);
    const mask = maskOf(cidr.prefix);
    const address = cidr.bytes.map((byte, i) => byte & mask[i]!);
    return { address, mask, family: cidr.family === "ipv4" ? 4 : 6 };
  });
}

/** `nginx` is the whole comm; `kworker*` what begins so. */
function comms(path: string, list: readonly string[]): ConstantStruct[] {
  return bounded(path, "names", list, NAMES).map((text) => {
    const prefix = text.endsWith("*");
    const name = Buffer.from(prefix ? text.slice(0, -1) : text).subarray(0, 15);
    const value = new Uint8Array(16);
    value.set(name);
    return { value, mask: new Uint8Array(16).fill(0xff, 0, prefix ? name.length : name.length + 1) };
  });
}

function bits(list: readonly string[], values: Readonly<Record<string, number>>): number {
  return list.reduce((sum, name) => sum | values[name]!, 0);
}

/** What only the running system knows of names in a filter. */
export interface FilterNames {
  /** The bit of a watched cgroup path. */
  cgroup(path: string): number;
  /** The inode of a network namespace given as an inode or as `pid:N`. */
  netns(text: string): number;
  /** The kernel's number of a process; throws CONFIG_INVALID, naming `path`, if the user's numbers are others. */
  pid(path: string, text: string): number;
}

function netnsInodes(path: string, { netns }: Match, names: FilterNames): readonly number[] {
  return numbers(
    `${path}.netns`,
    "network namespaces",
    netns.map((text) => names.netns(text)),
  );
}

function packMatch(path: string, match: Match, names: FilterNames): ConstantStruct {
  const local = ports(`${path}.localPort`, match.localPort);
  const remote = ports(`${path}.remotePort`, match.remotePort);
  const localCidrs = cidrs(`${path}.localAddress`, match.localAddress);
  const remoteCidrs = cidrs(`${path}.remoteAddress`, match.remoteAddress);
  const eitherCidrs = cidrs(`${path}.address`, match.address);
  const netns = netnsInodes(path, match, names);
  return {
    pids: match.pid.length,
    pid: numbers(
      `${path}.pid`,
      "pids",
      match.pid.map((text) => names.pid(`${path}.pid`, text)),
    ),
    uids: match.uid.length,
    uid: numbers(`${path}.uid`, "uids", match.uid),
    netns: netns.length,
    netns_inode: netns,
    comms: match.comm.length,
    comm: comms(`${path}.comm`, match.comm),
    local_ports: local.length,
    local_port: local,
    remote_ports: remote.length,
    remote_port: remote,
    local_cidrs: localCidrs.length,
    local_cidr: localCidrs,
    remote_cidrs: remoteCidrs.length,
    remote_cidr: remoteCidrs,
    either_cidrs: eitherCidrs.length,
    either_cidr: eitherCidrs,
    cgroups: match.cgroup.reduce((sum, path) => sum | (1 << names.cgroup(path)), 0),
    families: bits(match.family, FAMILIES),
    directions: bits(match.direction, DIRECTIONS),
  };
}

/**
 * For `agent_filter` and `plugin_filter`. Throws CONFIG_INVALID, with the path that `at` begins, where the kernel
 * side has too little room.
 */
export function packFilter(at: string, filter: Filter, names: FilterNames): ConstantValue {
  return {
    include: packMatch(`${at}.include`, filter.include, names),
    exclude: packMatch(`${at}.exclude`, filter.exclude, names),
    min_duration_ns: Math.round(filter.minDuration * 1e6),
    failures_only: filter.failuresOnly ? 1 : 0,
    by_cgroup_map: filter.cgroupMap ? 1 : 0,
    by_mntns_map: filter.mntnsMap ? 1 : 0,
  };
}

/** For `agent_netns` and `plugin_netns` (bpf/include/wirespan/netns_filter.h). */
export function packNetns(at: string, { include, exclude }: Filter, names: FilterNames): ConstantValue {
  const included = netnsInodes(`${at}.include`, include, names);
  const excluded = netnsInodes(`${at}.exclude`, exclude, names);
  return {
    includes: included.length,
    include: included,
    excludes: excluded.length,
    exclude: excluded,
  };
}

/** Whether a network namespace passes all of these filters, as bpf/include/wirespan/netns_filter.h decides it. */
export function netnsFilter(
  filters: readonly (readonly [path: string, filter: Filter])[],
  names: FilterNames,
): (netns: number) => boolean {
  const sides = filters.map(([path, { include, exclude }]) => ({
    included: netnsInodes(`${path}.include`, include, names),
    excluded: netnsInodes(`${path}.exclude`, exclude, names),
  }));
  return (netns) =>
    sides.every(
      ({ included, excluded }) =>
        (included.length === 0 || included.includes(netns)) && !excluded.includes(netns),
    );
}

/** Where the maps of bpf/include/wirespan/filter.h are pinned; empty: they are not asked. */
export function pinnedMaps(agent: Filter, plugin: Filter): Readonly<Record<string, string>> {
  return {
    agent_cgroup_map: agent.cgroupMap,
    agent_mntns_map: agent.mntnsMap,
    plugin_cgroup_map: plugin.cgroupMap,
    plugin_mntns_map: plugin.mntnsMap,
  };
}
