// Settings as plain data, from which config/ derives schema, environment names, flags and docs. Tests:
// config/json-schema.test.ts.

export type Format =
  | "boolean"
  | "count"
  | "duration"
  | "size"
  | "string"
  | "strings"
  | "ports"
  | "cidrs"
  | readonly string[];

export interface Setting {
  readonly doc: string;
  /**
   * `duration`: milliseconds, written `500ms`, `10s`, `5m`; `size`: bytes, written `32MiB`;
   * `ports`: list of ports and ranges (`22`, `8000-8999`); `cidrs`: list of addresses and CIDRs;
   * a list of strings: one of them.
   */
  readonly format: Format;
  readonly default: SettingValue;
}

export type SettingValue = boolean | number | string | readonly string[];

export type Settings = Readonly<Record<string, Setting>>;

/** Any string, if the format is not known. */
type Value<F extends Format> = Format extends F
  ? SettingValue
  : F extends readonly string[]
    ? F[number]
    : F extends "boolean"
      ? boolean
      : F extends "count" | "duration" | "size"
        ? number
        : F extends "string"
          ? string
          : readonly string[];

/** The values a plugin gets: validated, frozen. */
export type SettingsOf<S extends Settings> = { readonly [K in keyof S]: Value<S[K]["format"]> };

/** Criteria that a connection or process must (or must not) meet. Empty lists are ignored. */
export interface Match {
  readonly pid: readonly string[];
  readonly comm: readonly string[];
  readonly uid: readonly string[];
  /** Paths under the cgroup mount; the whole subtree matches. */
  readonly cgroup: readonly string[];
  /** Network namespaces: inode numbers as printed by `lsns`, or `pid:1234`. */
  readonly netns: readonly string[];
  readonly localPort: readonly string[];
  readonly remotePort: readonly string[];
  readonly localAddress: readonly string[];
  readonly remoteAddress: readonly string[];
  /** Port of either end. */
  readonly address: readonly string[];
  readonly family: readonly string[];
  readonly direction: readonly string[];
}

/** The filter criteria of a plugin's settings. */
export interface PartialFilter extends Partial<Omit<Filter, "include" | "exclude">> {
  readonly include?: Partial<Match>;
  readonly exclude?: Partial<Match>;
}

/** Evaluated in the kernel on the final tuple and the true owner. */
export interface Filter {
  readonly include: Match;
  readonly exclude: Match;
  /** Milliseconds, may be fractional. */
  readonly minDuration: number;
  readonly failuresOnly: boolean;
  /** Path of a pinned map whose keys are ids of cgroups, or of mount namespaces; empty: none. */
  readonly cgroupMap: string;
  readonly mntnsMap: string;
}
