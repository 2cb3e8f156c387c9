// The agent: start order, stop order, and the timing of collections. Tests: test/system/agent.kernel.test.ts,
// agent/life.kernel.test.ts.
import type { Config } from "../config/config.ts";
import { standardOutput } from "../core/base/output.ts";
import type { FailedPlugin } from "../core/engine/attach.ts";
import { Engine } from "../core/engine/engine.ts";
import { LossLog } from "../core/engine/losses.ts";
import { degradation, details } from "../core/engine/missing-hooks.ts";
import { parts } from "../core/engine/parts.ts";
import type { PluginRunner } from "../core/engine/plugin-runner.ts";
import { WirespanError } from "../core/plugin/errors.ts";
import type { DeferredLog, Log } from "../core/plugin/log.ts";
import type { Fanout } from "../exporters/fanout.ts";
import { type AgentSettings, agentParts, composeAgent, statusFrom } from "./composition.ts";
import { collectGarbage } from "./garbage.ts";
import { reported } from "./hook-report.ts";
import { accountFor, begin, endWithin, onSighup, requestShutdown, throwIfFailed } from "./life.ts";
import { announceReady } from "./ready.ts";

export interface AgentOptions extends Omit<AgentSettings, "config" | "native"> {
  /** Released when everything is attached: what it loads does not delay that. */
  readonly log: Log | DeferredLog;
  /** Plugins that could not be imported. */
  readonly failed: readonly FailedPlugin[];
}

function reportFailures(failed: readonly FailedPlugin[], strict: boolean, log: Log): void {
  const [first] = failed;
  if (first && strict) throw first.error;
  for (const { name, error } of failed) {
    const why = error.message.replace(`${name}: `, "");
    log.error({ plugin: name, code: error.code }, `plugin ${name} disabled: ${why}`);
  }
}

/** Logs before the plugin's first signal what it cannot observe here. */
function reportMissing({ plugin, hooks }: PluginRunner, log: Log): void {
  const running = { name: plugin.name, hooks };
  const lack = degradation(running);
  const detail = details(running);
  if (lack !== undefined) log.warn({ plugin: plugin.name }, lack);
  if (detail !== undefined) log.info({ plugin: plugin.name }, detail);
}

/** Attaches, exports until a signal arrives, flushes, and leaves nothing in the kernel. Throws what ended it early. */
export async function runAgent(config: Config, { failed, ...options }: AgentOptions): Promise<void> {
  const { log } = options;
  const ended = begin();
  // Node would write its warnings itself, and block on the reader.
  process.removeAllListeners("warning").on("warning", ({ message }) => log.debug({}, message));
  reportFailures(failed, config.strict, log);
  await using agent = composeAgent({ config, ...options });
  const engine = await Promise.race([agent.resolve(parts.engine), ended]);
  // Whatever is partly attached ends with the process.
  if (!(engine instanceof Engine)) return throwIfFailed(engine);
  if ("release" in log) log.release();
  const failedBefore = engine.failed.length;
  reportFailures(engine.failed, config.strict, log);
  if (engine.runners.length === 0) {
    throw new WirespanError("NOTHING_RUNS", "No plugin can run; `wirespan doctor` shows why.");
  }
  if (config.self.bpfStats) agent.resolve(agentParts.bpfStats);
  const fanout = await agent.resolve(agentParts.exporters);
  endWithoutReader(config);
  accountFor(() => `; ${waiting(fanout)} spans, points and events were not exported`);
  engine.run(fanout);
  reportFailures(engine.failed.slice(failedBefore), config.strict, log);
  for (const runner of engine.runners) reportMissing(runner, log);
  const viewer = await agent.resolve(agentParts.viewer);
  const status = await statusFrom(agent);
  if (viewer) {
    viewer.state = () => ({ ...status(), hooks: hooksOf(engine) });
    viewer.living = () => engine.living();
    // Counters are seen to grow from here on, not only from the next collection.
    void engine.first.then((metrics) => viewer.metrics(metrics));
  }
  const telemetry = await agent.resolve(agentParts.telemetry);
  const manager = agent.resolve(agentParts.serviceManager);
  const collected = collectGarbage(agent.resolve(parts.native));
  const losses = new LossLog(log);
  const collect = async () => {
    const metrics = await engine.collect();
    losses.report(engine.losses);
    fanout.metrics([...metrics, ...telemetry(engine.clock.bootNow())]);
    manager.status(status);
    collected();
  };
  const timer = setInterval(() => void collect(), config.metrics.interval);
  const reload = await agent.resolve(agentParts.reload);
  await agent.resolve(agentParts.control);
  if (config.health.address) await agent.resolve(agentParts.health);
  onSighup(() => void reload().catch(() => {}));
  const plugins = engine.runners.map(({ plugin }) => plugin.name);
  announceReady(plugins);
  manager.ready(status);
  log.info({ pid: process.pid, plugins }, "started");

  const ending = await ended;
  log.info({ signal: ending.signal }, "stopping");
  manager.stopping();
  endWithin(config.shutdown.timeout + GRACE);
  clearInterval(timer);
  const last = () => losses.report(engine.losses, true);
  for (const step of [() => engine.settle(), () => engine.detach(), collect, last, () => engine.close()]) {
    try {
      await step();
    } catch (error) {
      log.error({ error }, "the latest signals may be missing");
    }
  }
  throwIfFailed(ending);
}

/** The report of `wirespan doctor`, for the page. */
function hooksOf({ tracker, runners }: Engine) {
  const core = { name: "connections", hooks: tracker.loaded.hooks };
  return [core, ...runners.map(({ plugin, hooks }) => ({ name: plugin.name, hooks }))].flatMap(
    ({ name, hooks }) => hooks.map((hook) => ({ plugin: name, ...reported(hook) })),
  );
}

/** Time limit of detaching and the last collection, milliseconds. */
const GRACE = 5000;

/** An agent that only prints ends when its output is no longer read. */
function endWithoutReader({ exporters }: Config): void {
  if (Object.values(exporters).every(({ type }) => type === "console"))
    void standardOutput().closed.then(requestShutdown);
}

function waiting({ exporters }: Fanout): number {
  const kinds = ["span", "point", "event"] as const;
  return exporters
    .flatMap((exporter) => kinds.map((kind) => exporter.counts(kind).queued))
    .reduce((sum, queued) => sum + queued, 0);
}
