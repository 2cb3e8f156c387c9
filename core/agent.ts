// The agent: start order, stop order, and the rhythm of collections.
import type { Config } from "../config/config.ts";
import { createExporters } from "../exporters/create.ts";
import type { Fanout } from "../exporters/fanout.ts";
import { native } from "../native/index.ts";
import { Engine, type FailedPlugin } from "./engine.ts";
import { WirespanError } from "./errors.ts";
import { agentResource, hostAttributes } from "./identity/host.ts";
import type { Log } from "./log.ts";
import type { Plugin } from "./plugin.ts";
import { createSelf } from "./self.ts";
import { VERSION } from "./version.ts";

export interface AgentOptions {
  readonly plugins: readonly Plugin[];
  /** Plugins that could not even be imported. */
  readonly failed: readonly FailedPlugin[];
  readonly log: Log;
}

/** Resolves with the first SIGTERM or SIGINT. */
function signalled(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, resolve);
  });
}

/** One line that scripts wait for. */
export function sayReady(plugins: readonly string[]): void {
  process.stderr.write(`${JSON.stringify({ ready: true, pid: process.pid, plugins })}\n`);
}

function reportFailures(failed: readonly FailedPlugin[], strict: boolean, log: Log): void {
  const [first] = failed;
  if (first && strict) throw first.error;
  for (const { name, error } of failed) {
    log.error({ plugin: name, code: error.code }, `${name} is left out: ${error.message}`);
  }
}

/** Attaches, exports until a signal comes, flushes, and leaves nothing in the kernel. */
export async function runAgent(config: Config, { plugins, failed, log }: AgentOptions): Promise<void> {
  reportFailures(failed, config.strict, log);
  const ended = signalled();
  await using cleanup = new AsyncDisposableStack();
  const engine = await Engine.attach({ config, plugins, native, log });
  cleanup.defer(() => engine.close());
  reportFailures(engine.failed, config.strict, log);
  if (engine.hosts.length === 0) {
    throw new WirespanError("NOTHING_RUNS", "No plugin can run; `wirespan doctor` says why.");
  }
  if (config.self.bpfStats) {
    const stats = native.enableStats();
    cleanup.defer(() => stats.close());
  }
  const fanout = await createExporters(config.exporters, log);
  cleanup.defer(() => fanout.shutdown(config.shutdown.timeout));
  engine.run(fanout);
  const collect = createCollector(config, engine, fanout);
  const timer = setInterval(() => void collect(), config.metrics.interval);
  sayReady(engine.hosts.map((host) => host.plugin.name));
  log.info({ pid: process.pid, plugins: engine.hosts.map((host) => host.plugin.name) }, "watching");

  const signal = await ended;
  log.info({ signal }, "stopping");
  clearInterval(timer);
  await collect();
  engine.close();
}

function createCollector(config: Config, engine: Engine, fanout: Fanout): () => Promise<void> {
  const resource = agentResource(hostAttributes(), {
    version: VERSION,
    attributes: config.resource.attributes,
  });
  const self = createSelf({
    engine,
    exporters: fanout.exporters,
    resource,
    scope: { name: "wirespan.agent", version: VERSION },
    start: engine.clock.now(),
    sink: fanout,
    bpfStats: config.self.bpfStats,
  });
  return async () => {
    const metrics = await engine.collect();
    fanout.metrics([...metrics, ...self(engine.clock.now())]);
  };
}
