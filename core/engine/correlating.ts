// Starts and stops reading trace contexts. It starts last, because these programs take the verifier longer than everything
// else, and nothing waits for them. Tests: core/engine/correlation.kernel.test.ts.
import type { Config } from "../../config/config.ts";
import type { Poller } from "../bridge/poller.ts";
import { explained } from "../bridge/refusal.ts";
import type { WirespanError } from "../plugin/errors.ts";
import { Correlation, type CorrelationOptions } from "./correlation.ts";

/** Both undefined if contexts are not to be read. */
export interface Correlated {
  readonly correlation?: Correlation;
  /** Why contexts are not read. */
  readonly error?: WirespanError;
}

/** A new configuration's programs, already loaded. */
export interface Change {
  /** The change in words. */
  readonly said: readonly string[];
  apply(): void;
  /** Instead of `apply`: keeps everything unchanged. */
  discard(): void;
}

const NO_CHANGE: Change = { said: [], apply: () => {}, discard: () => {} };

/** The inputs of the programs. */
function settingsOf({ filter, correlate: { rate: _, ...correlate } }: Config): string {
  return JSON.stringify([filter, correlate]);
}

/** Called with the rings to drain. */
type Rings = Pick<Poller, "add" | "remove">;

export class Correlating {
  #now: Correlated = {};
  /** The state of the running programs, or of those that could not be loaded. */
  #settings = "";
  #settled: Promise<void> = Promise.resolve();
  #detached = false;

  begin(options: CorrelationOptions, poller: Rings): void {
    this.#settings = settingsOf(options.config);
    if (options.config.correlate.enabled) this.#settled = this.#load(options, poller);
  }

  async #load(options: CorrelationOptions, poller: Rings): Promise<void> {
    const { native, log } = options;
    try {
      const correlation = await Correlation.load(options);
      if (this.#detached) return correlation.close();
      this.#now = { correlation };
      poller.add(correlation.reader.rings);
      log.debug({ hooks: correlation.hooks.map(({ at }) => at) }, "trace contexts are read");
    } catch (cause) {
      // What it needed no longer exists.
      if (this.#detached) return;
      const error = explained("correlation", cause, native.features().lockdown);
      this.#now = { error };
      log.error({ code: error.code }, `trace contexts are not read: ${error.message}`);
    }
  }

  /** Loads what a new configuration requires, while the old programs run. Throws what the kernel refuses. */
  async prepare(options: CorrelationOptions, poller: Rings): Promise<Change> {
    await this.#settled;
    const settings = settingsOf(options.config);
    const before = this.#now.correlation;
    const { enabled } = options.config.correlate;
    if (settings === this.#settings || !(enabled || before)) return NO_CHANGE;
    const next = enabled ? await Correlation.load(options, before) : undefined;
    return {
      said: [`correlation: ${next ? (before ? "restarted" : "started") : "stopped"}`],
      apply: () => {
        poller.remove(before?.reader.rings ?? []);
        if (before) next ? next.replace(before) : before.close();
        poller.add(next?.reader.rings ?? []);
        this.#now = next ? { correlation: next } : {};
        this.#settings = settings;
      },
      discard: () => next?.close(),
    };
  }

  get now(): Correlated {
    return this.#now;
  }

  /** Resolves once contexts are read, or the reason why not is known. */
  async settled(): Promise<Correlated> {
    await this.#settled;
    return this.#now;
  }

  /** Stops observing; counts can still be collected. */
  detach(): void {
    this.#detached = true;
    this.#now.correlation?.detach();
  }
}
