// Which processes are worth a look: not those that the agent's filter leaves out, whatever they do.
import { statSync } from "node:fs";
import type { Filter, Match } from "../plugin/settings.ts";

/** Names in filters, as far as only the running system resolves them. */
export interface FilterNames {
  /** The bit of a watched cgroup path. */
  cgroup(path: string): number;
  /** The inode of a network namespace given as an inode or as `pid:N`. */
  netns(text: string): number;
  /** The kernel's number of a process; throws CONFIG_INVALID, naming `path`, if the user's numbers are others. */
  pid(path: string, text: string): number;
}

/** What is known of a process when it is first met: `struct task` of bpf/include/wirespan/owner.h. */
export interface SeenProcess {
  readonly pid: number;
  readonly uid: number;
  readonly comm: string;
  /** Bits of watched cgroups. */
  readonly cgroups: number;
}

/** Gives the inode of a process's network namespace; undefined if it may not be looked at. */
export type NetnsOf = (pid: number) => number | undefined;

/** `numberOf`: the number that /proc has for a process; undefined: it has none. */
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

/** What of these criteria is asked of a process, each with whether it holds. */
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

/** Whether a process may come to be reported; one that is left out here may still, and is then looked at. */
export function wantedBy({ include, exclude }: Filter, names: FilterNames, netns: NetnsOf): Holds {
  const must = criteria(include, names, netns);
  const mustNot = criteria(exclude, names, netns);
  return (task) => must.every((holds) => holds(task)) && !mustNot.some((holds) => holds(task));
}
