// The connection tracker in the kernel: loaded before every plugin, its emitter attached after them.
import { statSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import { type Task, TaskCursor } from "../../bpf/include/wirespan/structs.skel.ts";
import { skeleton } from "../../bpf/tracker/tracker.skel.ts";
import type { Config } from "../../config/config.ts";
import type { BpfMap, Native } from "../../native/index.ts";
import { type Loaded, loadObject } from "../bridge/loader.ts";
import { packConstant } from "../bridge/pack.ts";
import { Chain } from "../bridge/tail-chain.ts";
import { Executables } from "../identity/executables.ts";
import { PidNumbers, pidNumberCapacity } from "../identity/pid-numbers.ts";
import type { FilterNames } from "../identity/wanted.ts";
import { WirespanError } from "../plugin/errors.ts";
import {
  ACCEPT_EXIT,
  ATTACHED_AFTER_PLUGINS,
  CORE_ACCEPT_PROBES,
  URING_HOOK,
} from "../plugin/hooks/accept.ts";
import type { ConstantStruct, ConstantValue, Plugin } from "../plugin/plugin.ts";
import type { WatchedCgroups } from "./cgroups.ts";
import { idConstants } from "./id-constants.ts";
import { IoMarks } from "./io-marks.ts";
import { samplingConstants } from "./sampling.ts";

const PROBES = {
  "connection states": { programs: ["on_state"] },
  "connection states, in packets that interrupt the first": { programs: ["on_state_nested"] },
  "SYNs that are retransmitted": {
    programs: ["on_syn_retransmit"],
    lostWithout:
      "when a SYN left that waited for the first data (TCP_FASTOPEN_CONNECT) and had to be retransmitted",
  },
  "first receive": {
    programs: ["on_receive"],
    lostWithout: "the owner of an accepted connection is its listener's, even if another process serves it",
  },
  "first send": {
    programs: ["on_send"],
    lostWithout: "a process that only ever sends is not known to own an accepted connection",
  },
} as const;

const SWEEP_HOOK = "iter/bpf_sk_storage_map";
const STATE_HOOK = "tp_btf/inet_sock_set_state";
const CONNECT_EXIT = "tp/syscalls/sys_exit_connect";

/** Enabled if a plugin requests such attempts. */
const CONNECT_EXITS = {
  "attempts that fail at once": {
    programs: ["on_connect_exit"],
    lostWithout: "attempts to connect that fail before the socket's state changes: no route, not permitted",
  },
} as const;

/** A namespace's inode, from the inode itself or from one of its processes. */
function netnsInode(text: string): number {
  if (!text.startsWith("pid:")) return Number(text);
  try {
    return statSync(`/proc/${text.slice(4)}/ns/net`).ino;
  } catch (cause) {
    throw new WirespanError("CONFIG_INVALID", `filter: netns ${text}: there is no such process`, { cause });
  }
}

/** Rows of tables of connections; an unused row takes 16 bytes. */
function mostConnections({ connections: { limit } }: Config): number {
  return limit || Math.min(Math.max(Math.floor(totalmem() / (128 * 1024)), 65_536), 1_048_576);
}

/** Paths that the current filters name. */
function cgroupsIn(config: Config): readonly string[] {
  const enabled = Object.values(config.plugins).filter((plugin) => plugin.enabled);
  const filters = [config.filter, ...enabled.map(({ filter }) => filter)];
  const { enabled: correlates, exclude: excluded } = config.correlate;
  return [
    ...filters.flatMap(({ include, exclude }) => [...include.cgroup, ...exclude.cgroup]),
    ...(correlates ? excluded.cgroup : []),
  ];
}

/** A number as a u64 of the kernel. */
function words(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}

/** Consecutive `struct task`s. */
function* tasksIn(bytes: Uint8Array): Generator<Task> {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  const task = new TaskCursor();
  for (let at = 0; at < bytes.length; at += skeleton.records.processes.size) {
    task.at(words, bytes, at);
    yield task;
  }
}

/** What plugins need from the tracker. */
export interface Needs {
  /** The hooks of their programs, for which the tracker has work to do before and after them. */
  readonly hooks: ReadonlySet<string>;
  readonly tuples: boolean;
}

export class Tracker {
  readonly loaded: Loaded;
  /** Inputs of ids and of names' numbers: a reload does not change them, because spans, events and sums must agree. */
  readonly ids: Readonly<Record<string, ConstantValue>>;
  /** The maps that plugins' objects share. */
  readonly #shared: Readonly<Record<string, BpfMap>>;
  /** Those of programs whose records may belong to an application's trace. */
  readonly #contexts: Readonly<Record<string, BpfMap>>;
  readonly executables: Executables;
  readonly pids: PidNumbers;
  /** Of bpf/include/wirespan/ring.h. */
  readonly asleep: BpfMap;
  readonly #tuples: BpfMap;
  readonly #workloads: BpfMap;
  #holders: Uint8Array = new Uint8Array();
  /** Plugins' programs on changes of state, and on what io_uring has accepted. */
  readonly chains: readonly Chain[];
  /** Plugins' programs that see open sockets (bpf/include/wirespan/sweep.h). */
  readonly sweeps: Chain;
  readonly ioMarks = new IoMarks();
  readonly #cgroups: WatchedCgroups;
  #keepsTuples: boolean;
  #seeded = false;
  /** The port of the page, whose connections are the agent's own; 0: none. */
  pagePort = 0;
  /** Number of searches for rows without a socket, and when the last one began, on the boot clock. */
  #round = { number: 0, beganAt: 0 };
  readonly #native: Native;

  private constructor(
    native: Native,
    loaded: Loaded,
    ids: Readonly<Record<string, ConstantValue>>,
    cgroups: WatchedCgroups,
    keepsTuples: boolean,
  ) {
    this.#native = native;
    this.loaded = loaded;
    this.ids = ids;
    const uring = loaded.hooks.find(({ at }) => at === URING_HOOK)?.program;
    const chain = (hook: string, first: string, last: keyof typeof skeleton.links, next: string) =>
      new Chain({ hook, core: loaded.object, first, last, lastWants: skeleton.links[last], next });
    this.chains = [
      chain(STATE_HOOK, "on_state", "on_emit", "next_program"),
      ...(uring ? [chain(URING_HOOK, uring, "on_uring_emit", "next_accept")] : []),
    ];
    const core = loaded.object;
    this.sweeps = new Chain({ hook: SWEEP_HOOK, core, first: "sweep", next: "next_sweep", cutsOff: true });
    const names = ["conns", "connect_results", "accept_results", "workloads", "executables", "blank_name"];
    this.#shared = Object.fromEntries(names.map((name) => [name, loaded.object.map(name)]));
    const correlated = ["contexts", "earlier", "streams", "correlated"];
    this.#contexts = Object.fromEntries(correlated.map((name) => [name, loaded.object.map(name)]));
    this.#tuples = loaded.object.map("tuples");
    this.#workloads = loaded.object.map("workloads");
    this.executables = new Executables(loaded.object.map("executables"));
    this.pids = new PidNumbers(loaded.object.map("pid_numbers"), (context) =>
      loaded.object.run("whoami", context),
    );
    this.asleep = loaded.object.map("agent_asleep");
    this.#cgroups = cgroups;
    this.#keepsTuples = keepsTuples;
  }

  /** The maps that a plugin's object shares. */
  shared({ skeleton, tuples }: Pick<Plugin, "skeleton" | "tuples">): Readonly<Record<string, BpfMap>> {
    const hasRing = Object.values(skeleton.records).some(({ kind }) => kind === "ring");
    return {
      ...(skeleton.constants.plugin_bit && this.#shared),
      ...(skeleton.constants.id_key && this.#contexts),
      ...(tuples && { tuples: this.#tuples }),
      ...(hasRing && { agent_asleep: this.asleep }),
    };
  }

  /** The maps that the programs of correlation share. */
  get sharedWithCorrelation(): Readonly<Record<string, BpfMap>> {
    const own = ["spans", "unaccepted"].map((name) => [name, this.loaded.object.map(name)] as const);
    return { ...this.#shared, ...this.#contexts, ...Object.fromEntries(own), agent_asleep: this.asleep };
  }

  static async load(
    native: Native,
    config: Config,
    cgroups: WatchedCgroups,
    { hooks, tuples }: Needs,
  ): Promise<Tracker> {
    const watchesExits = hooks.has(CONNECT_EXIT);
    const watchesAccepts = hooks.has(ACCEPT_EXIT) || config.connections.accept !== "none";
    // Before anything is attached: the first owners must have their cgroups already.
    cgroups.watch(cgroupsIn(config));
    const ids = idConstants(config);
    const loaded = await loadObject(native, {
      name: "connections",
      path: join(import.meta.dirname, "../../bpf/tracker/tracker.bpf.o"),
      skeleton,
      probes: {
        ...PROBES,
        ...(watchesExits && CONNECT_EXITS),
        ...(watchesAccepts && CORE_ACCEPT_PROBES),
      },
      constants: {
        ...ids,
        watch_connect_exits: watchesExits,
      },
      rare: ["mend_found", "report_found", "drop_rows"],
      maxEntries: {
        spans: config.ring.core,
        pid_numbers: pidNumberCapacity(),
        tuples: mostConnections(config),
        unaccepted: mostConnections(config),
      },
      later: [
        "on_emit",
        ...(watchesExits ? ["on_connect_emit"] : []),
        ...(watchesAccepts ? [...ATTACHED_AFTER_PLUGINS, "on_uring_emit"] : []),
      ],
    });
    const program = new Tracker(native, loaded, ids, cgroups, tuples);
    program.configure(config);
    return program;
  }

  /** Names in filters, of cgroups that are watched. */
  readonly names: FilterNames = {
    cgroup: (path) => this.#cgroups.index(path),
    netns: netnsInode,
    pid: (path, text) => this.#pid(path, text),
  };

  #pid(path: string, text: string): number {
    if (this.pids.areKernels) return Number(text);
    throw new WirespanError(
      "CONFIG_INVALID",
      `${path}: the agent runs in its own pid namespace, where process ids differ from the kernel's; run it in the host's (hostPID: true, --pid=host), or filter by cgroup, comm or uid`,
    );
  }

  /** After the plugins are attached: finds the existing sockets. */
  async begin(config: Config): Promise<void> {
    this.configure(config);
    this.emitLast();
    this.#holders = await this.loaded.object.iterate("seed");
    this.#seeded = true;
    this.configure(config);
  }

  /** Shows all open sockets to the plugins, and counts them; returns the rows. */
  sweep(): Promise<Uint8Array> {
    return this.loaded.object.iterate("sweep", "conns");
  }

  /** Only counts open connections. */
  survey(): Promise<Uint8Array> {
    return this.loaded.object.iterate("survey", "conns");
  }

  /** Corrects what is known about sockets that a sweep has found in another state, or closed. */
  async mendFound(): Promise<void> {
    await this.loaded.runRare(["mend_found"]);
  }

  /** Emits the ends that a sweep has found, once the plugins have seen them. */
  async reportFoundEnds(): Promise<void> {
    await this.loaded.runRare(["report_found"]);
  }

  /** Removes rows of connections whose end no program observed. */
  async dropRowsWithoutSocket(config: Config): Promise<void> {
    this.#round = { number: this.#round.number + 1, beganAt: this.#native.bootNow() };
    this.configure(config);
    await this.loaded.runRare(["drop_rows"]);
  }

  /** The processes that held sockets when the agent started; valid until the next one is read. */
  *holders(): Generator<Task> {
    yield* tasksIn(this.#holders);
    this.#holders = new Uint8Array();
  }

  /** Latest process starts that did not fit into `processes`. */
  *missedBirths(): Generator<Task> {
    const map = this.loaded.object.map("missed_births");
    const values = new Uint8Array(map.maxEntries * map.valueSize);
    const count = map.read(new Uint8Array(map.maxEntries * map.keySize), values);
    yield* tasksIn(values.subarray(0, count * map.valueSize));
  }

  /** Assigns the sums of a process's image to a workload from now on. */
  assignWorkload(image: number, workload: number): void {
    this.#workloads.update(
      new Uint8Array(Uint32Array.of(image).buffer),
      new Uint8Array(Uint32Array.of(workload).buffer),
    );
  }

  /** Attaches the emitters on system calls after all currently attached programs. */
  emitLast(): void {
    const others = ATTACHED_AFTER_PLUGINS.filter((p) =>
      this.loaded.hooks.some(({ program }) => program === p),
    );
    for (const program of [...others, ...(this.#watches(CONNECT_EXIT) ? ["on_connect_emit"] : [])]) {
      this.loaded.object.detach(program);
      this.loaded.object.attach(program);
    }
  }

  get #watchesAccepts(): boolean {
    return Object.keys(CORE_ACCEPT_PROBES).some((probe) =>
      this.loaded.hooks.some((hook) => hook.observes === probe),
    );
  }

  #watches(hook: string): boolean {
    return this.loaded.hooks.some(({ at }) => at === hook);
  }

  /** Starts or stops maintaining the index of connections by address. */
  async keepTuples(config: Config, keeps: boolean): Promise<void> {
    if (keeps === this.#keepsTuples) return;
    this.#keepsTuples = keeps;
    this.configure(config);
    if (keeps) await this.loaded.object.iterate("keep_living", "conns");
  }

  /**
   * Watches the cgroups that filters name, for new and for existing owners. Must be called before programs with these
   * filters exist, while those of the configuration `before` run.
   */
  async watchCgroups(config: Config, before: Config): Promise<void> {
    const used = this.#cgroups.all.length;
    const changed = this.#cgroups.watch(cgroupsIn(config), cgroupsIn(before));
    if (changed.length === 0) return;
    const again = changed.filter((i) => i < used);
    this.configure(config, again);
    if (again.length) await this.loaded.object.iterate("relabel_owners", "conns");
    this.configure(config);
    const bits = new Map<number, number>();
    for (const i of changed)
      for (const id of this.#cgroups.below(i)) bits.set(id, (bits.get(id) ?? 0) | (1 << i));
    const rows = [...bits];
    const map = this.loaded.object.map("cgroup_bits");
    while (rows.length) {
      const some = rows.splice(0, map.maxEntries);
      for (const [id, value] of some) map.update(words(id), words(value).slice(0, 4));
      await this.loaded.object.iterate("relabel_owners", "conns");
      for (const [id] of some) map.delete(words(id));
    }
  }

  /** Throws if plugins need the tracker on a hook that it was not started with. */
  require({ hooks }: Needs): void {
    const missing = [
      ...(hooks.has(CONNECT_EXIT) && !this.#watches(CONNECT_EXIT) ? ["Attempts that fail at once"] : []),
      ...(hooks.has(ACCEPT_EXIT) && !this.#watchesAccepts ? ["Ends of accept()"] : []),
    ];
    if (missing.length === 0) return;
    throw new WirespanError(
      "CONFIG_INVALID",
      `${missing.join(" and ")} can only be observed from the agent's start; restart it.`,
    );
  }

  /**
   * Passes our pid and the cgroups of filters to the programs; must be called when they change. `again`: reused slots,
   * whose bits the next run of `relabel_owners` clears for all owners.
   */
  configure(config: Config, again: readonly number[] = []): void {
    const live = packConstant("runtime_config", skeleton.runtimeConfig, {
      self_pid: this.pids.self,
      excludes_self: config.self.exclude,
      keeps_tuples: this.#keepsTuples,
      space: this.pids.space,
      freed_cgroups: again.reduce((sum, i) => sum | (1 << i), 0),
      seeded: this.#seeded,
      round: this.#round.number,
      round_began_at: this.#round.beganAt,
      correlates: config.correlate.enabled,
      ...samplingConstants(config),
      page_port: this.pagePort,
      page_netns: this.pagePort && netnsInode("pid:self"),
      cgroups: this.watchedCgroups,
    });
    this.loaded.object.map(".bss").update(new Uint8Array(4), live);
  }

  /** As programs have them (bpf/include/wirespan/owner.h). */
  get watchedCgroups(): readonly ConstantStruct[] {
    return this.#cgroups.all.map(({ id, level }) => ({ id, level, used: 1 }));
  }
}
