// The agent: start order, stop order, and the rhythm of collections.
import type { Config } from "../config/config.ts";
import { KEPT } from "../config/source.ts";
import { standardOutput } from "../core/base/output.ts";
import { VERSION } from "../core/base/version.ts";
import { Engine, type FailedPlugin } from "../core/engine/engine.ts";
import { degradation, details } from "../core/engine/missing-hooks.ts";
import type { PluginHost } from "../core/engine/plugin-runner.ts";
import { agentResource, hostAttributes } from "../core/identity/host.ts";
import { EXIT_LOST, WirespanError } from "../core/plugin/errors.ts";
import type { Log } from "../core/plugin/log.ts";
import type { Plugin } from "../core/plugin/plugin.ts";
import { createExporters, type MakeLive } from "../exporters/create.ts";
import type { Fanout } from "../exporters/fanout.ts";
import { reportLosses } from "../exporters/losses.ts";
import { native } from "../native/index.ts";
import { serveControl } from "./control/server.ts";
import { collectGarbageOfStart } from "./gc-after-startup.ts";
import { serveHealth } from "./health.ts";
import { createSelf } from "./internal-telemetry.ts";
import { accountFor, atHangup, begin, end, endWithin, stopped } from "./life.ts";
import { sayReady } from "./ready.ts";
import { statusOf } from "./status.ts";

export interface AgentOptions {
  readonly plugins: readonly Plugin[];
  /** Plugins that could not even be imported. */
  readonly failed: readonly FailedPlugin[];
  readonly log: Log;
  /** Creates the live view of a console exporter. */
  readonly live: MakeLive;
  /** Loads the configuration again from its sources. */
  reread(): Promise<{
    readonly config: Config;
    readonly plugins: readonly Plugin[];
    readonly failed: readonly FailedPlugin[];
  }>;
}

function reportFailures(failed: readonly FailedPlugin[], strict: boolean, log: Log): void {
  const [first] = failed;
  if (first && strict) throw first.error;
  for (const { name, error } of failed) {
    const why = error.message.replace(`${name}: `, "");
    log.error({ plugin: name, code: error.code }, `${name} is left out: ${why}`);
  }
}

/** What a plugin can't see here is known before its first signal. */
function reportLacks({ plugin, hooks }: PluginHost, log: Log): void {
  const watching = { name: plugin.name, hooks };
  const lack = degradation(watching);
  const detail = details(watching);
  if (lack !== undefined) log.warn({ plugin: plugin.name }, lack);
  if (detail !== undefined) log.info({ plugin: plugin.name }, detail);
}

function enableStats(): ReturnType<typeof native.enableStats> {
  try {
    return native.enableStats();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EPERM") throw cause;
    throw new WirespanError("PERMISSION", "self.bpfStats: measuring run times takes root, or CAP_SYS_ADMIN", {
      cause,
    });
  }
}

/** Attaches, exports until a signal comes, flushes, and leaves nothing in the kernel. Throws what ended it early. */
export async function runAgent(config: Config, options: AgentOptions): Promise<void> {
  const { plugins, failed, log } = options;
  const ended = begin();
  // Node would write its warnings itself, and wait for whoever reads them.
  process.removeAllListeners("warning").on("warning", ({ message }) => log.debug({}, message));
  reportFailures(failed, config.strict, log);
  await using cleanup = new AsyncDisposableStack();
  const engine = await Promise.race([Engine.attach({ config, plugins, native, log }), ended]);
  // What is half attached goes with the process.
  if (!(engine instanceof Engine)) return stopped(engine);
  cleanup.defer(() => engine.close());
  const failedBefore = engine.failed.length;
  reportFailures(engine.failed, config.strict, log);
  if (engine.hosts.length === 0) {
    throw new WirespanError("NOTHING_RUNS", "No plugin can run; `wirespan doctor` says why.");
  }
  if (config.self.bpfStats) {
    const stats = enableStats();
    cleanup.defer(() => stats.close());
  }
  const fanout = await createExporters(config.exporters, log, options.live);
  cleanup.defer(async () => {
    await fanout.shutdown(config.shutdown.timeout);
    if (reportLosses(fanout.exporters, log)) process.exitCode = EXIT_LOST;
  });
  endWithoutReader(config);
  accountFor(() => `; ${waiting(fanout)} spans, points and events were not exported`);
  engine.run(fanout);
  reportFailures(engine.failed.slice(failedBefore), config.strict, log);
  for (const host of engine.hosts) reportLacks(host, log);
  const collect = createCollector(config, engine, fanout);
  const timer = setInterval(() => void collect(), config.metrics.interval);
  const reload = createReload(config, engine, fanout, options);
  for (const served of await serve(config, engine, fanout, reload, log)) cleanup.use(served);
  atHangup(() => void reload().catch(() => {}));
  sayReady(engine.hosts.map((host) => host.plugin.name));
  log.info({ pid: process.pid, plugins: engine.hosts.map((host) => host.plugin.name) }, "watching");
  collectGarbageOfStart();

  const ending = await ended;
  log.info({ signal: ending.signal }, "stopping");
  endWithin(config.shutdown.timeout + GRACE);
  clearInterval(timer);
  for (const step of [() => engine.settle(), () => engine.detach(), collect, () => engine.close()]) {
    try {
      await step();
    } catch (error) {
      log.error({ error }, "what was seen last may be missing");
    }
  }
  stopped(ending);
}

/** Milliseconds that detaching and the last collection may take. */
const GRACE = 5000;

/** Who only prints has nothing left to do when nobody reads. */
function endWithoutReader({ exporters }: Config): void {
  if (Object.values(exporters).every(({ type }) => type === "console"))
    void standardOutput().closed.then(end);
}

function waiting({ exporters }: Fanout): number {
  const kinds = ["span", "point", "event"] as const;
  return exporters
    .flatMap((exporter) => kinds.map((kind) => exporter.counts(kind).queued))
    .reduce((sum, queued) => sum + queued, 0);
}

/** The sections that a reload brings into force; every other one waits for the next start. */
const RELOADED: readonly string[] = ["plugins", "filter", "effective"] satisfies (keyof Config)[];

/** Why a reload has changed nothing: one sentence for the log and for who asked. */
function keptBecause(cause: unknown): WirespanError {
  const { code = "UNEXPECTED", message, detail } = cause as Partial<WirespanError> & Error;
  const said = message.includes(KEPT) ? message : `${message.replace(/\.$/, "")}; ${KEPT}.`;
  return new WirespanError(code, said, { cause, ...(detail !== undefined && { detail }) });
}

/** One at a time. What is wrong with a new configuration is logged and thrown, and changes nothing. */
function createReload(
  config: Config,
  engine: Engine,
  fanout: Fanout,
  { log, reread }: AgentOptions,
): () => Promise<readonly string[]> {
  const run = async () => {
    try {
      const next = await reread();
      const [failed] = next.failed;
      if (failed) throw failed.error;
      const renewed = await fanout.refresh();
      const changes = await engine.reload(next.config, next.plugins);
      const fixed = (Object.keys(config) as (keyof Config)[]).filter((key) => !RELOADED.includes(key));
      const waiting = fixed.filter((key) => JSON.stringify(next.config[key]) !== JSON.stringify(config[key]));
      const said = [
        ...changes,
        ...renewed,
        ...waiting.map((key) => `${key}: changed; takes effect at the next start`),
      ];
      log.info({ changes: said }, "configuration read again");
      return said;
    } catch (error) {
      const wrong = keptBecause(error);
      log.error({ ...(wrong.detail !== undefined && { detail: wrong.detail }) }, wrong.message);
      throw wrong;
    }
  };
  let last: Promise<readonly string[]> = Promise.resolve([]);
  return () => {
    last = last.catch(() => {}).then(run);
    return last;
  };
}

async function serve(
  config: Config,
  engine: Engine,
  fanout: Fanout,
  reload: () => Promise<readonly string[]>,
  log: Log,
): Promise<Disposable[]> {
  const status = () => statusOf(engine, fanout.exporters);
  const served: Disposable[] = [];
  const { socket } = config.control;
  if (socket) {
    try {
      const control = await serveControl(socket, { status, reload });
      if (control) served.push(control);
      else log.warn({ socket }, "another agent runs on this host: what both see is reported twice");
    } catch (error) {
      const lost = "no control socket, so `wirespan status` and `wirespan reload` will not find this agent";
      log.warn({ socket }, `${lost}: ${(error as Error).message}`);
    }
  }
  const { address } = config.health;
  if (address) served.push(await serveHealth(address, status, () => engine.failed.length === 0));
  return served;
}

function createCollector(config: Config, engine: Engine, fanout: Fanout): () => Promise<void> {
  const resource = agentResource(hostAttributes(), {
    version: VERSION,
    name: config.service.name,
    attributes: config.resource.attributes,
  });
  const self = createSelf({
    engine,
    exporters: fanout.exporters,
    resource,
    scope: { name: "wirespan.agent", version: VERSION },
    startNs: engine.clock.bootNow(),
    sink: fanout,
    bpfStats: config.self.bpfStats,
  });
  return async () => {
    const metrics = await engine.collect();
    fanout.metrics([...metrics, ...self(engine.clock.bootNow())]);
  };
}
