// Maps processes to workloads: determined once for each image and then kept.
import { basename } from "node:path";
import { type Images, isImage, REST } from "../bridge/workload-rows.ts";
import { LruCache } from "../plugin/lru.ts";
import type { Identity as PluginIdentity, Workload } from "../plugin/services.ts";
import { type CgroupFacts, cgroupFacts, pathFacts, unifiedPath } from "./cgroup.ts";
import { CgroupPaths, cgroup2Mount } from "./cgroup-paths.ts";
import { Composer, commName } from "./compose.ts";
import type { HostAttributes } from "./host.ts";
import type { Names } from "./names/names.ts";
import { given } from "./own.ts";
import type { ProcessFacts, ProcReader } from "./proc.ts";
import type { Rule } from "./rules.ts";
import { Workloads } from "./workloads.ts";

/** A process as the kernel saw it during an event: `struct task` of bpf/include/wirespan/owner.h. */
export interface ObservedProcess {
  /** Of the thread group, in the initial pid namespace. */
  readonly pid: number;
  readonly uid: number;
  /** The thread that was seen. */
  readonly tid: number;
  /** Start of the thread group's leader, nanoseconds since boot. */
  readonly startedAt: number;
  readonly comm: string;
  /** The number of its executable's name. */
  readonly exe: number;
  /** cgroup v2 id. */
  readonly cgroupId: number;
  /** The number of its workload or of its image; 0: it has none. */
  readonly workload: number;
}

/** The programs in the kernel, as far as they are concerned with workloads. */
export interface Programs {
  /** Assigns an image to a workload. */
  assign(image: number, workload: number): void;
  /** Passes on process starts that wait to be read. */
  drain(): void;
  /** The processes whose starts did not fit into the ring. */
  missedBirths(): Iterable<ObservedProcess>;
  /** The number of what an image was forked from, if it runs the same program; undefined: not known. */
  origin(image: number): number | undefined;
  /** Called when waiting images have been decided, so that their records can be passed on. */
  decided(): void;
}

export interface IdentityOptions {
  /** Number of remembered processes: half as many are guaranteed (default 32,768). */
  readonly limit?: number;
  /** Number of workloads with sums of their own (default 2048). */
  readonly workloads?: number;
  /** Source of cgroup paths (default: this host's cgroup v2). */
  readonly cgroups?: CgroupPaths;
  /** Names of executables without folders, by number; empty: it has none. */
  readonly executables: { name(exe: number): string };
  /** Names that an administrator gives to processes. */
  readonly rules?: readonly Rule[];
  /** Names of containers and pods; absent: no source is configured. */
  readonly names?: Pick<Names, "of" | "awaits" | "listen">;
  /** Called with the reason why something that a process says about itself was ignored. */
  readonly debug?: (message: string) => void;
}

export interface IdentityCounts {
  /** Number of processes remembered now. */
  readonly size: number;
  /** How often /proc was read. */
  readonly misses: number;
  /** Of these: reading the environment was refused. */
  readonly refused: number;
  /** Of these: /proc no longer had the process, or had another one with that pid. */
  readonly gone: number;
}

/** One image of one process: exec and a reused pid each create another. */
interface Known {
  readonly startedAt: number;
  readonly exe: number;
  readonly workload: Workload;
  readonly older: Known | undefined;
}

interface NumberedImage {
  readonly workload: Workload;
  /** Number of collections at that time. */
  readonly collections: number;
}

/** Facts about an image, as read from /proc and the kernel. */
interface Look {
  readonly process: ObservedProcess;
  readonly executable: string;
  readonly cgroup: CgroupFacts;
  /** Absent: /proc no longer had the image. */
  readonly facts?: ProcessFacts;
}

/** Images kept for each pid. */
const maxImages = 4;
/** Twice as many as the programs keep (`workloads` in bpf/include/wirespan/owner.h), because half are guaranteed. */
const maxNumbers = 2 * 16_384;
/** Limit of postponed processes, and of waiting images. */
const mostPostponed = 4096;

export class Identity implements Images, PluginIdentity {
  readonly #proc: ProcReader;
  readonly #composer: Composer;
  readonly #cgroups: CgroupPaths;
  readonly #executables: IdentityOptions["executables"];
  readonly #known: LruCache<number, Known>;
  readonly #images = new LruCache<number, NumberedImage>(maxNumbers);
  /** Common resource of the processes of one cgroup and executable whose environment was read; null: they differ. */
  readonly #siblings: LruCache<string, { readonly agreed: Workload | null }>;
  readonly #workloads: Workloads;
  readonly #postponed = new LruCache<number, ObservedProcess>(mostPostponed);
  readonly #names: IdentityOptions["names"];
  /** Images without a workload yet, because the names of their container are still being requested. */
  readonly #waiting = new Map<number, Look>();
  #programs: Programs | undefined;
  #collections = 0;
  #misses = 0;
  #refused = 0;
  #gone = 0;

  /** `host` is part of every Resource: hostAttributes() and what is configured for all, but no service.*. */
  constructor(proc: ProcReader, host: HostAttributes, options: IdentityOptions) {
    const { limit = maxNumbers, workloads = 2048, cgroups = new CgroupPaths(cgroup2Mount()) } = options;
    this.#proc = proc;
    this.#composer = new Composer(host, options.rules ?? [], options.debug ?? (() => {}), options.names);
    this.#cgroups = cgroups;
    this.#executables = options.executables;
    this.#known = new LruCache(limit);
    this.#siblings = new LruCache(limit);
    this.#workloads = new Workloads(workloads);
    this.#names = options.names;
    this.#names?.listen(() => this.#decide(({ cgroup }) => !this.#awaitsNames(cgroup)));
  }

  /** Must be called once, before the first process is seen. */
  connect(programs: Programs): void {
    this.#programs = programs;
  }

  /** The workload of a process; once returned, it never changes for this image. Never throws. */
  of(process: ObservedProcess): Workload {
    const { workload } = process;
    if (workload > REST && !isImage(workload)) return this.#workloads.at(workload);
    const known = isImage(workload) ? this.#images.get(workload) : this.#find(process);
    return known?.workload ?? this.#keep(this.#waiting.get(workload) ?? this.#look(process));
  }

  /** This, if names are requested from some source; otherwise nothing ever waits. */
  get waiting(): Identity | undefined {
    return this.#names && this;
  }

  /**
   * Whether the names of a process's container are still being requested. Until then, its records have to be held back,
   * because `of` decides from what is known at that moment.
   */
  waits(process: ObservedProcess): boolean {
    const { workload } = process;
    if (this.#names === undefined || !isImage(workload) || this.#images.get(workload)) return false;
    this.born(process);
    return this.#waiting.has(workload);
  }

  /** Whether any image waits. */
  get isWaiting(): boolean {
    return this.#waiting.size > 0;
  }

  /** Decides all waiting images from what is known now. */
  stopWaiting(): void {
    this.#decide(() => true);
  }

  /**
   * Must be called once for each image of a process (start or exec), as soon as the kernel reports it: /proc is read
   * while it still has the process, whatever was known before.
   */
  born(process: ObservedProcess): void {
    const { workload } = process;
    if (isImage(workload) && (this.#images.get(workload) || this.#waiting.has(workload))) return;
    const look = this.#look(process);
    const before = isRead(look) ? undefined : this.#find(process)?.workload;
    const mayWait = isImage(workload) && before === undefined && this.#waiting.size < mostPostponed;
    if (mayWait && this.#awaitsNames(look.cgroup)) this.#waiting.set(workload, look);
    else this.#keep(look, before);
  }

  /** A process about which nothing is expected to be reported: it is read when something is. */
  postpone(process: ObservedProcess): void {
    this.#postponed.set(process.workload, copyOf(process));
  }

  /** The workload with this number in a sum's key. */
  workload(number: number): Workload {
    return this.#workloads.at(number);
  }

  workloadOf(image: number): number | undefined {
    const known = this.#images.get(image) ?? this.#findBirth(image);
    if (known === undefined && this.#waiting.has(image)) return undefined;
    return known?.workload.number ?? REST;
  }

  isSettled(image: number): boolean {
    const known = this.#images.get(image);
    return known !== undefined && known.collections < this.#collections;
  }

  /** Must be called after a collection has read every table. */
  collected(): void {
    this.#collections++;
  }

  get counts(): IdentityCounts {
    return { size: this.#known.size, misses: this.#misses, refused: this.#refused, gone: this.#gone };
  }

  /** An image that has sums and whose start was not reported yet. */
  #findBirth(image: number): NumberedImage | undefined {
    if (!this.#programs || this.#waiting.has(image)) return undefined;
    this.#programs.drain();
    const known = this.#images.get(image);
    if (known) return known;
    const postponed = this.#postponed.get(image);
    if (postponed) this.born(postponed);
    else
      for (const process of this.#programs.missedBirths()) if (process.workload === image) this.born(process);
    return this.#images.get(image);
  }

  #find({ pid, startedAt, exe }: ObservedProcess): Known | undefined {
    let known = this.#known.get(pid);
    while (known !== undefined && (known.startedAt !== startedAt || known.exe !== exe)) known = known.older;
    return known;
  }

  #awaitsNames({ containerId, podUid }: CgroupFacts): boolean {
    return this.#names?.awaits(containerId, podUid) ?? false;
  }

  #decide(isDue: (look: Look) => boolean): void {
    const due = [...this.#waiting.values()].filter(isDue);
    for (const look of due) this.#keep(look);
    if (due.length > 0) this.#programs?.decided();
  }

  #keep(look: Look, workload = this.#workload(look)): Workload {
    const { pid, startedAt, exe, workload: image } = look.process;
    this.#known.set(pid, { startedAt, exe, workload, older: others(this.#known.get(pid), look.process) });
    if (isImage(image)) {
      this.#waiting.delete(image);
      this.#images.set(image, { workload, collections: this.#collections });
      this.#programs?.assign(image, workload.number);
    }
    return workload;
  }

  #look(observed: ObservedProcess): Look {
    const process = copyOf(observed);
    const { pid, tid, startedAt, cgroupId } = process;
    const exe = this.#executables.name(process.exe);
    this.#misses += 1;
    const facts = this.#proc.process(pid, tid);
    if (facts === undefined || !startedThen(facts, startedAt)) {
      this.#gone += 1;
      return { process, executable: exe, cgroup: withoutRuntime(this.#pathFacts(cgroupId), exe) ?? {} };
    }
    if (facts.refused) this.#refused += 1;
    const path = unifiedPath(facts.cgroup);
    if (path !== undefined) this.#cgroups.learn(cgroupId, path);
    const cgroup = cgroupFacts(facts.cgroup);
    if (!isImageOf(facts, exe)) return { process, executable: exe, cgroup };
    const executable = exe || (facts.exe !== undefined && basename(facts.exe)) || "";
    return { process, executable, cgroup, facts };
  }

  /**
   * All processes of a container or service usually have the same environment, so that one of them whose environment
   * could not be read is like the others with its executable. This is not true for a session's processes: there it may
   * have been anything. One that was forked and runs the same program is like its parent.
   */
  #workload(look: Look): Workload {
    const { cgroup, process } = look;
    const key = siblingsKey(cgroup, process);
    const before = this.#siblings.get(key);
    if (!isRead(look)) {
      const session = cgroup.containerId === undefined && cgroup.service === undefined;
      return this.#origin(process) ?? (session ? undefined : before?.agreed) ?? this.#compose(look);
    }
    const workload = this.#compose(look);
    this.#siblings.set(key, { agreed: before === undefined || before.agreed === workload ? workload : null });
    return workload;
  }

  #origin({ workload }: ObservedProcess): Workload | undefined {
    const number = isImage(workload) ? this.#programs?.origin(workload) : undefined;
    if (number === undefined || number <= REST) return undefined;
    return isImage(number) ? this.#images.get(number)?.workload : this.#workloads.at(number);
  }

  #compose({ process: { pid, uid, comm, cgroupId }, executable, cgroup, facts }: Look): Workload {
    const ports = () => this.#proc.ports(pid);
    const known = { executable, comm, cgroupId, cgroup, ports, ...(facts && { facts }) };
    const holder = cgroup.containerId ?? (uid === 0 ? undefined : `${uid}`);
    return this.#workloads.of(this.#composer.resource(known), given(executable) ?? commName(comm), holder);
  }

  #pathFacts(cgroupId: number): CgroupFacts | undefined {
    const path = this.#cgroups.path(cgroupId);
    return path === undefined ? undefined : pathFacts(path);
  }
}

/** A copy that stays valid after the record. */
function copyOf(process: ObservedProcess): ObservedProcess {
  const { pid, uid, tid, startedAt, comm, exe, cgroupId, workload } = process;
  return { pid, uid, tid, startedAt, comm, exe, cgroupId, workload };
}

/** Whether the process's own environment was read. */
function isRead({ facts }: Look): boolean {
  return facts?.environment !== undefined;
}

/** Services of container runtimes, and the programs that belong to them. */
const runtime = /^(containerd|docker|crio|cri-o|kubelet|k3s|k3s-agent|rke2-server|rke2-agent|podman)$/;
const runtimes = /^(containerd|docker|crio|conmon|kubelet|k3s|rke2|runc|crun|podman)/;

/**
 * If a host has both cgroup hierarchies, v2 has all containers in their runtime's service. For a process that has
 * ended it is no longer possible to determine its container, but it was not the runtime.
 */
function withoutRuntime(cgroup: CgroupFacts | undefined, exe: string): CgroupFacts | undefined {
  if (cgroup?.service === undefined || !runtime.test(cgroup.service) || runtimes.test(exe)) return cgroup;
  const { service: _, ...others } = cgroup;
  return others;
}

function siblingsKey({ containerId, service }: CgroupFacts, { cgroupId, exe }: ObservedProcess): string {
  return `${containerId ?? service ?? cgroupId} ${exe}`;
}

/** The other images of a pid, as many as are kept in addition to a new one. */
function others(known: Known | undefined, { startedAt, exe }: ObservedProcess): Known | undefined {
  const kept: Known[] = [];
  for (let one = known; one !== undefined && kept.length < maxImages - 1; one = one.older) {
    if (one.startedAt !== startedAt || one.exe !== exe) kept.push(one);
  }
  return kept.reduceRight<Known | undefined>((older, one) => ({ ...one, older }), undefined);
}

/** A tolerance of one tick, because a double no longer holds every nanosecond after 104 days of uptime. */
function startedThen(facts: ProcessFacts, startedAt: number): boolean {
  return Math.abs(facts.startTicks - Math.floor(startedAt / 1e7)) <= 1;
}

/**
 * Whether /proc still shows the image that the kernel saw: there may have been an exec in between. The name of a file
 * in memory may contain slashes.
 */
function isImageOf({ exe: path }: ProcessFacts, exe: string): boolean {
  return exe === "" || path === undefined || path.endsWith(`/${exe}`);
}
