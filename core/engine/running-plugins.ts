// The plugins of an engine: which run, and which could not be started. Tests: test/system/reload.kernel.test.ts,
// core/engine/missing-hooks.kernel.test.ts.
import type { Config } from "../../config/config.ts";
import type { Container } from "../base/container.ts";
import { VERSION } from "../base/version.ts";
import type { Poller } from "../bridge/poller.ts";
import { explained } from "../bridge/refusal.ts";
import type { FailedPlugin } from "./attach.ts";
import { parts } from "./parts.ts";
import type { PluginRunner } from "./plugin-runner.ts";

export class RunningPlugins {
  readonly #container: Container;
  readonly #drain: () => number;
  #runners: readonly PluginRunner[];
  #failed: readonly FailedPlugin[];
  #poller: Poller | undefined;

  /** `runners` are attached. `drain`: passes on the records in the rings. */
  constructor(
    container: Container,
    runners: readonly PluginRunner[],
    failed: readonly FailedPlugin[],
    drain: () => number,
  ) {
    this.#container = container;
    this.#runners = runners;
    this.#failed = failed;
    this.#drain = drain;
  }

  get runners(): readonly PluginRunner[] {
    return this.#runners;
  }

  /** Plugins that cannot run here, and why. */
  get failed(): readonly FailedPlugin[] {
    return this.#failed;
  }

  /** Starts all plugins. One that cannot start is among `failed` afterwards; with `strict` its error is thrown. */
  startAll(config: Config, poller: Poller): void {
    this.#poller = poller;
    const started: PluginRunner[] = [];
    for (const runner of this.#runners) {
      try {
        this.#start(runner, config);
        started.push(runner);
      } catch (cause) {
        const { name } = runner.plugin;
        const { lockdown } = this.#container.resolve(parts.native).features();
        const error = explained(name, cause, lockdown);
        if (config.strict) throw error;
        this.#discard(runner);
        this.#failed = [...this.#failed, { name, error }];
      }
    }
    this.#runners = started;
  }

  /** Starts additional plugins, which are attached; if one cannot start, none of them is kept. */
  startBeside(runners: readonly PluginRunner[], config: Config): void {
    try {
      for (const runner of runners) this.#start(runner, config);
    } catch (error) {
      for (const runner of runners) this.#discard(runner);
      throw error;
    }
  }

  replace(runners: readonly PluginRunner[], failed: readonly FailedPlugin[]): void {
    this.#runners = runners;
    this.#failed = failed;
  }

  /** Ends a plugin that was detached: what it counted until then is not lost. */
  async end(runner: PluginRunner): Promise<void> {
    await runner.sweepAlone();
    const clock = this.#container.resolve(parts.clock);
    this.#container.resolve(parts.sink).metrics(runner.collect(() => clock.bootNow(), this.#drain));
    this.#drain();
    this.#discard(runner);
  }

  #start(runner: PluginRunner, config: Config): void {
    const clock = this.#container.resolve(parts.clock);
    runner.start(this.#container, {
      scope: { name: `wirespan.${runner.plugin.name}`, version: VERSION },
      sink: this.#container.resolve(parts.sink),
      host: this.#container.resolve(parts.hostResource),
      clock,
      startNs: clock.bootNow(),
      maxSeries: config.metrics.maxSeries,
    });
    this.#poller?.add(runner.reader?.rings ?? []);
  }

  #discard(runner: PluginRunner): void {
    runner.detach();
    this.#container.resolve(parts.spans).withdraw(runner.bit);
    this.#poller?.remove(runner.reader?.rings ?? []);
    runner.close();
  }
}
