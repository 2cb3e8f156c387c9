// Names on the command line (users, namespaces, containers, interfaces) as values of settings.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { suggestion } from "../../core/base/suggest.ts";
import { type CgroupFacts, pathFacts } from "../../core/identity/cgroup.ts";
import { cgroup2Mount } from "../../core/identity/cgroup-paths.ts";
import type { Names } from "../../core/identity/names/names.ts";
import { WirespanError } from "../../core/plugin/errors.ts";

const NAMED = "/run/netns";
/** Numbers up to this one are processes: the kernel numbers namespaces from 0xf0000000 on. */
const MOST_PIDS = 2 ** 22;

/** Source of names of containers and pods; only used if one is given. */
export type AskNames = () => Promise<Pick<Names, "find" | "hasSources">>;

/** The value of an option that stands for this setting. Throws USAGE if the operand does not exist. */
export async function resolveOperand(
  setting: string,
  flag: string,
  text: string,
  names: AskNames,
): Promise<string> {
  const resolve = RESOLVERS[setting];
  if (!resolve) return text;
  const parts = await Promise.all(text.split(",").map((part) => resolve(part.trim(), flag, names)));
  return parts.join(",");
}

type Resolver = (text: string, flag: string, names: AskNames) => string | Promise<string>;

const RESOLVERS: Readonly<Record<string, Resolver>> = {
  "filter.include.pid": processOf,
  "filter.include.uid": userOf,
  "filter.include.netns": netnsOf,
  "filter.include.cgroup": cgroupOf,
  interfaces: interfaceOf,
};

function refuse(message: string): never {
  throw new WirespanError("USAGE", message);
}

function processOf(text: string, flag: string): string {
  if (/^\d+$/.test(text) && !existsSync(`/proc/${text}`))
    refuse(`${flag}: there is no process ${text} on this host.`);
  return text;
}

function userOf(text: string, flag: string): string {
  if (/^\d+$/.test(text)) return text;
  try {
    return execFileSync("id", ["-u", "--", text], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return refuse(`${flag}: there is no user ${text} on this host; a number is used as it is.`);
  }
}

function netnsOf(text: string, flag: string): string {
  if (/^pid:\d+$/.test(text)) return text;
  if (/^\d+$/.test(text)) {
    if (Number(text) > MOST_PIDS) return text;
    if (existsSync(`/proc/${text}`)) return `pid:${text}`;
    refuse(
      `${flag}: there is no process ${text} on this host, and no network namespace has so small an inode.`,
    );
  }
  const names = existsSync(NAMED) ? readdirSync(NAMED) : [];
  if (names.includes(text)) return String(statSync(join(NAMED, text)).ino);
  const hint = suggestion(text, names, names.length ? "`ip netns` lists them." : `${NAMED} has none.`);
  return refuse(`${flag}: there is no network namespace ${text}${hint}`);
}

function cgroupOf(text: string, flag: string, names: AskNames): string | Promise<string> {
  const [, kind, name = ""] = /^(container|pod):(.*)$/.exec(text) ?? [];
  if (kind === "container")
    return CONTAINER_ID.test(name) ? containerOf(name, flag) : containersOf(name, flag, names);
  if (kind === "pod") return POD_UID.test(name) ? podOf(name, flag) : podsOf(name, flag, names);
  return text;
}

const CONTAINER_ID = /^[0-9a-f-]{12,}$/;
const POD_UID = /^([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{32})$/;

/** The path of the container's cgroup. */
function containerOf(text: string, flag: string): string {
  const found = cgroups(({ containerId }) => (containerId?.startsWith(text) ? containerId : undefined));
  const [one, another] = [...found.values()];
  if (one === undefined)
    refuse(`${flag}: no container whose id begins with ${text} has a cgroup below ${mountName()}.`);
  if (another !== undefined)
    refuse(`${flag}: ${found.size} containers have ids that begin with ${text}; give more of it.`);
  return one;
}

function podOf(uid: string, flag: string): string {
  const [one] = cgroups(({ podUid }) => (podUid === uid ? uid : undefined)).values();
  return one ?? refuse(`${flag}: no pod with the uid ${uid} has a cgroup below ${mountName()}.`);
}

async function containersOf(name: string, flag: string, names: AskNames): Promise<string> {
  const known = await names();
  if (!known.hasSources)
    refuse(`${flag}: a container is named by its id or its first 12 characters or more, not "${name}".`);
  const { containers } = known.find(
    (named) => named["container.name"] === name || named["k8s.container.name"] === name,
  );
  return pathsOf(
    new Set(containers),
    ({ containerId }) => containerId,
    `${flag}: no container is called ${name}`,
  );
}

async function podsOf(text: string, flag: string, names: AskNames): Promise<string> {
  const known = await names();
  if (!known.hasSources) refuse(`${flag}: a pod is named by its uid, not "${text}".`);
  const [name, namespace] = text.split("/").reverse();
  const { pods, containers } = known.find((named) => {
    const isIn = namespace === undefined || named["k8s.namespace.name"] === namespace;
    return named["k8s.pod.name"] === name && isIn;
  });
  const wanted = new Set([...pods, ...containers]);
  const key = ({ podUid, containerId }: CgroupFacts) =>
    podUid !== undefined && wanted.has(podUid) ? podUid : containerId;
  return pathsOf(wanted, key, `${flag}: no pod is called ${text}`);
}

/** The paths of the cgroups with the requested key; throws if there are none. */
function pathsOf(
  wanted: ReadonlySet<string>,
  keyOf: (facts: CgroupFacts) => string | undefined,
  refusal: string,
): string {
  const paths = cgroups((facts) => {
    const key = keyOf(facts);
    return key !== undefined && wanted.has(key) ? key : undefined;
  });
  if (paths.size === 0)
    refuse(wanted.size === 0 ? `${refusal}.` : `${refusal} and has a cgroup below ${mountName()}.`);
  return [...paths.values()].join(",");
}

const mountName = (): string => cgroup2Mount() ?? "cgroup v2, which is not mounted";

/** The outermost cgroups that have a key, by key. */
function cgroups(keyOf: (facts: CgroupFacts) => string | undefined): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const mount = cgroup2Mount();
  const waiting = mount === undefined ? [] : ["/"];
  for (const path of waiting) {
    const key = keyOf(pathFacts(path));
    // Below it are cgroups that it has created, and containers in it.
    if (key !== undefined && !found.has(key)) found.set(key, path);
    else for (const name of foldersIn(join(mount!, path))) waiting.push(join(path, name));
  }
  return found;
}

function foldersIn(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    return []; // removed a moment ago
  }
}

function interfaceOf(text: string, flag: string): string {
  const known = interfaces();
  if (known.has(text)) return text;
  return refuse(
    `${flag}: no network namespace of this host has an interface ${text}${suggestion(text, [...known], "`ip link` lists those of this one.")}`,
  );
}

/** The interfaces of every network namespace that has a process or a name. */
export function interfaces(): ReadonlySet<string> {
  const names = new Set<string>();
  const seen = new Set<string>();
  for (const pid of readdirSync("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      const netns = readlinkSync(`/proc/${pid}/ns/net`);
      if (seen.has(netns)) continue;
      seen.add(netns);
      for (const [, name] of readFileSync(`/proc/${pid}/net/dev`, "utf8").matchAll(
        /^\s*([^\s:|]+(?::\d+)?):/gm,
      ))
        names.add(name!);
    } catch {
      // Ended a moment ago, or not readable.
    }
  }
  for (const name of existsSync(NAMED) ? readdirSync(NAMED) : []) {
    if (seen.has(`net:[${inodeOf(join(NAMED, name))}]`)) continue;
    for (const found of linksIn(name)) names.add(found);
  }
  return names;
}

function inodeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? 0;
}

function linksIn(netns: string): string[] {
  try {
    const text = execFileSync("ip", ["-n", netns, "-o", "link"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return [...text.matchAll(/^\d+: ([^:@]+)/gm)].map(([, name]) => name!);
  } catch {
    return []; // removed a moment ago, or `ip` is not installed
  }
}
