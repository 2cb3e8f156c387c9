// The engine in this process, for tests that look at what no output shows. This process is then the agent.
import { setTimeout as delay } from "node:timers/promises";
import { loadConfig } from "../config/load.ts";
import { importPlugins } from "../core/discover.ts";
import { Engine } from "../core/engine.ts";
import { createLog } from "../core/log.ts";
import type { AnyAttributes, Metric, Resource } from "../core/signals.ts";
import { native } from "../native/index.ts";

/** A span or event, with its ids in hexadecimal, that outlives the call which told of it. */
export interface Kept {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly error: string | undefined;
  readonly attributes: AnyAttributes;
  readonly resource: Resource;
}

const hex = (id: Uint8Array | undefined): string => (id ? Buffer.from(id).toString("hex") : "");

/** Attaches plugins with settings by path, such as `"plugins.tcplife.checkpoint": "1s"`. */
export async function watch(
  plugins: readonly string[],
  settings: Readonly<Record<string, string>> = {},
): Promise<Watch> {
  const found = await importPlugins(plugins);
  for (const { error } of found.failed) throw error;
  const flags = Object.entries({ strict: "true", "log.level": "error", ...settings });
  const config = loadConfig({
    env: {},
    flags: flags.map(([path, value]) => ({ path, value, flag: path })),
    plugins: found.plugins,
  });
  const log = createLog(config.log);
  return new Watch(await Engine.attach({ config, plugins: found.plugins, native, log }));
}

export class Watch implements AsyncDisposable {
  readonly engine: Engine;
  readonly spans: Kept[] = [];
  readonly events: Kept[] = [];

  constructor(engine: Engine) {
    this.engine = engine;
    engine.run({
      span: ({ spec, traceId, spanId, parentSpanId, error, attributes, resource }) => {
        const ids = { traceId: hex(traceId), spanId: hex(spanId) };
        const parent = parentSpanId && hex(parentSpanId);
        this.spans.push({ name: spec.name, ...ids, parentSpanId: parent, error, attributes, resource });
      },
      event: ({ spec, context, attributes, resource }) => {
        const ids = { traceId: hex(context?.traceId), spanId: hex(context?.spanId) };
        const none = { parentSpanId: undefined, error: undefined };
        this.events.push({ name: spec.name, ...ids, ...none, attributes, resource });
      },
      metrics: () => {},
    });
  }

  /** Waits until `enough` holds, looking into the rings meanwhile; throws where it takes longer than 20 s. */
  async until(what: string, enough: () => boolean): Promise<void> {
    for (const end = performance.now() + 20_000; performance.now() < end; await delay(10)) {
      this.engine.drain();
      if (enough()) return;
    }
    throw new Error(`no ${what} in 20 s; ${this.spans.length} spans, ${this.events.length} events`);
  }

  collect(): Promise<readonly Metric[]> {
    return this.engine.collect();
  }

  /** The core program's own counters. */
  counters(): Readonly<Record<string, number>> {
    return this.engine.accounts().connections ?? {};
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine.collect(); // one that is under way reads maps that closing takes away
    this.engine.close();
  }
}
