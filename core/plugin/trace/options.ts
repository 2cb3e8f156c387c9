// The long options that all tools share, as far as they apply to what a tool observes, and the short options that several
// tools have.
import type { Plugin } from "../plugin.ts";
import type { Match } from "../settings.ts";
import type { TraceOption } from "./view.ts";

interface Shared {
  readonly flags: string;
  readonly doc: string;
  readonly value?: string;
}

interface Criterion extends Shared {
  readonly criterion: keyof Match;
}

const CRITERIA: readonly Criterion[] = [
  { flags: "--pid <pids>", doc: "only these processes", criterion: "pid" },
  {
    flags: "--comm <names>",
    doc: "only these commands; name* matches names that begin with it",
    criterion: "comm",
  },
  { flags: "--user <users>", doc: "only these users, by name or number", criterion: "uid" },
  { flags: "--local-port <ports>", doc: "only these local ports and ranges", criterion: "localPort" },
  { flags: "--remote-port <ports>", doc: "only these remote ports and ranges", criterion: "remotePort" },
  {
    flags: "--address <addresses>",
    doc: "only these addresses and CIDRs, at either end",
    criterion: "address",
  },
  { flags: "--family <family>", doc: "only ipv4, ipv6 or ipv4_mapped", criterion: "family" },
  {
    flags: "--direction <direction>",
    doc: "only inbound or only outbound connections",
    criterion: "direction",
  },
  {
    flags: "--netns <netns>",
    doc: "only this network namespace: its name, inode, or a pid in it",
    criterion: "netns",
  },
  { flags: "--cgroup <path>", doc: "only this cgroup and its subtree", criterion: "cgroup" },
  {
    flags: "--container <container>",
    doc: "only this container: its id, at least its first 12 characters, or its name if identity.* configures a source of names",
    criterion: "cgroup",
    value: "container:{}",
  },
  {
    flags: "--pod <pod>",
    doc: "only this pod: its uid, or its name or namespace/name if identity.* configures a source of names",
    criterion: "cgroup",
    value: "pod:{}",
  },
];

const OTHERS: readonly (Shared & { readonly setting: string })[] = [
  {
    flags: "--min-duration <time>",
    doc: "only what took at least this long: 10ms",
    setting: "filter.minDuration",
  },
  { flags: "--failed", doc: "only failures", setting: "filter.failuresOnly", value: "true" },
];

/** Short options of bcc that several of its tools have. */
export const options = {
  timestamp: { flags: "-t, --timestamp", doc: "print seconds since the first row" },
  time: { flags: "-T, --time", doc: "print the wall-clock time (HH:MM:SS)" },
  pid: { flags: "-p, --pid <pid>", doc: "only this process", setting: "filter.include.pid" },
  uid: { flags: "-u, --uid <uid>", doc: "only this user", setting: "filter.include.uid" },
  printUid: { flags: "-U, --print-uid", doc: "print the user" },
  localPort: { flags: "-L, --lport", doc: "print the local port" },
  failures: {
    flags: "-x, --failures",
    doc: "only failures",
    setting: "filter.failuresOnly",
    value: "true",
  },
  failedAtOnce: {
    flags: "--failed-at-once",
    doc: "also attempts that fail before a SYN is sent (slows down every system call a little)",
    setting: "failedAtOnce",
    value: "true",
  },
  family: [
    { flags: "-4, --ipv4", doc: "only IPv4", setting: "filter.include.family", value: "ipv4" },
    { flags: "-6, --ipv6", doc: "only IPv6", setting: "filter.include.family", value: "ipv6" },
  ],
  cgroupMaps: [
    {
      flags: "--cgroupmap <path>",
      doc: "only cgroups that are keys of this pinned BPF map",
      setting: "filter.cgroupMap",
    },
    {
      flags: "--mntnsmap <path>",
      doc: "only mount namespaces that are keys of this pinned BPF map",
      setting: "filter.mntnsMap",
    },
  ],
} as const satisfies Record<string, TraceOption | readonly TraceOption[]>;

/** An option for ports of one end: `ports("-P, --port <ports>", "remote")`. */
export const ports = (flags: string, end: "local" | "remote"): TraceOption => ({
  flags,
  doc: `only these ${end} ports and ranges`,
  setting: `filter.include.${end}Port`,
});

/** Rows of packets can be limited to one interface. */
export const INTERFACE: TraceOption = { flags: "--interface <name>", doc: "only this interface" };

/** `--local-port <ports>` is `local-port`. */
export const longName = ({ flags }: { readonly flags: string }): string =>
  /--([a-z0-9-]+)/i.exec(flags)?.[1] ?? "";

/** The shared options of a tool, and why it does not have the others. */
export interface SharedOptions {
  readonly options: readonly TraceOption[];
  /** The options that do not apply to it, with the reason, a clause. */
  readonly refused: readonly { readonly flags: string; readonly why: string }[];
}

/** All shared options except those that the tool defines itself. */
export function sharedOptions(plugin: Plugin): SharedOptions {
  const { trace, filters } = plugin;
  const own = new Set(trace.options.map(longName));
  const means = trace.meansNothing;
  const all: readonly (TraceOption & { readonly applies: boolean })[] = [
    ...CRITERIA.map(({ criterion, ...option }) => ({
      ...option,
      setting: `filter.include.${criterion}`,
      applies: filters === undefined || filters.includes(criterion),
    })),
    ...OTHERS.map((option) => ({ ...option, applies: filters === undefined })),
    { ...INTERFACE, ...interfaceSetting(plugin), applies: hasInterfaces(plugin) },
  ];
  const wanted = all.filter((option) => !own.has(longName(option)));
  const whyNot = (option: TraceOption & { readonly applies: boolean }) =>
    means?.[longName(option)] ??
    (option.applies ? undefined : (means?.["*"] ?? WHY[longName(option)] ?? NOTHING));
  return {
    options: wanted
      .filter((option) => whyNot(option) === undefined)
      .map(({ applies: _, ...option }) => option),
    refused: wanted.flatMap((option) => {
      const why = whyNot(option);
      return why === undefined ? [] : [{ flags: option.flags, why }];
    }),
  };
}

const NOTHING = "it does not apply to what this tool observes";
const WHY: Readonly<Record<string, string>> = {
  interface: "a connection is not bound to an interface",
};

function interfaceSetting({ config }: Plugin): { readonly setting?: string } {
  return "interfaces" in config ? { setting: "interfaces" } : {};
}

function hasInterfaces({ config, signals, trace }: Plugin): boolean {
  if ("interfaces" in config) return true;
  const names = typeof trace.rows === "function" ? [] : [trace.rows].flat();
  const rows = Object.values(signals).filter(({ name }) => names.includes(name));
  return rows.some(({ attributes }) => "network.interface.name" in attributes);
}
