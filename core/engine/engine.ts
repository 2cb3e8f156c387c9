// The kernel side of the agent: attaches the core's program and the plugins', then feeds what they see to
// a sink. Attaching comes first and alone, so that nothing is missed while the rest is still loading.
import type { DependencyContainer } from "tsyringe";
import { type Survey, type Task, skeleton as trackerSkeleton } from "../../bpf/tracker/tracker.skel.ts";
import type { Config } from "../../config/config.ts";
import type { Native, ProgramInfo } from "../../native/index.ts";
import { bindValue, createContainer } from "../base/container.ts";
import { VERSION } from "../base/version.ts";
import { BootClock } from "../bridge/clock.ts";
import { createKernel, requireKernel } from "../bridge/kernel.ts";
import { detachAll } from "../bridge/loader.ts";
import { Reading } from "../bridge/poller.ts";
import { explained } from "../bridge/refusal.ts";
import { Feed } from "../bridge/ring-reader.ts";
import { hostAddress, hostAttributes, hostResource, ofHost } from "../identity/host.ts";
import { Identity } from "../identity/identity.ts";
import { NetnsNames } from "../identity/netns-names.ts";
import { Proc } from "../identity/proc.ts";
import { argumentPatterns, parseRule } from "../identity/rules.ts";
import { type Met, netnsBy, wantedBy } from "../identity/wanted.ts";
import type { WirespanError } from "../plugin/errors.ts";
import { type Log, limited } from "../plugin/log.ts";
import { activeProbes, type Plugin } from "../plugin/plugin.ts";
import { seriesFrom } from "../plugin/series.ts";
import { services } from "../plugin/services.ts";
import type { Metric, Resource, Sink } from "../plugin/signals.ts";
import { Balance, type ConnectionBalance, sayUnseen } from "./balance.ts";
import { WatchedCgroups } from "./cgroups.ts";
import { ConnectionSpans } from "./connection-spans.ts";
import { Reserve } from "./descriptors.ts";
import { ignoredCriteria } from "./filter.ts";
import { type HostOptions, PluginHost } from "./plugin-runner.ts";
import { CoreProgram, type Needs } from "./tracker.ts";

export interface EngineOptions {
  readonly config: Config;
  readonly plugins: readonly Plugin[];
  readonly native: Native;
  readonly log: Log;
}

export interface FailedPlugin {
  readonly name: string;
  readonly error: WirespanError;
}

function needsOf(plugins: readonly Plugin[], config: Config): Needs {
  const hooks = new Set(
    plugins.flatMap((plugin) =>
      Object.values(activeProbes(plugin, config.plugins[plugin.name]!.settings))
        .flatMap(({ programs }) => programs)
        .map((p) => plugin.skeleton.programs[typeof p === "string" ? p : p.program] ?? ""),
    ),
  );
  return { hooks, tuples: plugins.some(({ tuples }) => tuples) };
}

/** The user is to know which plugins an agent-wide filter does not apply to. */
function warnIgnored(plugins: readonly Plugin[], { filter }: Config, log: Log): void {
  for (const { name, filters } of plugins) {
    const paths = filters ? ignoredCriteria(filter, filters) : [];
    if (paths.length > 0)
      log.warn({ paths }, `${name} ignores ${paths.join(", ")}: it does not observe connections`);
  }
}

/** What there is from `run` on. */
interface Running {
  readonly sink: Sink;
  readonly spans: ConnectionSpans;
  readonly container: DependencyContainer;
  readonly reading: Reading;
}

type Attaching = Omit<HostOptions, "plugin" | "bit">;

/** Attaches plugins, `hosts` taking those that succeed; the others, and why. */
async function attachPlugins(
  plugins: readonly Plugin[],
  options: Attaching,
  hosts: PluginHost[],
): Promise<FailedPlugin[]> {
  const { lockdown } = options.native.features();
  const attach = async (plugin: Plugin): Promise<FailedPlugin | undefined> => {
    try {
      hosts.push(await PluginHost.attach({ ...options, plugin, bit: 2 ** plugins.indexOf(plugin) }));
      return undefined;
    } catch (error) {
      return { name: plugin.name, error: explained(plugin.name, error, lockdown) };
    }
  };
  const failed = (await Promise.all(plugins.map(attach))).filter((one) => one !== undefined);
  // What all take while they load at once leaves too little for some that fit one after the other.
  for (const [i, { name, error }] of failed.entries()) {
    if (error.code !== "LIMIT") continue;
    const again = await attach(plugins.find((plugin) => plugin.name === name)!);
    if (again === undefined) delete failed[i];
    else failed[i] = again;
  }
  const order = plugins.map(({ name }) => name);
  hosts.sort((a, b) => order.indexOf(a.plugin.name) - order.indexOf(b.plugin.name));
  return failed.filter((one) => one !== undefined);
}

export class Engine {
  readonly clock: BootClock;
  readonly identity: Identity;
  readonly namespaces: NetnsNames;
  readonly core: CoreProgram;
  readonly #options: EngineOptions;
  readonly #host: Resource;
  /** In force: what the last reload brought. */
  #config: Config;
  /** Whether the filter may let a process pass. */
  #wanted: (task: Met) => boolean;
  #hosts: readonly PluginHost[];
  readonly #failed: FailedPlugin[];
  readonly #reserve: Reserve;
  #running: Running | undefined;
  #coreFeed: Feed | undefined;
  readonly #balance = new Balance();
  /** Of the last sweep. */
  #surveyed = { living: 0, goneOn: 0 };
  /** Events that no program was shown, as the log has said. */
  #said = 0;
  #detached = false;
  #closed = false;
  #collecting: Promise<readonly Metric[]> | undefined;
  #next: Promise<readonly Metric[]> | undefined;

  private constructor(
    options: EngineOptions,
    core: CoreProgram,
    hosts: readonly PluginHost[],
    failed: FailedPlugin[],
    reserve: Reserve,
    ip: string,
  ) {
    this.#options = options;
    this.#config = options.config;
    this.core = core;
    this.#wanted = this.#wantedBy(options.config);
    this.#hosts = hosts;
    this.#failed = failed;
    this.#reserve = reserve;
    this.clock = new BootClock(options.native);
    this.namespaces = new NetnsNames((fd) => options.native.netnsCookie(fd));
    const { config } = options;
    const attributes = ofHost({ ...hostAttributes(), ip, ...config.resource.attributes });
    const debug = (message: string) => options.log.debug({}, message);
    const rules = config.identity.names.map(parseRule).filter((rule) => typeof rule !== "string");
    const proc = new Proc("/proc", {
      patterns: argumentPatterns(rules),
      shiftNs: options.native.bootShift(),
      numberOf: (pid) => core.pids.inProc(pid),
    });
    this.identity = new Identity(proc, attributes, {
      debug,
      executables: core.executables,
      rules,
    });
    this.#host = hostResource(attributes, config.service.name);
  }

  #wantedBy({ filter }: Config): (task: Met) => boolean {
    const { names, pids } = this.core;
    return wantedBy(
      filter,
      names,
      netnsBy((pid) => pids.inProc(pid)),
    );
  }

  /** What does not hold where this agent runs, in words for people. */
  get limits(): readonly string[] {
    return this.core.pids.limits;
  }

  /** Plugins that can't run here, and why. */
  get failed(): readonly FailedPlugin[] {
    return this.#failed;
  }

  get hosts(): readonly PluginHost[] {
    return this.#hosts;
  }

  /** Throws what concerns the whole agent; a plugin that fails is left out, unless `strict` is set. */
  static async attach(options: EngineOptions): Promise<Engine> {
    // Asking takes descriptors, of which the programs may leave none.
    const ip = hostAddress();
    const { config, native, log } = options;
    requireKernel(native);
    // libbpf tells of every relocation: to pass that on costs more than a start may.
    if (config.log.level === "debug") {
      native.onMessage((level, text) => log.debug({ level }, text.trimEnd()));
    }
    const cgroups = new WatchedCgroups();
    const enabled = options.plugins.filter((plugin) => config.plugins[plugin.name]?.enabled);
    warnIgnored(enabled, config, log);
    const { lockdown } = native.features();
    const reserve = new Reserve();
    let core: CoreProgram | undefined;
    const hosts: PluginHost[] = [];
    try {
      core = await CoreProgram.load(native, config, cgroups, needsOf(enabled, config));
      const failed = await attachPlugins(enabled, { config, native, core }, hosts);
      const fatal = failed.find(({ error }) => config.strict || error.code === "CONFIG_INVALID");
      if (fatal) throw fatal.error;
      const attached = core;
      await reserve.lend(() => attached.begin(config));
      for (const limit of core.pids.limits) log.warn({}, limit);
      return new Engine(options, attached, hosts, failed, reserve, ip);
    } catch (error) {
      for (const host of hosts) host.close();
      core?.loaded.object.close();
      reserve.release();
      throw explained("connections", error, lockdown);
    }
  }

  /** Starts the plugins and feeds the sink from then on. One that can't start is among `failed` afterwards. */
  run(sink: Sink): void {
    const { config, native, log } = this.#options;
    this.clock.start();
    const spans = new ConnectionSpans(sink, this.clock, this.identity, this.namespaces, {
      scope: { name: "wirespan.connections", version: VERSION },
      host: this.#host,
      peers: config.connections.peers,
      kind: config.spans.kind,
    });
    const reading = new Reading({
      native,
      drain: () => this.drain(),
      asleep: this.core.asleep,
      interval: config.ring.drainInterval,
    });
    this.#running = { sink, spans, container: this.#container(), reading };
    const handlers = {
      spans: (record: never) => spans.take(record),
      survey: (rows: Iterable<Survey>) => {
        for (const { living, goneOn } of rows) this.#surveyed = { living, goneOn };
      },
      processes: (task: Task) => {
        if (this.#wanted(task)) this.identity.born(task);
        else this.identity.postpone(task);
      },
    };
    // What plugins add to a span they may know from records of their own, which are older than the span's.
    const before = () => this.#drain(this.hosts.filter((host) => host.enriches).map(({ feed }) => feed));
    const coreFeed = this.#reserve.lendNow(
      () => new Feed(native, this.core.loaded.object, trackerSkeleton, handlers, { before }),
    );
    this.#coreFeed = coreFeed;
    this.#startAll(config, this.#running);
    this.identity.connect({
      tell: (image, workload) => this.core.tellWorkload(image, workload),
      drain: () => void this.#drain([this.#coreFeed]),
      unheard: () => this.core.unheard(),
    });
    for (const task of this.core.holders()) this.identity.born(task);
    reading.add(coreFeed.rings);
    this.#reserve.release();
    // The first sweep sets the mark from which living connections' bytes count.
    this.collect().catch((error: unknown) => log.warn({ error }, "the first collection failed"));
  }

  #startAll(config: Config, running: Running): void {
    const started: PluginHost[] = [];
    for (const host of this.hosts) {
      try {
        this.#start(host, config, running);
        started.push(host);
      } catch (cause) {
        const { name } = host.plugin;
        const error = explained(name, cause, this.#options.native.features().lockdown);
        if (config.strict) throw error;
        host.detach();
        running.spans.withdraw(host.bit);
        host.close();
        this.#failed.push({ name, error });
      }
    }
    this.#hosts = started;
  }

  #start(host: PluginHost, config: Config, { sink, spans, container, reading }: Running): void {
    const scope = { name: `wirespan.${host.plugin.name}`, version: VERSION };
    const { maxSeries } = config.metrics;
    host.start(container, spans, this.identity, {
      scope,
      sink,
      host: this.#host,
      clock: this.clock,
      startNs: this.clock.bootNow(),
      maxSeries,
    });
    reading.add(host.feed?.rings ?? []);
  }

  /**
   * Brings the plugins to what a new configuration says; those that it does not touch run on. Says in
   * words what changed; what throws has changed nothing.
   */
  async reload(config: Config, plugins: readonly Plugin[]): Promise<readonly string[]> {
    const running = this.#running;
    if (!running) return [];
    const wanted = plugins.filter((plugin) => config.plugins[plugin.name]?.enabled);
    const needs = needsOf(wanted, config);
    this.core.require(needs);
    await this.core.watchCgroups(config, this.#config);
    warnIgnored(wanted, config, this.#options.log);
    const isWanted = this.#wantedBy(config);
    const kept = this.#hosts.filter((h) => wanted.includes(h.plugin) && h.runsAs(config));
    const ending = this.#hosts.filter((h) => !kept.includes(h));
    const fresh = await this.#attachBeside(
      wanted.filter((plugin) => !kept.some((h) => h.plugin === plugin)),
      config,
    );
    this.core.tellPrograms(config);
    await this.core.keepTuples(config, needs.tuples);
    this.#startBeside(fresh, config, running);
    this.#wanted = isWanted;
    for (const host of ending) host.detach();
    this.core.emitLast();
    this.#hosts = [...kept, ...fresh];
    // Whatever is wanted runs now.
    this.#failed.length = 0;
    // One that is under way still reads from those that end.
    await this.#collecting?.catch(() => {});
    for (const host of ending) await this.#end(host, running);
    this.#config = config;
    const before = new Set(ending.map((h) => h.plugin.name));
    const after = new Set(fresh.map((h) => h.plugin.name));
    return [
      ...[...before].filter((name) => !after.has(name)).map((name) => `${name}: stopped`),
      ...[...after].map((name) => `${name}: ${before.has(name) ? "restarted" : "started"}`),
    ];
  }

  /** Attaches more plugins; where one fails, none stays. */
  async #attachBeside(plugins: readonly Plugin[], config: Config): Promise<PluginHost[]> {
    const { native } = this.#options;
    const attached: PluginHost[] = [];
    try {
      for (const plugin of plugins) {
        const taken = new Set([...this.#hosts, ...attached].map((h) => h.bit));
        const bit = Array.from({ length: 32 }, (_, i) => 2 ** i).find((b) => !taken.has(b))!;
        const before = this.#hosts.find((h) => h.plugin === plugin);
        attached.push(await PluginHost.attach({ plugin, bit, config, native, core: this.core, before }));
      }
    } catch (error) {
      for (const host of attached) host.close();
      throw error;
    }
    return attached;
  }

  /** Starts what is attached; if one can't start, none stays. */
  #startBeside(hosts: readonly PluginHost[], config: Config, running: Running): void {
    try {
      for (const host of hosts) this.#start(host, config, running);
    } catch (error) {
      for (const host of hosts) {
        host.detach();
        running.spans.withdraw(host.bit);
        running.reading.remove(host.feed?.rings ?? []);
        host.close();
      }
      throw error;
    }
  }

  /** What a plugin has counted until its programs were detached is not lost with it. */
  async #end(host: PluginHost, { sink, spans, reading }: Running): Promise<void> {
    sink.metrics(await host.collect(this.clock.bootNow()));
    this.drain();
    spans.withdraw(host.bit);
    reading.remove(host.feed?.rings ?? []);
    host.close();
  }

  #container(): DependencyContainer {
    const container = createContainer();
    bindValue(container, services.clock, this.clock);
    bindValue(container, services.identity, this.identity);
    bindValue(
      container,
      services.series,
      seriesFrom((number) => this.identity.workload(number)),
    );
    bindValue(container, services.namespaces, this.namespaces);
    bindValue(container, services.pids, this.core.pids);
    bindValue(container, services.kernel, createKernel(this.#options.native));
    bindValue(container, services.log, this.#options.log);
    return container;
  }

  /** Hands what waits in the rings to the sink; the number of records. */
  drain(): number {
    return this.#drain([this.#coreFeed, ...this.hosts.map(({ feed }) => feed)]);
  }

  #drain(feeds: readonly (Feed | undefined)[]): number {
    let count = 0;
    for (const feed of feeds) {
      try {
        count += feed?.drain() ?? 0;
      } catch (error) {
        limited(this.#options.log, "drain", 10_000).error({ error }, "records could not be handled");
      }
    }
    return count;
  }

  /**
   * All plugins' metrics as of now. One collection at a time: who asks while one is under way gets the next, for
   * that one may have read already what has changed since.
   */
  collect(): Promise<readonly Metric[]> {
    if (!this.#collecting) return this.#begin();
    this.#next ??= this.#collecting
      .catch(() => {}) // its own callers meet that
      .then(() => {
        this.#next = undefined;
        return this.#begin();
      });
    return this.#next;
  }

  #begin(): Promise<readonly Metric[]> {
    this.#collecting = this.#collect().finally(() => {
      this.#collecting = undefined;
    });
    return this.#collecting;
  }

  async #collect(): Promise<readonly Metric[]> {
    const metrics: Metric[] = [];
    // A reload may end some of them meanwhile, and waits for this.
    const { hosts } = this;
    this.drain();
    try {
      await this.#survey();
    } catch (error) {
      limited(this.#options.log, "survey", 60_000).error({ error }, "connections could not be counted");
    }
    for (const host of hosts) {
      try {
        metrics.push(...(await host.collect(this.clock.bootNow())));
      } catch (error) {
        const log = limited(this.#options.log, `collect ${host.plugin.name}`, 60_000);
        log.error({ error }, `${host.plugin.name} could not be collected from`);
      }
    }
    this.identity.collected();
    return metrics;
  }

  /** Counts the living connections, for the balance; reports the ends that no program was shown and that it finds. */
  async #survey(): Promise<void> {
    const feed = this.#coreFeed;
    if (!feed || this.#detached) return;
    const { unseen } = this.#balance;
    let before = feed.counters();
    await feed.sweep();
    if (this.#surveyed.goneOn > 0) {
      await this.core.mendFound();
      for (const host of this.hosts) await host.seeFoundEnds();
      await this.core.tellFoundEnds();
      this.drain();
      // Those that have ended were alive before.
      before = feed.counters();
      await feed.sweep();
    }
    // What ends unwatched is not unseen.
    if (this.#detached) return;
    this.#balance.take(before, this.#surveyed.living, feed.counters());
    if (this.#balance.unseen === unseen) return;
    if (this.#said === 0) this.#sayUnseen();
    await this.core.dropRowsWithoutSocket(this.#config);
  }

  #sayUnseen(): void {
    const { unseen } = this.#balance;
    if (unseen === this.#said) return;
    this.#said = unseen;
    this.#options.log.warn({ unseen, lost: this.connections.lost.unseen }, sayUnseen(unseen));
  }

  /** To be called before `detach`, so that the balance is that of the moment when the watching ended. */
  async settle(): Promise<void> {
    await this.#collecting?.catch(() => {});
    // What one sweep finds, a second one confirms.
    for (let sweep = 0; sweep < 2; sweep++) await this.#survey();
    this.#sayUnseen();
  }

  /** As of the last collection. */
  get connections(): ConnectionBalance {
    return this.#balance.connections;
  }

  /** Events that this kernel showed to no program, as far as something proves them. */
  get unseen(): number {
    return this.#balance.unseen;
  }

  /** The programs' own accounts, by owner: `connections` is the core. */
  accounts(): Readonly<Record<string, Readonly<Record<string, number>>>> {
    const accounts: Record<string, Readonly<Record<string, number>>> = {};
    if (this.#coreFeed) accounts.connections = this.#coreFeed.counters();
    for (const host of this.hosts) if (host.feed) accounts[host.plugin.name] = host.feed.counters();
    return accounts;
  }

  /** Fill of every ring, bytes. */
  rings(): readonly { readonly owner: string; readonly usage: number; readonly limit: number }[] {
    const owners = [
      ["connections", this.#coreFeed] as const,
      ...this.hosts.map((h) => [h.plugin.name, h.feed] as const),
    ];
    return owners.flatMap(([owner, feed]) =>
      (feed?.rings ?? []).map((ring) => ({ owner, usage: ring.pending, limit: ring.capacity })),
    );
  }

  /** Every loaded program, with its run time where statistics are on. */
  programs(): readonly (ProgramInfo & { readonly owner: string })[] {
    const objects = [
      ["connections", this.core.loaded] as const,
      ...this.hosts.map((h) => [h.plugin.name, h.loaded] as const),
    ];
    return objects.flatMap(([owner, { object }]) =>
      object.programs().map((program) => ({ ...program, owner })),
    );
  }

  /** Ends the watching; what was seen until now can still be collected. Idempotent. */
  detach(): void {
    this.#detached = true;
    detachAll(this.core.loaded.object);
    for (const host of this.hosts) host.detach();
    this.drain();
  }

  /** What is in the rings goes to the sink, nothing stays in the kernel. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.detach();
    this.#running?.reading.close();
    this.clock.close();
    for (const host of this.hosts) host.close();
    this.#coreFeed?.close();
    this.core.loaded.object.close();
    this.#options.native.onMessage(undefined);
  }
}
