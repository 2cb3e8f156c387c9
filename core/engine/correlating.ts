// When trace contexts begin and cease to be read: they begin last of all, because that takes the verifier longer than
// all else, and nothing waits for it. Tests: core/engine/correlation.kernel.test.ts.
import type { Config } from "../../config/config.ts";
import type { Native, Ring } from "../../native/index.ts";
import { explained } from "../bridge/refusal.ts";
import type { WirespanError } from "../plugin/errors.ts";
import type { Log } from "../plugin/log.ts";
import { Correlation } from "./correlation.ts";
import type { Tracker } from "./tracker.ts";

/** Neither, if contexts are not to be read. */
export interface Correlated {
  readonly correlation?: Correlation;
  /** Why contexts are not read. */
  readonly error?: WirespanError;
}

type Poll = (rings: readonly Ring[]) => void;

export class Correlating {
  #now: Correlated = {};
  #settled: Promise<void> = Promise.resolve();
  #detached = false;

  /** `poll` is given the rings that are to be drained. */
  begin(native: Native, config: Config, tracker: Tracker, log: Log, poll: Poll): void {
    if (config.correlate.enabled) this.#settled = this.#load(native, config, tracker, log, poll);
  }

  async #load(native: Native, config: Config, tracker: Tracker, log: Log, poll: Poll): Promise<void> {
    try {
      const correlation = await Correlation.load(native, config, tracker, log);
      if (this.#detached) return correlation.close();
      this.#now = { correlation };
      poll(correlation.reader.rings);
      log.debug({ hooks: correlation.hooks.map(({ at }) => at) }, "trace contexts are read");
    } catch (cause) {
      // What it needed is gone.
      if (this.#detached) return;
      const error = explained("correlation", cause, native.features().lockdown);
      this.#now = { error };
      log.error({ code: error.code }, `trace contexts are not read: ${error.message}`);
    }
  }

  get now(): Correlated {
    return this.#now;
  }

  /** Resolves once contexts are read, or it is known why not. */
  async settled(): Promise<Correlated> {
    await this.#settled;
    return this.#now;
  }

  /** Ends the watching; counts can still be collected. */
  detach(): void {
    this.#detached = true;
    this.#now.correlation?.detach();
  }
}
