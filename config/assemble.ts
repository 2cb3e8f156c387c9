// Creates the agent's Config from the schema's values.

import type { Plugin } from "../core/plugin/plugin.ts";
import type { PartialFilter, SettingValue } from "../core/plugin/settings.ts";
import type { ExporterConfig } from "../exporters/config.ts";
import type { Config, Effective, PluginConfig } from "./config.ts";
import { withDefaults } from "./criteria.ts";
import { type ExporterValues, exporterConfig } from "./exporters.ts";
import type { OtelSettings } from "./otel.ts";

type PluginValues = Readonly<Record<string, SettingValue>> & {
  readonly enabled: boolean;
  readonly filter?: PartialFilter;
  readonly ring: { readonly bytes: number | null };
};

interface Values extends Omit<Config, "plugins" | "exporters" | "resource" | "effective"> {
  readonly plugins: Readonly<Record<string, PluginValues>>;
  readonly exporters: Readonly<Record<string, ExporterValues>>;
  readonly resource: { readonly attributes: ReadonlyMap<string, string> };
}

export interface Assembled {
  readonly values: unknown;
  readonly effective: readonly Effective[];
  /** The files that values of maps were read from, by path and key. */
  readonly files: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly plugins: readonly Plugin[];
  readonly otel: OtelSettings;
}

export function assemble({ values: unknown, effective, files, plugins, otel }: Assembled): Config {
  const values = unknown as Values;
  const attributes = Object.fromEntries(values.resource.attributes);
  const named = effective.some(({ path, origins }) => path === "service.name" && origins.length > 0);
  const name = named ? values.service.name : (attributes["service.name"] ?? values.service.name);
  return freeze({
    ...values,
    plugins: Object.fromEntries(plugins.map((p) => [p.name, pluginConfig(p, values)])),
    exporters: otel.disabled ? {} : exporters(values, { files, effective }, otel),
    resource: { attributes },
    service: { name },
    effective,
  });
}

function pluginConfig({ name, config }: Plugin, { plugins, ring }: Values): PluginConfig {
  const own = plugins[name]!;
  return {
    enabled: own.enabled,
    filter: withDefaults(own.filter),
    ring: { bytes: own.ring.bytes ?? ring.bytes },
    settings: Object.fromEntries(Object.keys(config).map((key) => [key, own[key]!])),
  };
}

function exporters(
  values: Values,
  { files, effective }: Pick<Assembled, "files" | "effective">,
  { off, guessed }: OtelSettings,
): Record<string, ExporterConfig> {
  // If the type was not set by OpenTelemetry's variables, its source is named.
  const isNamed = (name: string): boolean =>
    effective
      .find(({ path }) => path === `exporters.${name}.type`)
      ?.origins.at(-1)
      ?.where.startsWith("OTEL_") === false;
  const found = Object.entries(values.exporters).map(([name, exporter]) => {
    const signals = exporter.signals.filter((signal) => !off.has(signal));
    const config = exporterConfig({ ...exporter, signals }, files.get(`exporters.${name}.headers`));
    const detect = config.type === "otlp_grpc" && guessed.has(name) && !isNamed(name);
    return [name, detect ? { ...config, detect } : config] as const;
  });
  return Object.fromEntries(found.filter(([, { signals }]) => signals.length > 0));
}

function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) freeze(part);
  }
  return value;
}
