// The parts of the engine, by token. agent/engine-parts.ts registers how each is created.
import type { Config } from "../../config/config.ts";
import type { Native } from "../../native/index.ts";
import { token } from "../base/container.ts";
import type { BootClock } from "../bridge/clock.ts";
import type { HostAttributes } from "../identity/host.ts";
import type { Identity } from "../identity/identity.ts";
import type { Names } from "../identity/names/names.ts";
import type { NetnsNames } from "../identity/netns-names.ts";
import type { Emit } from "../plugin/emit.ts";
import type { Log } from "../plugin/log.ts";
import type { Plugin } from "../plugin/plugin.ts";
import type { Settings, SettingsOf } from "../plugin/settings.ts";
import type { Resource, Signals, Sink } from "../plugin/signals.ts";
import type { ConnectionSpans } from "./connection-spans.ts";
import type { Engine } from "./engine.ts";
import type { Tracker } from "./tracker.ts";

export const parts = {
  /** The configuration that the agent was started with. */
  config: token<Config>("config"),
  /** The plugins that could be imported, enabled or not. */
  plugins: token<readonly Plugin[]>("plugins"),
  native: token<Native>("native"),
  log: token<Log>("log"),
  clock: token<BootClock>("clock"),
  namespaces: token<NetnsNames>("namespaces"),
  /** This host's attributes, which are part of every Resource. */
  hostAttributes: token<HostAttributes>("hostAttributes"),
  /** The host's resource, for sums without a workload. */
  hostResource: token<Resource>("hostResource"),
  engine: token<Promise<Engine>>("engine"),
  /** Provided by the engine when it is attached. */
  tracker: token<Tracker>("tracker"),
  /** Names of containers and pods, if a source is configured. */
  names: token<Names>("names"),
  identity: token<Identity>("identity"),
  /** Provided by the engine when it runs. */
  sink: token<Sink>("sink"),
  spans: token<ConnectionSpans>("spans"),
} as const;

/** What a running plugin has for itself, in its own container. */
export const own = {
  /** The plugin's slice of the configuration. */
  settings: token<SettingsOf<Settings>>("settings"),
  emit: token<Emit<Signals>>("emit"),
} as const;
