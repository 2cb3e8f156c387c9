// Which processes are worth reading: not those that the agent's filter excludes, whatever they do.
import { statSync } from "node:fs";
import type { Filter, Match } from "../plugin/settings.ts";

/** Names in filters that only the running system can resolve. */
export interface FilterNames {
  /** The bit of a watched cgroup path. */
  cgroup(path: string): number;
  /** The inode of a network namespace given as an inode or as `pid:N`. */
  netns(text: string): number;
  /** The kernel's number of a process; throws CONFIG_INVALID with `path` if the user's numbers are others. */
  pid(path: string, text: string): number;
}

/** What is known about a process when it is first seen: `struct task` of bpf/include/wirespan/owner.h. */
export interface SeenProcess {
  readonly pid: number;
  readonly uid: number;
  readonly comm: string;
  /** Bits of watched cgroups. */
  readonly cgroups: number;
}

/** Returns the inode of a process's network namespace; undefined if it may not be read. */
export type NetnsOf = (pid: number) => number | undefined;

/** `numberOf`: the process's number in /proc; undefined: it has none. */
export function netnsBy(numberOf: (pid: number) => number | undefined): NetnsOf {
  return (pid) => {
    try {
      const number = numberOf(pid);
      return number === undefined ? undefined : statSync(`/proc/${number}/ns/net`).ino;
    } catch {
      return undefined;
    }
  };
}

type Holds = (task: SeenProcess) => boolean;

/** The criteria that concern processes, each with its result. */
function criteria(match: Match, names: FilterNames, netns: NetnsOf): readonly Holds[] {
  const pids = new Set(match.pid.map((text) => names.pid("filter.pid", text)));
  const uids = new Set(match.uid.map(Number));
  const inodes = new Set(match.netns.map((text) => names.netns(text)));
  const cgroups = match.cgroup.reduce((bits, path) => bits | (1 << names.cgroup(path)), 0);
  const isNamed = (comm: string) =>
    match.comm.some((name) => (name.endsWith("*") ? comm.startsWith(name.slice(0, -1)) : comm === name));
  return [
    ...(pids.size ? [(task: SeenProcess) => pids.has(task.pid)] : []),
    ...(uids.size ? [(task: SeenProcess) => uids.has(task.uid)] : []),
    ...(inodes.size ? [(task: SeenProcess) => inodes.has(netns(task.pid) ?? -1)] : []),
    ...(cgroups ? [(task: SeenProcess) => (task.cgroups & cgroups) !== 0] : []),
    ...(match.comm.length ? [(task: SeenProcess) => isNamed(task.comm)] : []),
  ];
}

/** Whether a process may be reported; one that is excluded here may still be, and is then read. */
export function wantedBy({ include, exclude }: Filter, names: FilterNames, netns: NetnsOf): Holds {
  const must = criteria(include, names, netns);
  const mustNot = criteria(exclude, names, netns);
  return (task) => must.every((holds) => holds(task)) && !mustNot.some((holds) => holds(task));
}
