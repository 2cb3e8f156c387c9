// Runs the engine in this process, for tests of what no output shows. This process is then the agent.
import { setTimeout as delay } from "node:timers/promises";
import { engineParts } from "../../agent/engine-parts.ts";
import type { Config } from "../../config/config.ts";
import { loadConfig } from "../../config/load.ts";
import { importPlugins } from "../../core/engine/discover.ts";
import type { Engine } from "../../core/engine/engine.ts";
import { parts } from "../../core/engine/parts.ts";
import { countersOf } from "../../core/engine/readings.ts";
import { createLog } from "../../core/plugin/log.ts";
import type { Plugin } from "../../core/plugin/plugin.ts";
import type { AnyAttributes, Metric, Resource, Span, Time } from "../../core/plugin/signals.ts";
import { type Native, native as real } from "../../native/index.ts";
import { DEADLINE } from "./deadline.ts";
import { countUnseen } from "./unseen.ts";

/** A span or event, with its ids in hexadecimal, that outlives the call which emitted it. */
export interface Kept {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  /** Only for spans. */
  readonly traceState: string | undefined;
  readonly error: string | undefined;
  /** An event's are the same. */
  readonly start: Time;
  readonly end: Time;
  /** Only for spans. */
  readonly kind: Span["kind"] | undefined;
  readonly attributes: AnyAttributes;
  readonly resource: Resource;
  /** `traceId-spanId` of each. */
  readonly links: readonly string[];
}

/** Milliseconds of waiting after which the agent is asked whether the event was shown to it. */
const PATIENCE = 10_000;

const hex = (id: Uint8Array | undefined): string => (id ? Buffer.from(id).toString("hex") : "");

type Values = Readonly<Record<string, string>>;

function configOf(plugins: readonly Plugin[], settings: Values): Config {
  const flags = Object.entries({
    // It takes the verifier longer than everything else, and few tests need it.
    ...{ strict: "true", "log.level": "error", "correlate.enabled": "false" },
    // Room for the largest burst: this process, which makes the workload too, may read late.
    "ring.core": "32MiB",
    ...settings,
  });
  return loadConfig({
    env: {},
    flags: flags.map(([path, value]) => ({ path, value, flag: path })),
    plugins,
  });
}

/** Attaches plugins with settings by path, such as `"plugins.tcplife.checkpoint": "1s"`. */
export async function watch(
  names: readonly string[],
  settings: Values = {},
  native: Native = real,
): Promise<Watch> {
  const { plugins, failed } = await importPlugins(names);
  for (const { error } of failed) throw error;
  const config = configOf(plugins, settings);
  const log = createLog(config.log);
  return new Watch(await engineParts({ config, plugins, native, log }).resolve(parts.engine), plugins);
}

export class Watch implements AsyncDisposable {
  readonly engine: Engine;
  readonly spans: Kept[] = [];
  readonly events: Kept[] = [];
  /** The last metrics of plugins that a reload has ended. */
  readonly ended: Metric[] = [];
  readonly #plugins: readonly Plugin[];
  readonly #ends: () => Promise<void>;

  constructor(engine: Engine, plugins: readonly Plugin[]) {
    this.engine = engine;
    this.#plugins = plugins;
    this.#ends = countUnseen((settled) => this.#countUnseen(settled));
    engine.run({
      span: (span) => {
        const { spec, parentSpanId, traceState, error, kind, start, end, attributes, resource, links } = span;
        const ids = { traceId: hex(span.traceId), spanId: hex(span.spanId) };
        const parent = parentSpanId && hex(parentSpanId);
        this.spans.push({
          ...{ name: spec.name, ...ids, parentSpanId: parent, traceState },
          ...{ error, kind, start: { ...start }, end: { ...end }, attributes, resource },
          links: (links ?? []).map((link) => `${hex(link.traceId)}-${hex(link.spanId)}`),
        });
      },
      event: ({ spec, context, time, attributes, resource }) => {
        const ids = { traceId: hex(context?.traceId), spanId: hex(context?.spanId) };
        const times = { start: time, end: time };
        const none = {
          ...{ parentSpanId: undefined, traceState: undefined, error: undefined, kind: undefined },
          ...times,
        };
        this.events.push({ name: spec.name, ...ids, ...none, attributes, resource, links: [] });
      },
      metrics: (metrics) => void this.ended.push(...metrics),
    });
  }

  /** Waits until `enough` holds, reading the rings meanwhile; throws if it does not come. */
  async until(what: string, enough: () => boolean): Promise<void> {
    const begun = performance.now();
    let look = begun + PATIENCE;
    for (const end = begun + DEADLINE; performance.now() < end; await delay(10)) {
      this.engine.drain();
      if (enough()) return;
      if (performance.now() < look) continue;
      // What the kernel did not show never arrives.
      if ((await this.#countUnseen(true)) > 0) break;
      look += PATIENCE;
    }
    const seconds = ((performance.now() - begun) / 1000).toFixed();
    const counted = `${this.spans.length} spans, ${this.events.length} events`;
    throw new Error(`no ${what} in ${seconds} s; ${counted}, lost: ${JSON.stringify(this.#lost())}`);
  }

  async #countUnseen(settled: boolean): Promise<number> {
    if (settled) await this.engine.settle();
    return this.engine.unseen + (this.engine.correlation?.unread.unseen ?? 0);
  }

  /** What the programs have counted as lost, by owner and counter. */
  #lost(): Readonly<Record<string, number>> {
    return Object.fromEntries(
      Object.entries(countersOf(this.engine.readers)).flatMap(([owner, counters]) =>
        Object.entries(counters)
          .filter(([name, count]) => name.startsWith("lost_") && count > 0)
          .map(([name, count]) => [`${owner} ${name}`, count]),
      ),
    );
  }

  collect(): Promise<readonly Metric[]> {
    return this.engine.collect();
  }

  /** Continues with other settings. */
  async reload(settings: Values): Promise<readonly string[]> {
    return await this.engine.reload(configOf(this.#plugins, settings), this.#plugins);
  }

  /** The tracker's own counters. */
  counters(): Readonly<Record<string, number>> {
    return countersOf(this.engine.readers).connections ?? {};
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine.collect(); // a collection in progress reads maps that close() frees
    await this.#ends();
    this.engine.close();
  }
}
