// The criteria of filters, each defined once: its syntax, its meaning, and how it is packed for `struct match` of
// bpf/include/wirespan/filter.h. Tests: core/engine/filter.test.ts.
import type { FilterNames } from "../core/identity/wanted.ts";
import { parseCidr } from "../core/plugin/address.ts";
import type { ConstantValue } from "../core/plugin/plugin.ts";
import type { Filter, Match, PartialFilter } from "../core/plugin/settings.ts";
import { fieldOf, type Layout, type Skeleton } from "../core/plugin/skeleton.ts";
import { atMost, BadValue, cidrs, list, oneOf, ports, type Reader, text } from "./formats.ts";

export interface Criterion {
  readonly reader: Reader<readonly string[]>;
  readonly doc: string;
  /** The field of `struct match` for its values, and the one for their number; a bit set has no number. */
  readonly field: string;
  readonly count?: string;
  /** The field's value. `path` is the list's path in the configuration, for errors of `names`. */
  pack(values: readonly string[], names: FilterNames, path: string): ConstantValue;
}

/** The kernel's PID_MAX_LIMIT, and 32 bits, of which the largest user id means none. */
const MOST = { pid: 4_194_304, uid: 4_294_967_294, inode: 4_294_967_295 };

/** Whether it is a number. Throws BadValue for a number that the kernel does not have. */
function isId(t: string, what: string, most: number): boolean {
  if (/^\d+$/.test(t) && Number(t) > most) throw new BadValue(t, `${what} of at most ${most}`);
  return /^\d{1,10}$/.test(t);
}

const ids = (name: string, most: number) => list(text(name, (t) => isId(t, name, most)));

const isNetns = (t: string): boolean =>
  t.startsWith("pid:") ? isId(t.slice(4), "pid:NUMBER", MOST.pid) : isId(t, "an inode number", MOST.inode);

const bits = (values: readonly string[], bitOf: Readonly<Record<string, number>>): number =>
  values.reduce((sum, name) => sum | bitOf[name]!, 0);

/** `nginx` is the whole comm, `kworker*` matches names that begin with it. */
function packComm(name: string): ConstantValue {
  const prefix = name.endsWith("*");
  const bytes = Buffer.from(prefix ? name.slice(0, -1) : name).subarray(0, 15);
  const value = new Uint8Array(16);
  value.set(bytes);
  return { value, mask: new Uint8Array(16).fill(0xff, 0, prefix ? bytes.length : bytes.length + 1) };
}

/** `22`, `8000-8999`: adjacent and overlapping ranges become one. */
function packPorts(ranges: readonly string[]): ConstantValue[] {
  const sorted = ranges
    .map((range) => range.split("-").map(Number))
    .map(([first, last]) => ({ first: first!, last: last ?? first! }))
    .sort((a, b) => a.first - b.first);
  const merged: { first: number; last: number }[] = [];
  for (const range of sorted) {
    const before = merged.at(-1);
    if (before && range.first <= before.last + 1) before.last = Math.max(before.last, range.last);
    else merged.push({ ...range });
  }
  return merged;
}

function packCidr(written: string): ConstantValue {
  const cidr = parseCidr(written);
  if (typeof cidr === "string") throw new BadValue(written, cidr);
  const { prefix, family } = cidr;
  const mask = Uint8Array.from({ length: 16 }, (_, i) => 0xff00 >> Math.max(0, Math.min(8, prefix - 8 * i)));
  return { address: cidr.bytes.map((byte, i) => byte & mask[i]!), mask, family: family === "ipv4" ? 4 : 6 };
}

const FAMILIES = { ipv4: 1, ipv6: 2, ipv4_mapped: 4 };
const DIRECTIONS = { inbound: 4, outbound: 2 };

const portCriterion = (side: "local" | "remote", doc: string): Criterion => ({
  reader: ports,
  doc,
  field: `${side}_port`,
  count: `${side}_ports`,
  pack: packPorts,
});

const addressCriterion = (side: "local" | "remote" | "either", doc: string): Criterion => ({
  reader: cidrs,
  doc,
  field: `${side}_cidr`,
  count: `${side}_cidrs`,
  pack: (values) => values.map(packCidr),
});

/** In the order of the documentation. */
export const CRITERIA: Readonly<Record<keyof Match, Criterion>> = {
  pid: {
    reader: ids("a process id", MOST.pid),
    doc: "Process ids of the owner.",
    field: "pid",
    count: "pids",
    pack: (values, names, path) => values.map((pid) => names.pid(path, pid)),
  },
  comm: {
    reader: list(text("a command name of at most 15 bytes", (t) => Buffer.byteLength(t) <= 15)),
    doc: "Command names of the owner, as in /proc/PID/comm; name* matches names that begin with it.",
    field: "comm",
    count: "comms",
    pack: (values) => values.map(packComm),
  },
  uid: {
    reader: ids("a numeric user id", MOST.uid),
    doc: "User ids of the owner.",
    field: "uid",
    count: "uids",
    pack: (values) => values.map(Number),
  },
  cgroup: {
    reader: list(text("a path below the cgroup mount (/system.slice)", (t) => t.startsWith("/"))),
    doc: "Cgroups, by path below the cgroup mount; the whole subtree matches. One that is removed and created again is found by `wirespan reload`. At most 16 in all filters together.",
    field: "cgroups",
    pack: (values, names) => values.reduce((sum, path) => sum | (1 << names.cgroup(path)), 0),
  },
  netns: {
    reader: list(text("an inode number or pid:NUMBER", isNetns)),
    doc: "Network namespaces: inode numbers, or pid:1234 for that process's.",
    field: "netns_inode",
    count: "netns",
    pack: packNetns,
  },
  localPort: portCriterion("local", "Local ports and ranges of ports."),
  remotePort: portCriterion("remote", "Remote ports and ranges of ports."),
  localAddress: addressCriterion("local", "Local addresses and CIDRs."),
  remoteAddress: addressCriterion("remote", "Remote addresses and CIDRs."),
  address: addressCriterion("either", "Addresses and CIDRs of either end."),
  family: {
    reader: list(oneOf("ipv4", "ipv6", "ipv4_mapped")),
    doc: "Address families; ipv4 includes IPv4 over IPv6 sockets; ipv4_mapped selects only those.",
    field: "families",
    pack: (values) => bits(values, FAMILIES),
  },
  direction: {
    reader: list(oneOf("inbound", "outbound")),
    doc: "Directions of the connection.",
    field: "directions",
    pack: (values) => bits(values, DIRECTIONS),
  },
};

/** Inodes of network namespaces. */
export function packNetns(values: readonly string[], names: FilterNames): number[] {
  return values.map((netns) => names.netns(netns));
}

const NONE: Match = {
  ...{ pid: [], comm: [], uid: [], cgroup: [], netns: [], localPort: [], remotePort: [] },
  ...{ localAddress: [], remoteAddress: [], address: [], family: [], direction: [] },
};

/** The filter with defaults for missing criteria. */
export function withDefaults(filter: PartialFilter = {}): Filter {
  return {
    ...{ minDuration: 0, failuresOnly: false, cgroupMap: "", mntnsMap: "" },
    ...filter,
    include: { ...NONE, ...filter.include },
    exclude: { ...NONE, ...filter.exclude },
  };
}

/** For each field of `struct match`, how many values the programs of these skeletons hold. */
export function capacities(skeletons: readonly Skeleton[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  const note = (field: string, layout: Layout | undefined) => {
    if (layout?.kind === "array")
      found.set(field, Math.min(layout.length, found.get(field) ?? layout.length));
  };
  for (const { agent_filter: filter, agent_netns: netns } of skeletons.map(({ constants }) => constants)) {
    const match = filter && fieldOf(filter, "include");
    if (match?.kind === "struct") for (const { name, layout } of match.fields) note(name, layout);
    note(CRITERIA.netns.field, netns && fieldOf(netns, "include"));
  }
  return found;
}

/** The criterion's reader, which rejects more values than the programs hold. */
export function readerWithin({ reader, field }: Criterion, capacity: ReadonlyMap<string, number>): Reader {
  const most = capacity.get(field);
  if (most === undefined) return reader;
  return reader === ports
    ? atMost(most, ports, "separate ranges", (values) => packPorts(values).length)
    : atMost(most, reader);
}
