// One plugin's life: load its object, let it start, feed it, collect from it, end it.
import { join } from "node:path";
import type { DependencyContainer } from "tsyringe";
import type { Config, PluginConfig } from "../../config/config.ts";
import type { Native } from "../../native/index.ts";
import { bindValue, resolve } from "../base/container.ts";
import { FilteredInterfaces } from "../bridge/interfaces.ts";
import { detachAll, type Hook, type Loaded, loadObject } from "../bridge/loader.ts";
import { Feed } from "../bridge/ring-reader.ts";
import type { Images } from "../bridge/workload-rows.ts";
import { activeProbes, type Plugin } from "../plugin/plugin.ts";
import { services } from "../plugin/services.ts";
import type { Metric, Signals } from "../plugin/signals.ts";
import type { ConnectionSpans } from "./connection-spans.ts";
import { PLUGINS } from "./discover.ts";
import { netnsFilter, packFilter, packNetns, pinnedMaps } from "./filter.ts";
import { createEmission, type Emission, type EmissionOptions } from "./instruments.ts";
import type { CoreProgram } from "./tracker.ts";

export interface HostOptions {
  readonly plugin: Plugin;
  /** The plugin's bit in the wanted_* masks. */
  readonly bit: number;
  readonly config: Config;
  readonly native: Native;
  readonly core: CoreProgram;
  /** The plugin as it ran until now, which ends when this one has started. */
  readonly before?: PluginHost | undefined;
}

/** Of STATE_PROGRAM (bpf/include/wirespan/chain.h). */
function rareIn({ skeleton }: Plugin): readonly string[] {
  return Object.keys(skeleton.programs).filter((program) => program.endsWith("_found"));
}

export class PluginHost {
  readonly plugin: Plugin;
  readonly hooks: readonly Hook[];
  readonly #options: HostOptions;
  readonly #passesNetns: (netns: number) => boolean;
  readonly loaded: Loaded;
  /** As it was loaded with; of some plugins only. */
  readonly #cgroups: string;
  #feed: Feed | undefined;
  #enriches = false;
  #emission: Emission<Signals> | undefined;

  private constructor(options: HostOptions, loaded: Loaded, passesNetns: (netns: number) => boolean) {
    this.#options = options;
    this.#passesNetns = passesNetns;
    this.plugin = options.plugin;
    this.loaded = loaded;
    this.hooks = loaded.hooks;
    this.#cgroups = JSON.stringify(options.core.watchedCgroups);
  }

  /** Loads and attaches; what the programs give waits in the kernel until `start`. */
  static async attach(options: HostOptions): Promise<PluginHost> {
    const { plugin, bit, config, native, core, before } = options;
    const own = config.plugins[plugin.name] as PluginConfig;
    const at = `plugins.${plugin.name}.filter`;
    const { records } = plugin.skeleton;
    const kept = before ? (plugin.skeleton.kept ?? []) : [];
    const rings = Object.keys(records).filter((name) => records[name]!.kind === "ring");
    const loaded = await loadObject(native, {
      name: plugin.name,
      path: join(PLUGINS, plugin.name, `${plugin.name}.bpf.o`),
      skeleton: plugin.skeleton,
      probes: activeProbes(plugin, own.settings),
      constants: {
        ...core.ids,
        plugin_bit: bit,
        loaded_at: native.bootNow(),
        agent_filter: packFilter("filter", config.filter, core.names),
        plugin_filter: packFilter(at, own.filter, core.names),
        agent_netns: packNetns(config.filter, core.names),
        plugin_netns: packNetns(own.filter, core.names),
        watched_cgroups: core.watchedCgroups,
        ...plugin.constants?.(own.settings as never),
      },
      ...(plugin.inputs && { inputs: plugin.inputs(own.settings as never) }),
      ...(plugin.skeleton.constants.agent_filter && { pinned: pinnedMaps(config.filter, own.filter) }),
      chains: core.chains,
      rare: rareIn(plugin),
      reuse: {
        ...core.shared(plugin),
        ...Object.fromEntries(kept.map((name) => [name, before!.loaded.object.map(name)])),
      },
      maxEntries: {
        ...Object.fromEntries(rings.map((name) => [name, own.ring.bytes])),
        ...plugin.sizes?.(own.settings as never),
      },
    });
    const passes = netnsFilter([config.filter, own.filter], core.names);
    return new PluginHost({ ...options, before: undefined }, loaded, passes);
  }

  /** From here on the plugin's signals reach the sink. */
  start(
    container: DependencyContainer,
    spans: ConnectionSpans,
    images: Images,
    emission: EmissionOptions,
  ): void {
    const { plugin, bit, config, native } = this.#options;
    const child = container.createChildContainer();
    bindValue(child, services.connections, spans);
    bindValue(child, services.interfaces, new FilteredInterfaces(native, this.#passesNetns));
    const uses = Object.entries(plugin.uses ?? {});
    const use = Object.fromEntries(uses.map(([key, token]) => [key, resolve(child, token)]));
    this.#emission = createEmission(plugin.signals, emission);
    const settings = config.plugins[plugin.name]!.settings;
    const handlers = plugin.start({ config: settings, emit: this.#emission.emit, use } as never);
    spans.request(bit, plugin.spans ?? {}, handlers.enrich);
    this.#enriches = handlers.enrich !== undefined;
    this.#feed = new Feed(native, this.loaded.object, plugin.skeleton, handlers as never, { images });
  }

  get bit(): number {
    return this.#options.bit;
  }

  /** Whether a configuration leaves everything as it is for this plugin. */
  runsAs(config: Config): boolean {
    const { agent_filter, agent_netns, watched_cgroups } = this.plugin.skeleton.constants;
    if (watched_cgroups && this.#cgroups !== JSON.stringify(this.#options.core.watchedCgroups)) return false;
    const filters = agent_filter !== undefined || agent_netns !== undefined;
    const relevant = ({ plugins, filter, metrics }: Config) =>
      JSON.stringify([plugins[this.plugin.name], filters && filter, metrics.maxSeries]);
    return relevant(config) === relevant(this.#options.config);
  }

  /** Ends the watching; what was seen until now can still be collected. */
  detach(): void {
    for (const chain of this.#options.core.chains) chain.leave(this.loaded.object);
    detachAll(this.loaded.object);
  }

  get feed(): Feed | undefined {
    return this.#feed;
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

  /** Metrics as of now (nanoseconds since boot); sweeps first, so that living sockets count. */
  async collect(nowNs: number): Promise<readonly Metric[]> {
    await this.#feed?.sweep();
    this.#feed?.drain();
    this.#feed?.readTables();
    return this.#emission?.collect(nowNs) ?? [];
  }

  close(): void {
    for (const chain of this.#options.core.chains) chain.leave(this.loaded.object);
    this.#feed?.close();
    this.loaded.object.close();
  }
}
