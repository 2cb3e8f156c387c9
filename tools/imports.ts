// Defines which folder may import which: one direction, with explicit exceptions. Tests and tools may import anything.
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import process from "node:process";

/** A file and what it imports; both paths are relative to the root of the repository. */
export interface Import {
  readonly from: string;
  readonly to: string;
  /** Only types are imported: nothing is loaded. */
  readonly typesOnly: boolean;
}

/** For each folder, the folders that its files may import in addition to their own. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  native: [],
  "core/base": [],
  "core/plugin": ["core/base"],
  "core/bridge": ["core/base", "core/plugin", "native"],
  "core/identity": ["core/base", "core/plugin", "core/bridge", "native"],
  exporters: ["core/base", "core/plugin", "core/bridge"],
  config: ["core/base", "core/plugin", "core/identity", "exporters"],
  "core/engine": ["core/base", "core/plugin", "core/bridge", "core/identity", "config", "native", "bpf"],
  agent: ["core/base", "core/plugin", "core/bridge", "core/identity", "core/engine"].concat([
    "config",
    "exporters",
    "native",
    "bpf",
  ]),
  cli: ["core/base", "core/plugin", "core/bridge", "core/identity", "core/engine"].concat([
    "agent",
    "config",
    "exporters",
    "native",
    "bpf",
    "store",
  ]),
  bpf: [],
  // A separate process, which receives what the exporter writes and nothing else from the agent.
  store: ["core/base", "core/plugin", "exporters"],
  // Each plugin is a folder of its own, and may not import another plugin.
  plugins: ["core/plugin"],
};

interface Exception {
  readonly from: RegExp;
  readonly to: RegExp;
  readonly typesOnly?: true;
  readonly reason: string;
}

const EXCEPTIONS: readonly Exception[] = [
  {
    from: /\.skel\.ts$/,
    to: /^core\/(bridge\/runtime|plugin\/skeleton)\.ts$|\.skel\.ts$/,
    reason: "generated: the readers of records call their run time, and share the structs of the tracker",
  },
  {
    from: /^core\/plugin\/(connection|services)\.ts$/,
    to: /^bpf\/tracker\/tracker\.skel\.ts$/,
    typesOnly: true,
    reason: "the tracker's records are what a plugin is given; their types are generated",
  },
  {
    from: /^core\/plugin\/connection\.ts$/,
    to: /^bpf\/include\/wirespan\/structs\.skel\.ts$/,
    reason: "a plugin states where in the tracker's records the values lie that it adds to a span",
  },
];

/** The imports of a file's text. `path` and what it names are relative to the root of the repository. */
export function importsOf(path: string, text: string): Import[] {
  const statement =
    /^(?:import|export)\s+(?<type>type\s)?(?<names>[^"';]*?\sfrom\s*)?"(?<a>\.[^"]+)"|(?<typeof>typeof\s+)?\b(?:import|require)\(\s*"(?<b>\.[^"]+)"/gm;
  return [...text.matchAll(statement)].map(({ groups = {} }) => {
    const to = normalize(join(dirname(path), groups.a ?? groups.b!));
    const { names = "" } = groups;
    const each = /\{(.*)\}/s
      .exec(names)?.[1]
      ?.split(",")
      .filter((name) => name.trim() !== "");
    const allTypes = each?.every((name) => /^\s*type\s/.test(name)) === true && /^\s*\{/.test(names);
    return {
      from: path,
      to,
      typesOnly: groups.type !== undefined || groups.typeof !== undefined || allTypes,
    };
  });
}

/** The folder of MAY_IMPORT that contains a file; each plugin is one of its own. */
function folderOf(path: string): string | undefined {
  const plugin = /^plugins\/[^/]+/.exec(path)?.[0];
  if (plugin !== undefined) return plugin;
  return Object.keys(MAY_IMPORT).find((folder) => path.startsWith(`${folder}/`));
}

/** Why an import is refused; undefined if it is allowed. */
export function refusal(one: Import): string | undefined {
  const from = folderOf(one.from);
  const to = folderOf(one.to);
  if (from === undefined) return `${one.from} is in no folder that tools/imports.ts lists`;
  const isTest = one.to.endsWith(".test.ts");
  if ((from === to && !isTest) || one.to === "package.json") return undefined;
  const allowed = MAY_IMPORT[from.startsWith("plugins/") ? "plugins" : from]!;
  if (to !== undefined && allowed.includes(to) && !isTest) return undefined;
  const excepted = EXCEPTIONS.some(
    (exception) =>
      exception.from.test(one.from) && exception.to.test(one.to) && (!exception.typesOnly || one.typesOnly),
  );
  if (excepted) return undefined;
  const known = allowed.length > 0 ? `only ${allowed.join(", ")} and itself` : "only itself";
  return `${one.from} imports ${one.to}: ${from} may import ${known} (tools/imports.ts)`;
}

/** The refused imports of all files of the product below the current directory. */
export function refusedImports(): string[] {
  const files = globSync("{native,core,exporters,config,agent,cli,bpf,store,plugins}/**/*.ts", {
    exclude: ["**/*.test.ts", "**/node_modules/**"],
  });
  return files
    .sort()
    .flatMap((path) => importsOf(path, readFileSync(path, "utf8")))
    .flatMap((one) => refusal(one) ?? []);
}

if (import.meta.main) {
  const refused = refusedImports();
  for (const line of refused) process.stderr.write(`${line}\n`);
  process.exitCode = refused.length > 0 ? 1 : 0;
}
