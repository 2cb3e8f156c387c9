// The kernel side of the agent: attaches the tracker and the plugins first and alone, so that nothing is missed, then
// passes what they observe to a sink. Tests: test/support/engine.ts, used by every kernel test;
// test/system/reload.kernel.test.ts.
import { skeleton as trackerSkeleton } from "../../bpf/tracker/tracker.skel.ts";
import type { Config } from "../../config/config.ts";
import type { BpfMap } from "../../native/index.ts";
import type { Container } from "../base/container.ts";
import type { BootClock } from "../bridge/clock.ts";
import { requireKernel } from "../bridge/kernel.ts";
import { detachAll, type Loaded } from "../bridge/loader.ts";
import { type AnyHandlers, ObjectReader } from "../bridge/object-reader.ts";
import { Poller } from "../bridge/poller.ts";
import { explained } from "../bridge/refusal.ts";
import type { Identity } from "../identity/identity.ts";
import { netnsBy, type SeenProcess, wantedBy } from "../identity/wanted.ts";
import type { LivingList } from "../plugin/living.ts";
import { rateLimited } from "../plugin/log.ts";
import type { Plugin, RecordHandlers } from "../plugin/plugin.ts";
import type { Metric, Sink } from "../plugin/signals.ts";
import { attachMore, attachPlugins, enabledOf, type FailedPlugin, needsFrom, warnIgnored } from "./attach.ts";
import type { ConnectionBalance } from "./balance.ts";
import { WatchedCgroups } from "./cgroups.ts";
import { Collector } from "./collector.ts";
import { type Correlated, Correlating } from "./correlating.ts";
import type { Correlation } from "./correlation.ts";
import { Reserve } from "./descriptors.ts";
import { Living } from "./living.ts";
import { lossesOf } from "./losses.ts";
import { parts } from "./parts.ts";
import { changesIn, type PluginRunner } from "./plugin-runner.ts";
import type { Owned } from "./readings.ts";
import { RunningPlugins } from "./running-plugins.ts";
import { Tracker } from "./tracker.ts";

export class Engine {
  readonly clock: BootClock;
  readonly tracker: Tracker;
  readonly #container: Container;
  /** The current configuration, from the start or from the last reload. */
  #config: Config;
  /** Whether the filter may let a process pass. */
  #wanted: (task: SeenProcess) => boolean;
  readonly #plugins: RunningPlugins;
  readonly #reserve: Reserve;
  readonly #collector: Collector;
  #first: Promise<readonly Metric[]> = Promise.resolve([]);
  #identity: Identity | undefined;
  #poller: Poller | undefined;
  #trackerReader: ObjectReader | undefined;
  readonly #correlating = new Correlating();
  readonly #living: Living;
  #closed = false;

  private constructor(
    container: Container,
    tracker: Tracker,
    runners: readonly PluginRunner[],
    failed: FailedPlugin[],
    reserve: Reserve,
  ) {
    this.#container = container;
    this.#config = container.resolve(parts.config);
    this.tracker = tracker;
    this.#wanted = this.#wantedBy(this.#config);
    this.#plugins = new RunningPlugins(container, runners, failed, () => this.drain());
    this.#reserve = reserve;
    this.clock = container.resolve(parts.clock);
    this.#living = new Living({
      native: container.resolve(parts.native),
      tracker,
      connections: () => container.resolve(parts.spans),
      config: () => this.#config,
    });
    this.#collector = new Collector({
      log: container.resolve(parts.log),
      runners: () => this.runners,
      reader: () => this.#trackerReader,
      drain: () => this.drain(),
      bootNow: () => this.clock.bootNow(),
      sweep: async () => {
        const swept = this.runners;
        const rows = await tracker.sweep();
        this.#trackerReader?.takeRows(rows, 0);
        // A reload may have started some meanwhile, and waits before it ends others.
        for (const runner of new Set([...swept, ...this.runners])) runner.takeRows(rows);
      },
      survey: async () => this.#trackerReader?.takeRows(await tracker.survey(), 0),
      repairFound: () => tracker.mendFound(),
      reportFound: () => tracker.reportFoundEnds(),
      dropRowsWithoutSocket: () => tracker.dropRowsWithoutSocket(this.#config),
      collected: () => {
        this.correlation?.collect();
        this.#identity?.collected();
      },
    });
  }

  #wantedBy({ filter }: Config): (task: SeenProcess) => boolean {
    const netns = netnsBy((pid) => this.tracker.pids.inProc(pid));
    return wantedBy(filter, this.tracker.names, netns);
  }

  /** What the agent cannot do here, as sentences. */
  get limits(): readonly string[] {
    return this.tracker.pids.limits;
  }

  /** Plugins that can't run here, and why. */
  get failed(): readonly FailedPlugin[] {
    return this.#plugins.failed;
  }

  get runners(): readonly PluginRunner[] {
    return this.#plugins.runners;
  }

  /** Throws an error of the whole agent; a plugin that fails is disabled, unless `strict` is set. */
  static async attach(container: Container): Promise<Engine> {
    // The check needs descriptors, and the programs may use them all.
    container.resolve(parts.hostAttributes);
    const config = container.resolve(parts.config);
    const native = container.resolve(parts.native);
    const log = container.resolve(parts.log);
    requireKernel(native);
    // libbpf reports every relocation, and forwarding all of them would take too long.
    if (config.log.level === "debug") {
      native.onMessage((level, text) => log.debug({ level }, text.trimEnd()));
    }
    const cgroups = new WatchedCgroups();
    const enabled = enabledOf(container.resolve(parts.plugins), config);
    warnIgnored(enabled, config, log);
    const { lockdown } = native.features();
    const reserve = new Reserve();
    let tracker: Tracker | undefined;
    const runners: PluginRunner[] = [];
    try {
      tracker = await Tracker.load(native, config, cgroups, needsFrom(enabled, config));
      const failed = await attachPlugins(enabled, { config, native, tracker }, runners);
      const fatal = failed.find(({ error }) => config.strict || error.code === "CONFIG_INVALID");
      if (fatal) throw fatal.error;
      const attached = tracker;
      await reserve.lend(() => attached.begin(config));
      for (const limit of tracker.pids.limits) log.warn({}, limit);
      container.provide(parts.tracker, () => attached);
      return new Engine(container, attached, runners, failed, reserve);
    } catch (error) {
      for (const runner of runners) runner.close();
      tracker?.loaded.object.close();
      reserve.release();
      throw explained("connections", error, lockdown);
    }
  }

  /**
   * Starts the plugins and passes events to the sink from then on. A plugin that cannot start is among `failed`
   * afterwards.
   */
  run(sink: Sink): void {
    const container = this.#container.provide(parts.sink, () => sink);
    const native = container.resolve(parts.native);
    this.clock.start();
    const spans = container.resolve(parts.spans);
    const identity = container.resolve(parts.identity);
    this.#identity = identity;
    const poller = new Poller({
      native,
      drain: () => this.drain(),
      asleep: this.tracker.asleep,
      interval: this.#config.ring.drainInterval,
    });
    this.#poller = poller;
    const handlers: RecordHandlers<typeof trackerSkeleton> = {
      spans: (record) => spans.take(record),
      survey: (rows) => {
        for (const row of rows) this.#collector.surveyed(row);
      },
      processes: (task) => {
        if (this.#wanted(task)) identity.born(task);
        else identity.postpone(task);
      },
    };
    // A plugin may take what it adds to a span from its own records, which are older than the span's.
    const before = () => this.#drain(this.runners.filter((r) => r.enriches).map(({ reader }) => reader));
    const reader = this.#reserve.lendNow(
      () =>
        new ObjectReader(native, this.tracker.loaded.object, trackerSkeleton, handlers as AnyHandlers, {
          before,
          waiting: identity.waiting,
        }),
    );
    this.#trackerReader = reader;
    this.#plugins.startAll(this.#config, poller);
    identity.connect({
      assign: (image, workload) => this.tracker.assignWorkload(image, workload),
      drain: () => void this.#drain([reader]),
      missedBirths: () => this.tracker.missedBirths(),
      origin: (image) => originOf(this.tracker.loaded.object.map("origins"), image),
      decided: () => void this.drain(),
    });
    for (const task of this.tracker.holders()) identity.born(task);
    poller.add(reader.rings);
    this.#reserve.release();
    this.#correlating.begin({ native, config: this.#config, tracker: this.tracker, log: this.#log }, poller);
    this.#first = this.#collector.mark().catch((error: unknown) => {
      this.#log.warn({ error }, "the first collection failed");
      return [];
    });
  }

  get #log() {
    return this.#container.resolve(parts.log);
  }

  /** Resolves once contexts are read, or the reason why not is known. */
  correlated(): Promise<Correlated> {
    return this.#correlating.settled();
  }

  /** Undefined if contexts are not read, or not yet. */
  get correlation(): Correlation | undefined {
    return this.#correlating.now.correlation;
  }

  /** Spans in applications' traces. */
  get inTraces(): { readonly emitted: number; readonly beyondRate: number } {
    return this.#container.resolve(parts.spans).inTraces;
  }

  /**
   * Applies a new configuration; plugins that it does not affect keep running. Returns what changed, in words; if it
   * throws, nothing has changed.
   */
  async reload(config: Config, plugins: readonly Plugin[]): Promise<readonly string[]> {
    if (!this.#poller) return [];
    const native = this.#container.resolve(parts.native);
    const { tracker } = this;
    const wanted = enabledOf(plugins, config);
    const needs = needsFrom(wanted, config);
    tracker.require(needs);
    await tracker.watchCgroups(config, this.#config);
    warnIgnored(wanted, config, this.#log);
    const isWanted = this.#wantedBy(config);
    const kept = this.runners.filter((r) => wanted.includes(r.plugin) && r.runsAs(config));
    const ending = this.runners.filter((r) => !kept.includes(r));
    const starting = wanted.filter((plugin) => !kept.some((r) => r.plugin === plugin));
    const attaching = { config, native, tracker };
    const correlated = await this.#correlating.prepare({ ...attaching, log: this.#log }, this.#poller);
    let [fresh, failed]: [readonly PluginRunner[], readonly FailedPlugin[]] = [[], []];
    try {
      ({ attached: fresh, failed } = await attachMore(starting, attaching, this.runners, this.failed));
      await tracker.keepTuples(config, needs.tuples);
      this.#plugins.startBeside(fresh, config);
    } catch (error) {
      correlated.discard();
      tracker.configure(this.#config);
      throw error;
    }
    tracker.configure(config);
    this.#container.resolve(parts.spans).configure(config);
    correlated.apply();
    this.#wanted = isWanted;
    for (const runner of ending) runner.detach();
    tracker.emitLast();
    this.#plugins.replace([...kept, ...fresh], failed);
    // A running collection still reads from those that end.
    await this.#collector.idle();
    if (ending.length > 0) this.#identity?.stopWaiting();
    for (const runner of ending) await this.#plugins.end(runner);
    this.#config = config;
    const refused = failed.map(({ name, error }) => `${name}: still fails: ${error.message}`);
    return [...changesIn(ending, fresh), ...correlated.said, ...refused];
  }

  /** The currently open connections. Throws what the kernel refuses. */
  living(): Promise<LivingList> {
    return this.#living.list();
  }

  /** Excludes the connections of the page at this port, like those of the agent itself (`self.exclude`). */
  excludePage(port: number): void {
    if (this.#closed) return;
    this.tracker.pagePort = port;
    this.tracker.configure(this.#config);
  }

  /** Passes the records in the rings to the sink; returns their number. */
  drain(): number {
    const own = [this.#trackerReader, this.correlation?.reader];
    return this.#drain([...own, ...this.runners.map(({ reader }) => reader)]);
  }

  #drain(readers: readonly (ObjectReader | undefined)[]): number {
    let count = 0;
    for (const reader of readers) {
      try {
        count += reader?.drain() ?? 0;
      } catch (error) {
        rateLimited(this.#log, "drain", 10_000).error({ error }, "record handler failed");
      }
    }
    return count;
  }

  /** The metrics at the start, without exemplars; nothing has been counted yet. */
  get first(): Promise<readonly Metric[]> {
    return this.#first;
  }

  /** All plugins' current metrics; one collection at a time. */
  collect(): Promise<readonly Metric[]> {
    return this.#collector.collect();
  }

  /** Must be called before `detach`, so that the balance is that of the moment when observation ended. */
  settle(): Promise<void> {
    return this.#collector.settle();
  }

  /** As of the last collection. */
  get connections(): ConnectionBalance {
    return this.#collector.connections;
  }

  /** Events that this kernel did not show to any program, as far as later events prove them. */
  get unseen(): number {
    return this.#collector.unseen;
  }

  /** The readers of the programs' maps, by owner: `connections` is the tracker. */
  get readers(): readonly Owned<ObjectReader>[] {
    const plugins = this.runners.map(({ plugin, reader }) => [plugin.name, reader] as const);
    return [["connections", this.#trackerReader] as const, ...plugins].flatMap(([owner, reader]) =>
      reader ? [[owner, reader] as const] : [],
    );
  }

  /** What the programs have lost, each in words. */
  get losses(): readonly string[] {
    const tracker = this.#trackerReader?.counters() ?? {};
    return [
      ...lossesOf("connections", tracker, trackerSkeleton.records),
      ...this.runners.flatMap(({ plugin: { name, skeleton }, reader }) =>
        lossesOf(name, reader?.counters() ?? {}, skeleton.records),
      ),
    ];
  }

  get objects(): readonly Owned<Loaded>[] {
    return [
      ["connections", this.tracker.loaded],
      ...(this.correlation ? [["correlation", this.correlation.loaded] as const] : []),
      ...this.runners.map(({ plugin, loaded }) => [plugin.name, loaded] as const),
    ];
  }

  /** Stops observing; what was seen until now can still be collected. Idempotent. */
  detach(): void {
    this.#collector.detach();
    this.#correlating.detach();
    detachAll(this.tracker.loaded.object);
    for (const runner of this.runners) runner.detach();
    this.drain();
    this.#identity?.stopWaiting();
  }

  /** Passes the records in the rings to the sink; nothing stays in the kernel. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.detach();
    this.#poller?.close();
    this.clock.close();
    for (const runner of this.runners) runner.close();
    this.correlation?.close();
    this.#living.close();
    this.#trackerReader?.close();
    this.tracker.loaded.object.close();
    this.#container.resolve(parts.native).onMessage(undefined);
  }
}

/** The key for the sums of what an image was forked from, if it has not called exec() since. */
function originOf(origins: BpfMap, image: number): number | undefined {
  const value = new Uint32Array(1);
  const key = new Uint8Array(Uint32Array.of(image).buffer);
  return origins.lookUp(key, new Uint8Array(value.buffer)) ? value[0] : undefined;
}
