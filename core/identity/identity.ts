// Process -> Resource: which workload a process belongs to, kept from its birth on.
import { basename } from "node:path";
import { Recent } from "../recent.ts";
import type { Resource } from "../signals.ts";
import { type CgroupFacts, cgroupFacts, pathFacts, unifiedPath } from "./cgroup.ts";
import { CgroupPaths, cgroup2Mount } from "./cgroup-paths.ts";
import type { HostAttributes } from "./host.ts";
import type { ProcessFacts, ProcReader } from "./proc.ts";
import { parseResourceAttributes } from "./resource-attributes.ts";
import { Resources } from "./resources.ts";

/** A process as the kernel saw it when something happened. */
export interface ObservedProcess {
  /** Of the thread group, in the initial pid namespace. */
  readonly pid: number;
  /** Start of the thread group's leader, nanoseconds since boot. */
  readonly startedNs: number;
  readonly comm: string;
  /** The executable's name without folders; may be empty. */
  readonly exe: string;
  /** cgroup v2 id. */
  readonly cgroupId: number;
}

export interface IdentityOptions {
  /** Processes that are remembered (default 4096). */
  readonly limit?: number;
  /** Where paths of cgroups come from (default: this host's cgroup v2). */
  readonly cgroups?: CgroupPaths;
  /** Hears why a process's OTEL_RESOURCE_ATTRIBUTES were dropped. */
  readonly debug?: (message: string) => void;
}

export interface IdentityCounts {
  /** Processes remembered now. */
  readonly size: number;
  /** Processes that had to be looked up in /proc. */
  readonly misses: number;
  /** Of these: the environment was refused to us. */
  readonly refused: number;
  /** Of these: /proc no longer knew the process, or knew another one of that pid. */
  readonly gone: number;
}

/** One image of one process: exec and a reused pid each make another. */
interface Known {
  readonly startedNs: number;
  readonly exe: string;
  readonly comm: string;
  readonly resource: Resource;
  readonly older: Known | undefined;
}

/** What the processes of one (cgroup, executable) are; null: not all the same. */
interface Pair {
  readonly agreed: Resource | null;
}

interface Look {
  readonly resource: Resource;
  readonly cgroup: CgroupFacts;
  /** The process's own environment was seen. */
  readonly read: boolean;
}

/** Images kept of one pid. */
const maxImages = 4;
/** The kernel's records cut names; from this length on a prefix may be the whole. */
const maybeCut = 15;

export class Identity {
  readonly #proc: ProcReader;
  readonly #host: HostAttributes;
  readonly #cgroups: CgroupPaths;
  readonly #debug: (message: string) => void;
  readonly #known: Recent<number, Known>;
  readonly #pairs: Recent<string, Pair>;
  readonly #resources = new Resources();
  #misses = 0;
  #refused = 0;
  #gone = 0;

  /** `host` are the attributes that every workload here has, agent-wide ones of the configuration included. */
  constructor(proc: ProcReader, host: HostAttributes, options: IdentityOptions = {}) {
    const { limit = 4096, cgroups = new CgroupPaths(cgroup2Mount()), debug = () => {} } = options;
    this.#proc = proc;
    this.#host = host;
    this.#cgroups = cgroups;
    this.#debug = debug;
    this.#known = new Recent(limit);
    this.#pairs = new Recent(limit);
  }

  /** The workload of a process; the same workload is the same object. Never throws. */
  workload(process: ObservedProcess): Resource {
    return (this.#find(process) ?? this.#learn(process)).resource;
  }

  /**
   * To be called as soon as a process is first seen, while /proc still knows it; what is read then is
   * kept. Without a kernel's word on the executable, another comm counts as an exec.
   */
  born(process: ObservedProcess): void {
    const known = this.#find(process);
    if (known === undefined || (process.exe === "" && process.comm !== known.comm)) this.#learn(process);
  }

  /**
   * The workload of a sum that the kernel made by cgroup and executable: that of the processes seen
   * with both where they agree, else one that says no more than cgroup and executable do.
   */
  byCgroup(cgroupId: number, exe: string): Resource {
    const agreed = this.#pairs.get(pairKey(cgroupId, exe))?.agreed;
    return agreed ?? this.#compose(this.#pathFacts(cgroupId), exe, undefined);
  }

  get counts(): IdentityCounts {
    return { size: this.#known.size, misses: this.#misses, refused: this.#refused, gone: this.#gone };
  }

  #find({ pid, startedNs, exe }: ObservedProcess): Known | undefined {
    let known = this.#known.get(pid);
    while (known !== undefined && (known.startedNs !== startedNs || known.exe !== exe)) known = known.older;
    return known;
  }

  #learn(process: ObservedProcess): Known {
    const { pid, startedNs, comm, exe, cgroupId } = process;
    const { resource, cgroup, read } = this.#look(process);
    const key = pairKey(cgroupId, exe);
    // All of a container or service have one environment as a rule; a session's processes have not, so
    // there an unread one may be anything.
    if (read || (cgroup.containerId === undefined && cgroup.service === undefined)) {
      const pair = this.#pairs.get(key);
      const agrees = pair === undefined || pair.agreed === resource;
      this.#pairs.set(key, { agreed: agrees ? resource : null });
    }
    const known: Known = { startedNs, exe, comm, resource, older: newest(this.#known.get(pid), process) };
    this.#known.set(pid, known);
    return known;
  }

  #look(process: ObservedProcess): Look {
    const { pid, comm, cgroupId } = process;
    this.#misses += 1;
    const facts = this.#proc.process(pid);
    if (facts === undefined || !startedThen(facts, process.startedNs)) {
      this.#gone += 1;
      const cgroup = this.#pathFacts(cgroupId);
      return {
        resource: this.#compose(cgroup, process.exe || commName(comm), undefined),
        cgroup,
        read: false,
      };
    }
    if (facts.refused) this.#refused += 1;
    const path = unifiedPath(facts.cgroup);
    if (path !== undefined) this.#cgroups.learn(cgroupId, path);
    const cgroup = cgroupFacts(facts.cgroup);
    if (!isImage(facts, process.exe)) {
      return { resource: this.#compose(cgroup, process.exe, undefined), cgroup, read: false };
    }
    const exe = (facts.exe !== undefined && basename(facts.exe)) || process.exe || commName(facts.comm);
    const read = facts.environment !== undefined;
    return { resource: this.#compose(cgroup, exe, facts), cgroup, read };
  }

  /** What a process says of itself wins over what was found; process.* would part one workload into many. */
  #compose(cgroup: CgroupFacts, exe: string, facts: ProcessFacts | undefined): Resource {
    const { attributes, fault } = parseResourceAttributes(facts?.environment?.resourceAttributes ?? "");
    if (fault !== undefined) this.#debug(`pid ${facts?.pid}: OTEL_RESOURCE_ATTRIBUTES ignored: ${fault}`);
    const own = Object.entries(attributes).filter(([key]) => !/^(process|telemetry)\./.test(key));
    return this.#resources.of({
      ...this.#host,
      ...(cgroup.containerId !== undefined && { "container.id": cgroup.containerId }),
      ...(cgroup.podUid !== undefined && { "k8s.pod.uid": cgroup.podUid }),
      ...Object.fromEntries(own),
      "service.name":
        given(facts?.environment?.serviceName) ?? given(attributes["service.name"]) ?? cgroup.service ?? exe,
    });
  }

  #pathFacts(cgroupId: number): CgroupFacts {
    const path = this.#cgroups.path(cgroupId);
    return path === undefined ? {} : pathFacts(path);
  }
}

function pairKey(cgroupId: number, exe: string): string {
  return `${cgroupId} ${exe}`;
}

/** The other images of a pid, as many as are kept beside a new one. */
function newest(known: Known | undefined, { startedNs, exe }: ObservedProcess): Known | undefined {
  const others: Known[] = [];
  for (let one = known; one !== undefined && others.length < maxImages - 1; one = one.older) {
    if (one.startedNs !== startedNs || one.exe !== exe) others.push(one);
  }
  return others.reduceRight<Known | undefined>((older, one) => ({ ...one, older }), undefined);
}

/** One tick of play, because a double no longer holds every nanosecond after 104 days of uptime. */
function startedThen(facts: ProcessFacts, startedNs: number): boolean {
  return Math.abs(facts.startTicks - Math.floor(startedNs / 1e7)) <= 1;
}

/** Whether /proc still shows the image that the kernel saw: an exec may lie between. */
function isImage({ exe: path }: ProcessFacts, exe: string): boolean {
  if (exe === "" || path === undefined) return true;
  const name = basename(path);
  return name === exe || (exe.length >= maybeCut && name.startsWith(exe));
}

/** A comm without its part behind a slash: that of kworker/3:1 is new each time. */
function commName(comm: string): string {
  return comm.split("/", 1)[0] || comm;
}

/** OpenTelemetry reads an empty variable as one that is not set. */
function given(value: string | undefined): string | undefined {
  return value?.trim() ? value : undefined;
}
