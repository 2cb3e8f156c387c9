// What people name on the command line (users, namespaces, containers, interfaces), as the settings take it.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { suggestion } from "../../core/base/suggest.ts";
import { pathFacts } from "../../core/identity/cgroup.ts";
import { cgroup2Mount } from "../../core/identity/cgroup-paths.ts";
import { WirespanError } from "../../core/plugin/errors.ts";

const NAMED = "/run/netns";
/** Numbers up to this one are processes: the kernel numbers namespaces from 0xf0000000 on. */
const MOST_PIDS = 2 ** 22;

/** The text of an option that stands for this setting as the setting takes it. Throws USAGE for what is not there. */
export function resolveOperand(setting: string, flag: string, text: string): string {
  const resolve = RESOLVERS[setting];
  if (!resolve) return text;
  return text
    .split(",")
    .map((part) => resolve(part.trim(), flag))
    .join(",");
}

const RESOLVERS: Readonly<Record<string, (text: string, flag: string) => string>> = {
  "filter.include.pid": processOf,
  "filter.include.uid": userOf,
  "filter.include.netns": netnsOf,
  "filter.include.cgroup": (text, flag) =>
    text.startsWith("container:") ? containerOf(text.slice("container:".length), flag) : text,
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

/** The path of the container's cgroup. */
function containerOf(text: string, flag: string): string {
  if (!/^[0-9a-f-]{12,}$/.test(text)) {
    refuse(`${flag}: a container is named by its id or its first 12 characters or more, not "${text}".`);
  }
  const found = new Map<string, string>();
  const mount = cgroup2Mount();
  const waiting = mount === undefined ? [] : ["/"];
  for (const path of waiting) {
    const id = pathFacts(path).containerId;
    // Below it are cgroups of its own making, and containers in it.
    if (id?.startsWith(text) && !found.has(id)) found.set(id, path);
    else for (const name of foldersIn(join(mount!, path))) waiting.push(join(path, name));
  }
  const [one, another] = [...found.values()];
  if (one === undefined)
    refuse(
      `${flag}: no container whose id begins with ${text} has a cgroup below ${mount ?? "cgroup v2, which is not mounted"}.`,
    );
  if (another !== undefined)
    refuse(`${flag}: ${found.size} containers have ids that begin with ${text}; give more of it.`);
  return one;
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

/** The interfaces of every network namespace that a process is in or that has a name. */
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
      // Ended a moment ago, or not ours to look at.
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
    return []; // removed a moment ago, or there is no ip
  }
}
