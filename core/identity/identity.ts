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
  /** Times that /proc was asked. */
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
  readonly resource: Resource;
  readonly older: Known | undefined;
}

/** What the processes of one (cgroup, executable) are; null: not all the same. */
interface Pair {
  readonly agreed: Resource | null;
}

interface Look {
  readonly resource: Resource;
  /** The process's own environment was seen. */
  readonly read: boolean;
  /** It counts in what the processes of its cgroup and executable agree on. */
  readonly votes: boolean;
}

/** Images kept of one pid. */
const maxImages = 4;

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

  /** `host` goes into every Resource: hostAttributes() and what is configured for all, but no service.*. */
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
    return (this.#find(process) ?? this.#keep(process, this.#look(process))).resource;
  }

  /**
   * To be called once for each image of a process (birth or exec), as soon as the kernel tells of it:
   * /proc is read while it still knows the process, whatever was known before.
   */
  born(process: ObservedProcess): void {
    const look = this.#look(process);
    if (look.read || this.#find(process) === undefined) this.#keep(process, look);
  }

  /**
   * The workload of a sum that the kernel made by cgroup and executable: that of the processes seen
   * with both where they agree, else one that says no more than cgroup and executable do.
   */
  byCgroup(cgroupId: number, exe: string): Resource {
    const agreed = this.#pairs.get(pairKey(cgroupId, exe))?.agreed;
    return agreed ?? this.#compose(this.#pathFacts(cgroupId) ?? {}, exe);
  }

  get counts(): IdentityCounts {
    return { size: this.#known.size, misses: this.#misses, refused: this.#refused, gone: this.#gone };
  }

  #find({ pid, startedNs, exe }: ObservedProcess): Known | undefined {
    let known = this.#known.get(pid);
    while (known !== undefined && (known.startedNs !== startedNs || known.exe !== exe)) known = known.older;
    return known;
  }

  #keep(process: ObservedProcess, { resource, votes }: Look): Known {
    const { pid, startedNs, exe, cgroupId } = process;
    if (votes) {
      const key = pairKey(cgroupId, exe);
      const pair = this.#pairs.get(key);
      this.#pairs.set(key, { agreed: pair === undefined || pair.agreed === resource ? resource : null });
    }
    const known: Known = { startedNs, exe, resource, older: others(this.#known.get(pid), process) };
    this.#known.set(pid, known);
    return known;
  }

  #look(process: ObservedProcess): Look {
    const { pid, startedNs, comm, exe, cgroupId } = process;
    this.#misses += 1;
    const facts = this.#proc.process(pid);
    if (facts === undefined || !startedThen(facts, startedNs)) {
      this.#gone += 1;
      return this.#unread(this.#pathFacts(cgroupId), exe || commName(comm));
    }
    if (facts.refused) this.#refused += 1;
    const path = unifiedPath(facts.cgroup);
    if (path !== undefined) this.#cgroups.learn(cgroupId, path);
    const cgroup = cgroupFacts(facts.cgroup);
    if (!isImage(facts, exe)) return this.#unread(cgroup, exe);
    const name = (facts.exe !== undefined && basename(facts.exe)) || exe || commName(facts.comm);
    if (facts.environment === undefined) return this.#unread(cgroup, name);
    return { resource: this.#compose(cgroup, name, facts), read: true, votes: true };
  }

  /**
   * All of a container or service have one environment as a rule, so that an unread one takes nothing
   * from what the others said. A session's processes have not: there it may have been anything.
   */
  #unread(cgroup: CgroupFacts | undefined, exe: string): Look {
    const session = cgroup !== undefined && cgroup.containerId === undefined && cgroup.service === undefined;
    return { resource: this.#compose(cgroup ?? {}, exe), read: false, votes: session };
  }

  /** What a process says of itself wins over what was found; process.* would part one workload into many. */
  #compose(cgroup: CgroupFacts, exe: string, facts?: ProcessFacts): Resource {
    const { attributes, fault } = parseResourceAttributes(facts?.environment?.resourceAttributes ?? "");
    if (fault !== undefined) this.#debug(`pid ${facts?.pid}: OTEL_RESOURCE_ATTRIBUTES ignored: ${fault}`);
    const own = Object.entries(attributes).filter(([key]) => !/^(process|telemetry)\./.test(key));
    return this.#resources.of({
      ...this.#host,
      ...(cgroup.containerId !== undefined && { "container.id": cgroup.containerId }),
      ...(cgroup.podUid !== undefined && { "k8s.pod.uid": cgroup.podUid }),
      ...Object.fromEntries(own),
      "service.name":
        given(facts?.environment?.serviceName) ??
        given(attributes["service.name"]) ??
        cgroup.service ??
        given(exe) ??
        "unknown_service",
    });
  }

  #pathFacts(cgroupId: number): CgroupFacts | undefined {
    const path = this.#cgroups.path(cgroupId);
    return path === undefined ? undefined : pathFacts(path);
  }
}

function pairKey(cgroupId: number, exe: string): string {
  return `${cgroupId} ${exe}`;
}

/** The other images of a pid, as many as are kept beside a new one. */
function others(known: Known | undefined, { startedNs, exe }: ObservedProcess): Known | undefined {
  const kept: Known[] = [];
  for (let one = known; one !== undefined && kept.length < maxImages - 1; one = one.older) {
    if (one.startedNs !== startedNs || one.exe !== exe) kept.push(one);
  }
  return kept.reduceRight<Known | undefined>((older, one) => ({ ...one, older }), undefined);
}

/** One tick of play, because a double no longer holds every nanosecond after 104 days of uptime. */
function startedThen(facts: ProcessFacts, startedNs: number): boolean {
  return Math.abs(facts.startTicks - Math.floor(startedNs / 1e7)) <= 1;
}

/** Whether /proc still shows the image that the kernel saw: an exec may lie between. */
function isImage({ exe: path }: ProcessFacts, exe: string): boolean {
  if (exe === "" || path === undefined) return true;
  return basename(path) === exe;
}

/** A comm without its part behind a slash: that of kworker/3:1 is new each time. */
function commName(comm: string): string {
  return comm.split("/", 1)[0] || comm;
}

/** OpenTelemetry reads an empty variable as one that is not set. */
function given(value: string | undefined): string | undefined {
  return value?.trim() ? value : undefined;
}
