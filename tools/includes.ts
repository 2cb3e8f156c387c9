// Defines which C headers a BPF program may include: headers for plugins do not depend on the tracker, and a plugin includes
// only these and its own.
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import process from "node:process";

const HEADERS = "bpf/include/";

/**
 * For each folder, the folders whose headers its files may include in addition to their own; a plugin is a folder of
 * its own.
 */
const MAY_INCLUDE: Readonly<Record<string, readonly string[]>> = {
  "bpf/include/wirespan": [],
  "bpf/tracker": ["bpf/include/wirespan"],
  "bpf/context": ["bpf/include/wirespan", "bpf/tracker"],
  "bpf/living": ["bpf/include/wirespan"],
  plugins: ["bpf/include/wirespan"],
};

function folderOf(path: string): string | undefined {
  const plugin = /^plugins\/[^/]+/.exec(path)?.[0];
  if (plugin !== undefined) return plugin;
  return Object.keys(MAY_INCLUDE).find((folder) => path.startsWith(`${folder}/`));
}

/** The headers that a file's text includes, relative to the root of the repository; libbpf's are omitted. */
export function includesOf(path: string, text: string): string[] {
  const directives = text.matchAll(/^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)/gm);
  return [...directives].flatMap(([, quoted, angled]) => {
    if (quoted !== undefined) return [normalize(join(dirname(path), quoted))];
    return angled!.startsWith("bpf/") ? [] : [normalize(HEADERS + angled)];
  });
}

/** Why each refused include of a file is refused. */
export function refusedIncludes(path: string, text: string): string[] {
  const from = folderOf(path);
  if (from === undefined) return [`${path} is in no folder that tools/includes.ts lists`];
  const allowed = MAY_INCLUDE[from.startsWith("plugins/") ? "plugins" : from]!;
  return includesOf(path, text).flatMap((header) => {
    const to = folderOf(header);
    if (to !== undefined && (to === from || allowed.includes(to))) return [];
    const known = [...allowed, from].join(" and ");
    return [`${path} includes ${header}: it may include headers of ${known} only (tools/includes.ts)`];
  });
}

/** The refused includes of all programs and headers below the current directory. */
export function allRefusedIncludes(): string[] {
  const files = globSync(["bpf/**/*.{c,h}", "plugins/**/*.{c,h}"]).sort();
  return files.flatMap((path) => refusedIncludes(path, readFileSync(path, "utf8")));
}

if (import.meta.main) {
  const refused = allRefusedIncludes();
  for (const line of refused) console.error(line);
  if (refused.length > 0) process.exitCode = 1;
}
