// The composition root of the agent: how each of its parts is created, and in which order they end. Tests:
// agent/composition.kernel.test.ts.
import { type Container, token } from "../core/base/container.ts";
import { VERSION } from "../core/base/version.ts";
import { parts } from "../core/engine/parts.ts";
import { agentResource, hostAttributes } from "../core/identity/host.ts";
import { EXIT_LOST, WirespanError } from "../core/plugin/errors.ts";
import type { Metric } from "../core/plugin/signals.ts";
import type { ExporterConfig } from "../exporters/config.ts";
import {
  createExporter,
  fanoutOf,
  type MadeExporter,
  type MakeLive,
  type Shared,
  sharedBy,
} from "../exporters/create.ts";
import type { Fanout } from "../exporters/fanout.ts";
import type { LocalExporter } from "../exporters/local/local-exporter.ts";
import type { RaisedFinding } from "../exporters/local/store-process.ts";
import { reportLosses } from "../exporters/losses.ts";
import { serveControl } from "./control/server.ts";
import { type EngineSettings, engineParts } from "./engine-parts.ts";
import { findingEvent } from "./finding-event.ts";
import { createInternalTelemetry } from "./internal-telemetry.ts";
import { createReload, type Reload, type Reread } from "./reload.ts";
import { ServiceManager } from "./service-manager.ts";
import { statusOf } from "./status.ts";
import { createViewer, oneTimeUrl, showsPage } from "./viewer.ts";

export const agentParts = {
  live: token<MakeLive>("live"),
  reread: token<Reread>("reread"),
  /** Encoder and SDK, which exporters share. */
  shared: token<Shared>("shared"),
  /** The exporter for the page; undefined: there is none. */
  viewer: token<Promise<LocalExporter> | undefined>("viewer"),
  /** All exporters. */
  exporters: token<Promise<Fanout>>("exporters"),
  bpfStats: token<{ close(): void }>("bpfStats"),
  /** The agent's internal metrics at a time on the boot clock, nanoseconds. */
  telemetry: token<Promise<(nowNs: number) => readonly Metric[]>>("telemetry"),
  reload: token<Promise<Reload>>("reload"),
  serviceManager: token<ServiceManager>("serviceManager"),
  /** Undefined: there is no socket, or another agent uses it. */
  control: token<Promise<Disposable | undefined>>("control"),
  health: token<Promise<Disposable>>("health"),
} as const;

const tokens = new Map<string, ReturnType<typeof token<Promise<MadeExporter>>>>();

/** The token of the exporter with this name in the configuration. */
export function exporterToken(name: string) {
  const found = tokens.get(name) ?? token<Promise<MadeExporter>>(`exporters.${name}`);
  tokens.set(name, found);
  return found;
}

export interface AgentSettings extends EngineSettings {
  /** Creates the live view of a console exporter. */
  readonly live: MakeLive;
  readonly reread: Reread;
  /** Called with the page's address. */
  readonly onPage: (url: string) => void;
}

/** All parts of the agent; disposing of the container shuts them down in order. */
export function composeAgent({ live, reread, ...settings }: AgentSettings): Container {
  const container = engineParts(settings)
    .provide(agentParts.live, () => live)
    .provide(agentParts.reread, () => reread)
    .provide(agentParts.bpfStats, enableStats, (stats) => stats.close())
    .provide(agentParts.shared, (from) => {
      return sharedBy(
        from.resolve(parts.config).exporters,
        from.resolve(parts.log),
        from.resolve(agentParts.live),
      );
    })
    .provide(agentParts.exporters, exportersOf, async (fanout) => {
      await fanout.shutdown(settings.config.shutdown.timeout);
      if (reportLosses(fanout.exporters, settings.log)) process.exitCode = EXIT_LOST;
    })
    .provide(agentParts.telemetry, telemetryOf)
    .provide(agentParts.serviceManager, (from) => {
      return new ServiceManager(from.resolve(parts.native), from.resolve(parts.log));
    })
    .provide(agentParts.reload, reloadOf)
    .provide(agentParts.control, controlOf, (control) => control?.[Symbol.dispose]())
    .provide(agentParts.health, healthOf, (health) => health[Symbol.dispose]());
  container.provide(agentParts.viewer, (from) =>
    showsPage(settings.config) ? viewerOf(from, settings.onPage) : undefined,
  );
  for (const [name, config] of Object.entries(settings.config.exporters))
    container.provide(exporterToken(name), (from) => exporterOf(name, config, from));
  return container;
}

function viewerOf(from: Container, onPage: (url: string) => void): Promise<LocalExporter> {
  const host = from.resolve(parts.hostResource);
  const scope = { name: "wirespan.viewer", version: VERSION };
  const onFinding = async (finding: RaisedFinding) => {
    const fanout = await from.resolve(agentParts.exporters);
    fanout.event(findingEvent(finding, host, scope));
  };
  const log = from.resolve(parts.log);
  const onUrl = async (url: string) => {
    onPage(url);
    const engine = await from.resolve(parts.engine);
    engine.excludePage(Number(new URL(url).port || 80));
  };
  return createViewer(
    from.resolve(parts.config),
    host,
    log,
    (url) => void onUrl(url),
    (finding) => void onFinding(finding),
  );
}

function exporterOf(name: string, config: ExporterConfig, from: Container): Promise<MadeExporter> {
  return createExporter(name, config, from.resolve(agentParts.shared));
}

async function exportersOf(from: Container): Promise<Fanout> {
  const made: MadeExporter[] = [];
  for (const name of Object.keys(from.resolve(parts.config).exporters))
    made.push(await from.resolve(exporterToken(name)));
  const viewer = await from.resolve(agentParts.viewer);
  if (viewer) made.push({ exporter: viewer, sink: viewer });
  return fanoutOf(made);
}

function enableStats(from: Container): { close(): void } {
  try {
    return from.resolve(parts.native).enableStats();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EPERM") throw cause;
    throw new WirespanError(
      "PERMISSION",
      "self.bpfStats: measuring run times requires root or CAP_SYS_ADMIN",
      {
        cause,
      },
    );
  }
}

async function telemetryOf(from: Container): Promise<(nowNs: number) => readonly Metric[]> {
  const config = from.resolve(parts.config);
  const engine = await from.resolve(parts.engine);
  const fanout = await from.resolve(agentParts.exporters);
  return createInternalTelemetry({
    engine,
    exporters: fanout.exporters,
    resource: agentResource(hostAttributes(), {
      version: VERSION,
      name: config.service.name,
      attributes: config.resource.attributes,
    }),
    scope: { name: "wirespan.agent", version: VERSION },
    startNs: engine.clock.bootNow(),
    sink: fanout,
    bpfStats: config.self.bpfStats,
  });
}

async function reloadOf(from: Container): Promise<Reload> {
  const engine = await from.resolve(parts.engine);
  const fanout = await from.resolve(agentParts.exporters);
  const config = from.resolve(parts.config);
  const log = from.resolve(parts.log);
  const reload = createReload(config, engine, fanout, log, from.resolve(agentParts.reread));
  return () => from.resolve(agentParts.serviceManager).whileReloading(reload);
}

export async function statusFrom(from: Container) {
  const engine = await from.resolve(parts.engine);
  const { exporters } = await from.resolve(agentParts.exporters);
  return () => statusOf(engine, exporters);
}

async function controlOf(from: Container): Promise<Disposable | undefined> {
  const { socket } = from.resolve(parts.config).control;
  const log = from.resolve(parts.log);
  if (!socket) return undefined;
  try {
    const viewer = await from.resolve(agentParts.viewer);
    const handlers = {
      status: await statusFrom(from),
      reload: await from.resolve(agentParts.reload),
      view: () => oneTimeUrl(viewer),
    };
    const control = await serveControl(socket, handlers);
    if (!control)
      log.warn({ socket }, "another wirespan agent is running on this host; telemetry will be duplicated");
    return control;
  } catch (error) {
    const lost = "no control socket, so `wirespan status` and `wirespan reload` will not find this agent";
    log.warn({ socket }, `${lost}: ${(error as Error).message}`);
    return undefined;
  }
}

async function healthOf(from: Container): Promise<Disposable> {
  const engine = await from.resolve(parts.engine);
  const { address } = from.resolve(parts.config).health;
  const { serveHealth } = await import("./health.ts");
  return await serveHealth(address, await statusFrom(from), () => engine.failed.length === 0);
}
