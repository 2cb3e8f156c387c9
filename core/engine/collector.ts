// Collections: the metrics of all plugins at one moment, and the count of open connections that the tracker's own
// counts are checked against. Tests: core/engine/balance.kernel.test.ts, agent/life.kernel.test.ts.
import type { ObjectReader } from "../bridge/object-reader.ts";
import { type Log, rateLimited } from "../plugin/log.ts";
import type { Metric } from "../plugin/signals.ts";
import { Balance, type ConnectionBalance, describeUnseen, vanished } from "./balance.ts";
import type { PluginRunner } from "./plugin-runner.ts";

export interface CollectorOptions {
  readonly log: Log;
  /** The plugins that run now. */
  readonly runners: () => readonly PluginRunner[];
  /** The tracker's records; undefined until they are read. */
  readonly reader: () => ObjectReader | undefined;
  readonly drain: () => void;
  /** Nanoseconds since boot. */
  readonly bootNow: () => number;
  /** Shows all open sockets to the plugins, and counts them; `survey` only counts. Both end in `surveyed`. */
  readonly sweep: () => Promise<void>;
  readonly survey: () => Promise<void>;
  /** Corrects the state of sockets that a sweep found in another one, or closed. */
  readonly repairFound: () => Promise<void>;
  /** Emits the ends that a sweep found, once the plugins have seen them. */
  readonly reportFound: () => Promise<void>;
  /** Removes the rows of connections whose end no program observed. */
  readonly dropRowsWithoutSocket: () => Promise<void>;
  readonly collected: () => void;
}

/** Milliseconds between two log lines about unseen events. */
const LOG_AGAIN = 60_000;

export class Collector {
  readonly #options: CollectorOptions;
  readonly #balance = new Balance();
  /** As of the last sweep. */
  #surveyed = { living: 0, goneOn: 0 };
  /** Unseen events as last logged. */
  #logged = 0;
  #loggedAt = Number.NEGATIVE_INFINITY;
  #detached = false;
  #collecting: Promise<readonly Metric[]> | undefined;
  #next: Promise<readonly Metric[]> | undefined;

  constructor(options: CollectorOptions) {
    this.#options = options;
  }

  /** Receives what the tracker's iterator counted. */
  surveyed({ living, goneOn }: { readonly living: number; readonly goneOn: number }): void {
    this.#surveyed = { living, goneOn };
  }

  /** As of the last collection. */
  get connections(): ConnectionBalance {
    return this.#balance.connections;
  }

  /** Events that this kernel did not show to any program, as far as later events prove them. */
  get unseen(): number {
    return this.#balance.unseen;
  }

  /**
   * All plugins' current metrics. One collection at a time: a call during one gets the next, because the current one
   * may already have read what has changed since.
   */
  collect(): Promise<readonly Metric[]> {
    if (!this.#collecting) return this.#begin();
    this.#next ??= this.#collecting
      .catch(() => {}) // its own callers get that error
      .then(() => {
        this.#next = undefined;
        return this.#begin();
      });
    return this.#next;
  }

  /**
   * Sets the mark from which open connections' bytes count, and returns the metrics as of then. Must be called once,
   * first.
   */
  mark(): Promise<readonly Metric[]> {
    return this.#begin(false);
  }

  /** Resolves after the current collection, if there is one. */
  async idle(): Promise<void> {
    await this.#collecting?.catch(() => {});
  }

  #begin(isExported = true): Promise<readonly Metric[]> {
    this.#collecting = this.#collect(isExported).finally(() => {
      this.#collecting = undefined;
    });
    return this.#collecting;
  }

  async #collect(isExported: boolean): Promise<readonly Metric[]> {
    const { log, drain, bootNow, collected } = this.#options;
    const metrics: Metric[] = [];
    // A reload may end some of them meanwhile, and waits for this.
    const runners = this.#options.runners();
    drain();
    try {
      await this.#balanceBy(this.#options.sweep);
    } catch (error) {
      rateLimited(log, "sweep", 60_000).error({ error }, "reading living connections failed");
    }
    for (const runner of runners) {
      const { name } = runner.plugin;
      try {
        metrics.push(...runner.collect(bootNow, drain, isExported));
      } catch (error) {
        const limited = rateLimited(log, `collect ${name}`, 60_000);
        limited.error({ error }, `collecting metrics from ${name} failed`);
      }
    }
    collected();
    return metrics;
  }

  /**
   * Balances the connections with the counts of `sweep`, and reports the ends it finds that no program observed.
   */
  async #balanceBy(sweep: () => Promise<void>): Promise<void> {
    const { repairFound, reportFound, drain, runners, survey } = this.#options;
    const reader = this.#options.reader();
    if (!reader) return;
    const { unseen } = this.#balance;
    let before = reader.counters();
    const wasDetached = this.#detached;
    await sweep();
    if (wasDetached) return;
    if (this.#surveyed.goneOn > 0) {
      await repairFound();
      for (const runner of runners()) await runner.seeFoundEnds();
      await reportFound();
      drain();
      // Connections that have ended since then were open then.
      before = reader.counters();
      await survey();
    }
    // While plugins write rows, the kernel may skip sockets if others end: only a sweep that just counts is exact.
    if (vanished(before, this.#surveyed.living, reader.counters()) > 0) {
      before = reader.counters();
      await survey();
    }
    // An end after detaching is not unseen.
    if (this.#detached) return;
    const ofPlugins = runners().map((runner) => runner.reader?.counters() ?? {});
    this.#balance.take(before, this.#surveyed.living, reader.counters(), ofPlugins);
    if (this.#balance.unseen === unseen) return;
    if (performance.now() - this.#loggedAt >= LOG_AGAIN) this.#logUnseen();
    await this.#options.dropRowsWithoutSocket();
  }

  #logUnseen(): void {
    const { unseen, connections } = this;
    if (unseen === this.#logged) return;
    this.#logged = unseen;
    this.#loggedAt = performance.now();
    this.#options.log.warn({ unseen, lost: connections.lost.unseen }, describeUnseen(unseen));
  }

  /** Brings the balance up to date before `detach`. */
  async settle(): Promise<void> {
    await this.idle();
    // A second sweep confirms what the first one found.
    for (let time = 0; time < 2; time++) await this.#balanceBy(this.#options.survey);
    this.#logUnseen();
  }

  /** Stops counting open connections. */
  detach(): void {
    this.#detached = true;
  }
}
