// The kernel side of the agent: attaches the core's program and the plugins', then feeds what they see to
// a sink. Attaching comes first and alone, so that nothing is missed while the rest is still loading.
import type { DependencyContainer } from "tsyringe";
import { bpf as coreBpf } from "../bpf/conn.gen.ts";
import type { Config } from "../config/config.ts";
import type { Native, ProgramInfo, Waker } from "../native/index.ts";
import { WatchedCgroups } from "./cgroups.ts";
import { Clock } from "./clock.ts";
import { ConnectionSpans } from "./connections.ts";
import { bindValue, createContainer } from "./container.ts";
import { CoreProgram } from "./core-program.ts";
import type { WirespanError } from "./errors.ts";
import { Feed } from "./feed.ts";
import { PluginHost } from "./host.ts";
import { type HostAttributes, hostAttributes } from "./identity/host.ts";
import { Identity } from "./identity/identity.ts";
import { Proc } from "./identity/proc.ts";
import { createKernel, requireKernel } from "./kernel.ts";
import { type Log, limited } from "./log.ts";
import { activeProbes, type Plugin } from "./plugin.ts";
import { services } from "./services.ts";
import type { Metric, Resource, Sink } from "./signals.ts";
import { VERSION } from "./version.ts";

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

function hooksOf(plugins: readonly Plugin[], config: Config): ReadonlySet<string> {
  return new Set(
    plugins.flatMap((plugin) =>
      Object.values(activeProbes(plugin, config.plugins[plugin.name]!.settings))
        .flatMap(({ programs }) => programs)
        .map((p) => plugin.bpf.programs[typeof p === "string" ? p : p.program] ?? ""),
    ),
  );
}

export class Engine {
  readonly hosts: readonly PluginHost[];
  /** Plugins that can't run here, and why. */
  readonly failed: readonly FailedPlugin[];
  readonly clock: Clock;
  readonly identity: Identity;
  readonly core: CoreProgram;
  readonly #options: EngineOptions;
  readonly #host: Resource;
  #spans: ConnectionSpans | undefined;
  #coreFeed: Feed | undefined;
  #waker: Waker | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #collecting: Promise<readonly Metric[]> | undefined;

  private constructor(
    options: EngineOptions,
    core: CoreProgram,
    hosts: readonly PluginHost[],
    failed: readonly FailedPlugin[],
  ) {
    this.#options = options;
    this.core = core;
    this.hosts = hosts;
    this.failed = failed;
    this.clock = new Clock(options.native);
    const attributes: HostAttributes = { ...hostAttributes(), ...options.config.resource.attributes };
    const debug = (message: string) => options.log.debug({}, message);
    this.identity = new Identity(new Proc(), attributes, { debug });
    // The host as a thing that has telemetry of its own: softirqs and interfaces belong to no workload.
    this.#host = { attributes: { ...attributes, "service.name": "host" } };
  }

  /** Throws what concerns the whole agent; a plugin that fails is left out, unless `strict` is set. */
  static async attach(options: EngineOptions): Promise<Engine> {
    const { config, native, log } = options;
    requireKernel(native);
    native.onMessage((level, text) => log.debug({ level }, text.trimEnd()));
    const cgroups = new WatchedCgroups();
    const enabled = options.plugins.filter((plugin) => config.plugins[plugin.name]?.enabled);
    const core = await CoreProgram.load(native, config, cgroups, hooksOf(enabled, config));
    const failed: FailedPlugin[] = [];
    const attached = await Promise.all(
      enabled.map((plugin, i) =>
        PluginHost.attach({ plugin, bit: 1 << i, config, native, core }).catch((error: WirespanError) => {
          failed.push({ name: plugin.name, error });
        }),
      ),
    );
    const hosts = attached.filter((host) => host !== undefined);
    const [first] = failed;
    if (first && (config.strict || first.error.code === "CONFIG_INVALID")) {
      for (const host of hosts) host.close();
      core.loaded.object.close();
      throw first.error;
    }
    await core.begin(config);
    return new Engine(options, core, hosts, failed);
  }

  /** Starts the plugins and feeds the sink from then on. */
  run(sink: Sink): void {
    const { config, native, log } = this.#options;
    this.clock.start();
    const start = this.clock.now();
    const spans = new ConnectionSpans(sink, this.clock, this.identity, {
      scope: { name: "wirespan.connections", version: VERSION },
      host: this.#host,
      peers: config.connections.peers,
      kind: config.spans.kind,
    });
    this.#spans = spans;
    const container = this.#container();
    for (const host of this.hosts) {
      const scope = { name: `wirespan.${host.plugin.name}`, version: VERSION };
      const maxSeries = config.metrics.maxSeries;
      host.start(container, spans, { scope, sink, host: this.#host, start, maxSeries });
    }
    this.#coreFeed = new Feed(native, this.core.loaded.object, coreBpf, {
      spans: (record: never) => spans.take(record),
      processes: (task: { pid: number; startedAt: number; comm: string; exe: string; cgroupId: number }) =>
        this.identity.born({
          pid: task.pid,
          startedNs: task.startedAt,
          comm: task.comm,
          exe: task.exe,
          cgroupId: task.cgroupId,
        }),
    });
    this.#waker = native.createWaker(() => this.drain());
    for (const feed of this.#feeds()) for (const ring of feed.rings) this.#waker.add(ring);
    this.#timer = setInterval(() => this.drain(), config.ring.drainInterval);
    // The first sweep sets the mark from which living connections' bytes count.
    this.collect().catch((error: unknown) => log.warn({ error }, "the first collection failed"));
  }

  #container(): DependencyContainer {
    const container = createContainer();
    bindValue(container, services.clock, this.clock);
    bindValue(container, services.identity, this.identity);
    bindValue(container, services.kernel, createKernel(this.#options.native));
    bindValue(container, services.log, this.#options.log);
    return container;
  }

  *#feeds(): Generator<Feed> {
    if (this.#coreFeed) yield this.#coreFeed;
    for (const { feed } of this.hosts) if (feed) yield feed;
  }

  /** Hands what waits in the rings to the sink. */
  drain(): void {
    for (const feed of this.#feeds()) {
      try {
        feed.drain();
      } catch (error) {
        limited(this.#options.log, "drain", 10_000).error({ error }, "records could not be handled");
      }
    }
  }

  /** All plugins' metrics as of now. One collection at a time: a second caller gets the one under way. */
  collect(): Promise<readonly Metric[]> {
    this.#collecting ??= this.#collect().finally(() => {
      this.#collecting = undefined;
    });
    return this.#collecting;
  }

  async #collect(): Promise<readonly Metric[]> {
    const metrics: Metric[] = [];
    for (const host of this.hosts) {
      try {
        metrics.push(...(await host.collect(this.clock.now())));
      } catch (error) {
        const log = limited(this.#options.log, `collect ${host.plugin.name}`, 60_000);
        log.error({ error }, `${host.plugin.name} could not be collected from`);
      }
    }
    return metrics;
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

  get host(): Resource {
    return this.#host;
  }

  get spansSeen(): number {
    return this.#spans?.seen ?? 0;
  }

  /** Ends the watching: what is in the rings goes to the sink, nothing stays in the kernel. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    for (const { object, hooks } of [this.core.loaded, ...this.hosts.map((h) => h.loaded)]) {
      for (const { program } of hooks) if (program) object.detach(program);
    }
    this.drain();
    this.#waker?.close();
    this.clock.close();
    for (const host of this.hosts) host.close();
    this.#coreFeed?.close();
    this.core.loaded.object.close();
    this.#options.native.onMessage(undefined);
  }
}
