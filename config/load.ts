// From file, environment and flags to one checked configuration. Flags win over the environment, that
// over the file, that over the defaults.
import type { Plugin } from "../core/plugin/plugin.ts";
import { assemble } from "./assemble.ts";
import type { Config } from "./config.ts";
import { readEnvironment, variableOf } from "./environment.ts";
import { EXPORTER_TYPES, exporterTree, pemFile } from "./exporters.ts";
import { ConfigFile, exporterName, unknownKey } from "./file.ts";
import { BadValue } from "./formats.ts";
import { readOtel } from "./otel.ts";
import { composeTree, createValues, isLeaf, type Leaf, leaves, type Tree } from "./schema.ts";
import { type Environment, substitute } from "./secrets.ts";
import { type Assignment, Faults, type Origin, short } from "./source.ts";

/** Each has connections, a queue and a copy of everything. */
const EXPORTERS = 32;

/** A setting given on the command line. */
export interface Override {
  /** `plugins.tcplife.filter.include.localPort` */
  readonly path: string;
  readonly value: string;
  /** As the user wrote it, for messages: `--localport`. */
  readonly flag: string;
}

export interface Sources {
  readonly file?: string | undefined;
  readonly env: Environment;
  readonly flags: readonly Override[];
  readonly plugins: readonly Plugin[];
  /** Names of installed plugins that are not among `plugins`: their settings are not looked into. */
  readonly others?: readonly string[];
  /** What follows if anything is wrong; `nothing was started` if absent. */
  readonly outcome?: string | undefined;
}

/**
 * The configuration. Throws CONFIG_UNREADABLE for the file and CONFIG_INVALID with all that is wrong,
 * one fault per line of detail.
 */
export function loadConfig(sources: Sources): Config {
  const { file: name, env, flags, plugins, others = [], outcome } = sources;
  const faults = new Faults(outcome);
  const file = name === undefined ? undefined : new ConfigFile(name, faults);
  const names = file?.keys("exporters") ?? [];
  if (names.length > EXPORTERS) {
    const found = `${names.length} exporters are too many; at most ${EXPORTERS}`;
    faults.add(file?.where("exporters") ?? "", "exporters", found);
    faults.throwIfAny();
  }
  const types = new Map(names.map((exporter) => [exporter, typeOf(exporter, { file, env, flags })]));
  const otel = readOtel(env, { names, otlpType: types.get("otlp") }, faults);
  for (const [exporter, type] of otel.exporters) types.set(exporter, type);
  for (const { path, value } of flags) {
    const [, exporter] = /^exporters\.([^.]+)\.type$/.exec(path) ?? [];
    if (exporter !== undefined) types.set(exporter, value);
  }

  const exporters: Record<string, Tree> = {};
  for (const [exporter, type] of types) {
    if (exporterName(exporter) === undefined) exporters[exporter] = exporterTree(type);
  }
  const tree = composeTree({ plugins, others, exporters });
  const opaque = new Set(others.map((other) => `plugins.${other}`));
  const assignments = [
    ...(file?.assignments(tree, opaque, faults) ?? []),
    ...otel.assignments,
    ...readEnvironment(env, tree, opaque, faults),
    ...flags.map(({ path, value, flag }): Assignment => {
      return { path, raw: value, origin: { source: "flag", where: flag } };
    }),
  ];
  const loading = new Loading(tree, env, faults);
  for (const assignment of assignments) loading.assign(assignment);
  for (const exporter of Object.keys(exporters)) {
    const path = `exporters.${exporter}.type`;
    if (loading.has(path)) continue;
    faults.add(
      file?.where("exporters", exporter) ?? "",
      path,
      `missing; one of ${EXPORTER_TYPES.join(", ")}`,
    );
  }
  faults.throwIfAny();
  return assemble({ ...loading.result(), plugins, otel });
}

/** The type decides which settings an exporter has, so it is looked up before the rest. */
function typeOf(exporter: string, { file, env, flags }: TypeSources): string | undefined {
  const path = `exporters.${exporter}.type`;
  const flag = flags.findLast((override) => override.path === path)?.value;
  const written = flag ?? env[variableOf(path)] ?? file?.text("exporters", exporter, "type");
  try {
    return written && String(substitute(written, env).raw);
  } catch {
    return undefined; // reported where the value itself is assigned
  }
}

interface TypeSources extends Pick<Sources, "env" | "flags"> {
  readonly file: ConfigFile | undefined;
}

/** A URL's user and password are secrets wherever they stand. */
const withoutCredentials = (text: string): string => text.replace(/\/\/[^/\s@]*@/g, "//***@");

class Loading {
  readonly #tree: Tree;
  readonly #env: Environment;
  readonly #faults: Faults;
  readonly #values: ReturnType<typeof createValues>;
  readonly #origins = new Map<string, readonly Origin[]>();
  readonly #secrets = new Set<string>();
  readonly #tried = new Set<string>();
  /** The files that values of maps were read from, by path and key. */
  readonly #files = new Map<string, ReadonlyMap<string, string>>();

  constructor(tree: Tree, env: Environment, faults: Faults) {
    this.#tree = tree;
    this.#env = env;
    this.#faults = faults;
    this.#values = createValues(tree);
  }

  assign({ path, raw, origin }: Assignment): void {
    const leaf = this.#leaf(path, origin);
    if (leaf === undefined) return;
    this.#tried.add(path);
    let secret = leaf.sensitive === true;
    try {
      const isFile = leaf.reader === pemFile || origin.where.startsWith("OTEL_");
      const found = isFile ? { raw, secret: false, files: new Map() } : substitute(raw, this.#env);
      secret ||= found.secret;
      const value = leaf.reader.read(found.raw);
      const before = this.#values.get(path as never) as unknown;
      const merged = value instanceof Map && before instanceof Map ? new Map([...before, ...value]) : value;
      this.#values.set(path, merged);
      const origins = merged === value ? [] : (this.#origins.get(path) ?? []);
      this.#origins.set(path, [...origins, origin]);
      if (secret) this.#secrets.add(path);
      if (value instanceof Map) {
        const before = [...(this.#files.get(path) ?? [])].filter(([key]) => !value.has(key));
        this.#files.set(path, new Map([...before, ...found.files]));
      }
    } catch (error) {
      const got =
        error instanceof BadValue && !secret ? `, got "${short(withoutCredentials(error.part))}"` : "";
      this.#faults.add(origin.where, path, `${(error as Error).message}${got}`);
    }
  }

  #leaf(path: string, origin: Origin): Leaf | undefined {
    let node: Tree | Leaf = this.#tree;
    let above = "";
    for (const key of path.split(".")) {
      const child: Tree | Leaf | undefined =
        !isLeaf(node) && Object.hasOwn(node, key) ? node[key] : undefined;
      if (child === undefined) {
        this.#faults.add(
          origin.where,
          path,
          isLeaf(node) ? `${above} has no keys` : () => unknownKey(above, key, node as Tree),
        );
        return undefined;
      }
      node = child;
      above = above === "" ? key : `${above}.${key}`;
    }
    if (isLeaf(node)) return node;
    this.#faults.add(
      origin.where,
      path,
      `a value belongs to one of its keys: ${Object.keys(node).join(", ")}`,
    );
    return undefined;
  }

  /** Whether some source tried to give it, rightly or wrongly. */
  has(path: string): boolean {
    return this.#tried.has(path);
  }

  result() {
    this.#values.validate({ allowed: "strict" });
    const effective = [...leaves(this.#tree)].map(([path, { reader }]) => {
      const value = this.#values.get(path as never) as unknown;
      const shown =
        value === null ? undefined : this.#secrets.has(path) ? "***" : withoutCredentials(reader.show(value));
      return { path, shown, origins: this.#origins.get(path) ?? [] };
    });
    return { values: this.#values.getProperties(), effective, files: this.#files };
  }
}

/**
 * The installed plugins worth importing: all but those of which the sources say only that they are off.
 * Throws as loadConfig does for a file that cannot be read or is no YAML.
 */
export function wantedPlugins(
  installed: readonly string[],
  { file: name, env, flags, outcome }: Pick<Sources, "file" | "env" | "flags" | "outcome">,
): readonly string[] {
  const file = name === undefined ? undefined : new ConfigFile(name, new Faults(outcome));
  return installed.filter((plugin) => {
    const path = `plugins.${plugin}.enabled`;
    const flag = flags.findLast((override) => override.path === path)?.value;
    const said = flag ?? env[variableOf(path)] ?? file?.text("plugins", plugin, "enabled");
    // Settings of a plugin that the file switches off are still checked, so it is imported for them.
    return said !== "false" || (flag === undefined && (file?.keys("plugins", plugin).length ?? 0) > 1);
  });
}
