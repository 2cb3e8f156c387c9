// The agent's configuration: checked, complete, frozen.
import type { NameSettings } from "../core/identity/names/sources.ts";
import type { Filter, SettingValue } from "../core/plugin/settings.ts";
import type { ExporterConfig } from "../exporters/config.ts";
import type { Origin } from "./source.ts";

export interface PluginConfig {
  readonly enabled: boolean;
  readonly filter: Filter;
  /** Bytes of the plugin's ring: its own setting, or else `ring.bytes`. */
  readonly ring: { readonly bytes: number };
  /** What the plugin itself declared: `PluginContext.config`. */
  readonly settings: Readonly<Record<string, SettingValue>>;
}

/** Durations are milliseconds, sizes bytes. */
export interface Config {
  readonly version: 1;
  readonly strict: boolean;
  /** By name, every plugin that was imported, enabled or not. */
  readonly plugins: Readonly<Record<string, PluginConfig>>;
  /** Agent-wide; a plugin's own filter must match too. */
  readonly filter: Filter;
  readonly connections: {
    readonly accept: "none" | "syscall";
    /** 0: by the host's memory. */
    readonly limit: number;
    readonly peers: readonly string[];
  };
  readonly correlate: {
    readonly enabled: boolean;
    readonly http1: boolean;
    readonly http2: boolean;
    readonly table: boolean;
    readonly threads: "auto" | boolean;
    readonly tlsUprobe: boolean;
    readonly window: number;
    readonly connectGap: number;
    readonly rate: number;
    readonly inbound: "always" | "privatePeers" | "never";
    readonly exclude: {
      readonly localPort: readonly string[];
      readonly peerPort: readonly string[];
      readonly comm: readonly string[];
      readonly cgroup: readonly string[];
    };
  };
  readonly ids: { readonly salt: string };
  readonly spans: { readonly kind: "internal" | "client-server" };
  readonly sampling: { readonly ratio: number; readonly slow: number; readonly rate: number };
  readonly self: { readonly exclude: boolean; readonly bpfStats: boolean };
  readonly ring: { readonly core: number; readonly bytes: number; readonly drainInterval: number };
  readonly metrics: { readonly interval: number; readonly maxSeries: number };
  readonly resource: { readonly attributes: Readonly<Record<string, string>> };
  readonly identity: NameSettings & { readonly names: readonly string[] };
  readonly service: { readonly name: string };
  readonly log: {
    readonly level: "debug" | "info" | "warn" | "error" | "silent";
    readonly format: "auto" | "json" | "pretty";
  };
  readonly control: { readonly socket: string };
  readonly health: { readonly address: string };
  readonly viewer: {
    readonly enabled: "auto" | "true" | "false";
    readonly address: string;
    readonly token: string;
    readonly users: readonly number[];
    readonly file: string;
    readonly bytes: number;
    readonly rate: number;
    readonly receive: boolean;
    readonly receiveFrom: readonly number[];
    readonly recordOn: readonly "finding"[];
  };
  readonly shutdown: { readonly timeout: number };
  /** Exporters that export at least one signal, by name. */
  readonly exporters: Readonly<Record<string, ExporterConfig>>;
  /** Every setting with its effective value, in the order of the schema. */
  readonly effective: readonly Effective[];
}

/** One setting, for people. */
export interface Effective {
  readonly path: string;
  /** The text that is parsed as the value; `***` for a secret; undefined if there is none. */
  readonly shown: string | undefined;
  readonly origins: readonly Origin[];
}
