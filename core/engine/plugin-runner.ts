// One plugin's life cycle: load its object, start it, feed it, collect from it, stop it.
import { join } from "node:path";
import type { Config } from "../../config/config.ts";
import type { Native } from "../../native/index.ts";
import type { Container } from "../base/container.ts";
import { FilteredInterfaces } from "../bridge/interfaces.ts";
import { detachAll, type Hook, type Loaded, loadObject } from "../bridge/loader.ts";
import { type AnyHandlers, ObjectReader } from "../bridge/object-reader.ts";
import type { Identity } from "../identity/identity.ts";
import { named } from "../plugin/log.ts";
import { activeProbes, type Plugin, type PluginContext, type Uses } from "../plugin/plugin.ts";
import { services } from "../plugin/services.ts";
import type { Settings, SettingsOf } from "../plugin/settings.ts";
import type { Metric, Signals } from "../plugin/signals.ts";
import { PLUGINS } from "./discover.ts";
import { LargestValues } from "./exemplars.ts";
import { netnsFilter, packFilter, packNetns, pinnedMaps } from "./filter.ts";
import { createInstruments, type InstrumentOptions, type Instruments } from "./instruments.ts";
import { own, parts } from "./parts.ts";
import type { Tracker } from "./tracker.ts";

export interface RunnerOptions {
  readonly plugin: Plugin;
  /** The plugin's bit in the wanted_* masks. */
  readonly bit: number;
  readonly config: Config;
  readonly native: Native;
  readonly tracker: Tracker;
  /** The plugin's previous instance, which ends when this one has started. */
  readonly before?: PluginRunner | undefined;
}

/** The program of STATE_PROGRAM (bpf/include/wirespan/chain.h). */
function rareIn({ skeleton }: Plugin): readonly string[] {
  return Object.keys(skeleton.programs).filter((program) => program.endsWith("_found"));
}

function settingsOf({ plugin, config }: RunnerOptions): SettingsOf<Settings> {
  return config.plugins[plugin.name]!.settings;
}

/** The program of SWEEP_PROGRAM (bpf/include/wirespan/sweep.h). */
const SWEEP = "sweep";

export class PluginRunner {
  readonly plugin: Plugin;
  readonly hooks: readonly Hook[];
  readonly #options: RunnerOptions;
  readonly #passesNetns: (netns: number) => boolean;
  readonly loaded: Loaded;
  /** As it was loaded; for some plugins only. */
  readonly #cgroups: string;
  #reader: ObjectReader | undefined;
  #enriches = false;
  #instruments: Instruments<Signals> | undefined;
  #exemplars: LargestValues | undefined;
  #identity: Identity | undefined;

  private constructor(options: RunnerOptions, loaded: Loaded, passesNetns: (netns: number) => boolean) {
    this.#options = options;
    this.#passesNetns = passesNetns;
    this.plugin = options.plugin;
    this.loaded = loaded;
    this.hooks = loaded.hooks;
    this.#cgroups = JSON.stringify(options.tracker.watchedCgroups);
  }

  /** Loads and attaches; what the programs report stays in the kernel until `start`. */
  static async attach(options: RunnerOptions): Promise<PluginRunner> {
    const { plugin, bit, config, native, tracker, before } = options;
    const { filter, ring } = config.plugins[plugin.name]!;
    const settings = settingsOf(options);
    const at = `plugins.${plugin.name}.filter`;
    const { records } = plugin.skeleton;
    const rings = Object.keys(records).filter((name) => records[name]!.kind === "ring");
    const loaded = await loadObject(native, {
      name: plugin.name,
      path: join(PLUGINS, plugin.name, `${plugin.name}.bpf.o`),
      skeleton: plugin.skeleton,
      probes: activeProbes(plugin, settings),
      constants: {
        ...tracker.ids,
        plugin_bit: bit,
        loaded_at: native.bootNow(),
        ...(plugin.skeleton.constants.io_slot && tracker.ioMarks.of(plugin.name, before !== undefined)),
        agent_filter: packFilter("filter", config.filter, tracker.names),
        plugin_filter: packFilter(at, filter, tracker.names),
        agent_netns: packNetns(config.filter, tracker.names),
        plugin_netns: packNetns(filter, tracker.names),
        watched_cgroups: tracker.watchedCgroups,
        ...plugin.constants?.(settings),
      },
      ...(plugin.inputs && { inputs: plugin.inputs(settings) }),
      ...(plugin.skeleton.constants.agent_filter && { pinned: pinnedMaps(config.filter, filter) }),
      chains: tracker.chains,
      rare: rareIn(plugin),
      reuse: tracker.shared(plugin),
      maxEntries: {
        ...Object.fromEntries(rings.map((name) => [name, ring.bytes])),
        ...plugin.sizes?.(settings),
      },
    });
    const passes = netnsFilter([config.filter, filter], tracker.names);
    return new PluginRunner({ ...options, before: undefined }, loaded, passes);
  }

  /** From here on the plugin's signals reach the sink. `agent`: the services that plugins may use. */
  start(agent: Container, instruments: InstrumentOptions): void {
    const { plugin, bit, native, tracker } = this.#options;
    this.#instruments = createInstruments(plugin.signals, instruments);
    const { emit } = this.#instruments;
    const clock = agent.resolve(services.clock);
    const exemplars = new LargestValues(clock, clock.bootNow());
    this.#exemplars = exemplars;
    const container = agent
      .child()
      .provide(own.settings, () => settingsOf(this.#options))
      .provide(own.emit, () => emit)
      .provide(services.log, (from) => named(from.resolve(parts.log), plugin.name))
      .provide(services.exemplars, () => exemplars)
      .provide(services.interfaces, () => new FilteredInterfaces(native, this.#passesNetns));
    const use = Object.entries(plugin.uses ?? {}).map(([key, token]) => [key, container.resolve(token)]);
    const context: PluginContext<SettingsOf<Settings>, Signals, Uses> = {
      config: container.resolve(own.settings),
      emit: container.resolve(own.emit),
      use: Object.fromEntries(use),
    };
    const handlers = plugin.start(context);
    const { enrich } = handlers;
    const exemplify = this.#sendsTraces ? handlers.exemplify : undefined;
    container.resolve(parts.spans).request(bit, { spans: plugin.spans ?? {}, enrich, exemplify });
    this.#enriches = handlers.enrich !== undefined;
    const identity = container.resolve(parts.identity);
    this.#identity = identity;
    this.#reader = new ObjectReader(native, this.loaded.object, plugin.skeleton, handlers as AnyHandlers, {
      images: identity,
      waiting: identity.waiting,
    });
    const wants = plugin.skeleton.links?.[SWEEP];
    if (wants) tracker.sweeps.join(this.loaded.object, SWEEP, wants);
  }

  /** Whether a backend receives traces, so that an exemplar's trace can be looked up. */
  get #sendsTraces(): boolean {
    const exporters = Object.values(this.#options.config.exporters);
    return exporters.some(({ type, signals }) => type !== "console" && signals.includes("traces"));
  }

  get bit(): number {
    return this.#options.bit;
  }

  /** Whether a configuration changes nothing for this plugin. */
  runsAs(config: Config): boolean {
    const { agent_filter, agent_netns, watched_cgroups } = this.plugin.skeleton.constants;
    if (watched_cgroups && this.#cgroups !== JSON.stringify(this.#options.tracker.watchedCgroups))
      return false;
    const filters = agent_filter !== undefined || agent_netns !== undefined;
    const relevant = ({ plugins, filter, metrics }: Config) =>
      JSON.stringify([plugins[this.plugin.name], filters && filter, metrics.maxSeries]);
    return relevant(config) === relevant(this.#options.config);
  }

  /** Stops observing; what was seen until now can still be collected. */
  detach(): void {
    for (const chain of this.#options.tracker.chains) chain.leave(this.loaded.object);
    detachAll(this.loaded.object);
  }

  get reader(): ObjectReader | undefined {
    return this.#reader;
  }

  /** Whether it adds attributes that may come from its own records. */
  get enriches(): boolean {
    return this.#enriches;
  }

  /** Lets the plugin's programs see the ends that a sweep has found: bpf/include/wirespan/chain.h. */
  async seeFoundEnds(): Promise<void> {
    const programs = rareIn(this.plugin);
    if (programs.length > 0) await this.loaded.runRare(programs);
  }

  /** Reads what a sweep over the open sockets has written for this plugin. */
  takeRows(rows: Uint8Array): void {
    this.#reader?.takeRows(rows, this.bit);
  }

  /** Leaves the common sweep, and adds open sockets' traffic to the sums for the last time. No sweep may be running. */
  async sweepAlone(): Promise<void> {
    this.#options.tracker.sweeps.leave(this.loaded.object);
    if (this.plugin.skeleton.links?.[SWEEP]) this.takeRows(await this.loaded.object.iterate(SWEEP, "conns"));
  }

  /**
   * Current metrics (`now`: nanoseconds since boot), after a sweep, so that open sockets count. `drain`: passes on the
   * sent spans whose values the tables have counted. `isExported`: the metrics leave with their exemplars.
   */
  collect(bootNow: () => number, drain: () => void, isExported = true): readonly Metric[] {
    const nowNs = bootNow();
    drain();
    this.#reader?.drain();
    this.#reader?.readTables();
    if (isExported) this.#exemplars?.next(nowNs);
    return this.#instruments?.collect(nowNs, !this.#identity?.isWaiting) ?? [];
  }

  close(): void {
    const { chains, sweeps } = this.#options.tracker;
    for (const chain of [...chains, sweeps]) chain.leave(this.loaded.object);
    this.#reader?.close();
    this.loaded.object.close();
  }
}

/** What a reload has changed, in words. */
export function changesIn(
  ending: readonly PluginRunner[],
  fresh: readonly PluginRunner[],
): readonly string[] {
  const [before, after] = [ending, fresh].map((runners) => new Set(runners.map(({ plugin }) => plugin.name)));
  return [
    ...[...before!].filter((name) => !after!.has(name)).map((name) => `${name}: stopped`),
    ...[...after!].map((name) => `${name}: ${before!.has(name) ? "restarted" : "started"}`),
  ];
}
