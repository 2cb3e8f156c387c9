// From assignments to the values of settings, each with its source. Tests: config/load.test.ts.
import convict from "convict";
import { pemFile } from "./exporters.ts";
import { unknownKey } from "./file.ts";
import { BadValue } from "./formats.ts";
import { type Environment, substitute } from "./secrets.ts";
import { type Assignment, type ConfigErrors, type Origin, short } from "./source.ts";
import { isLeaf, type Leaf, leaves, type Tree } from "./tree.ts";

/** A URL's user and password, and its query, which may contain a key, are secrets wherever they occur. */
const withoutCredentials = (text: string): string =>
  text.replace(/\/\/[^/\s@]*@/g, "//***@").replace(/(:\/\/[^\s?]*\?)[^\s,]+/g, "$1***");

/** The value of every setting with its sources; convict holds the values and their defaults. */
export class Values {
  readonly #tree: Tree;
  readonly #env: Environment;
  readonly #errors: ConfigErrors;
  readonly #values: convict.Config<Record<string, unknown>>;
  readonly #origins = new Map<string, readonly Origin[]>();
  readonly #secrets = new Set<string>();
  readonly #tried = new Set<string>();
  /** The files that values of maps were read from, by path and key. */
  readonly #files = new Map<string, ReadonlyMap<string, string>>();

  constructor(tree: Tree, env: Environment, errors: ConfigErrors) {
    this.#tree = tree;
    this.#env = env;
    this.#errors = errors;
    this.#values = convict(schemaOf(tree));
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
      const before = this.#values.get(path);
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
      this.#errors.add(origin.where, path, `${(error as Error).message}${got}`);
    }
  }

  #leaf(path: string, origin: Origin): Leaf | undefined {
    let node: Tree | Leaf = this.#tree;
    let above = "";
    for (const key of path.split(".")) {
      const child: Tree | Leaf | undefined =
        !isLeaf(node) && Object.hasOwn(node, key) ? node[key] : undefined;
      if (child === undefined) {
        this.#errors.add(
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
    this.#errors.add(
      origin.where,
      path,
      `a value belongs to one of its keys: ${Object.keys(node).join(", ")}`,
    );
    return undefined;
  }

  /** Whether any source set it, even with an invalid value. */
  has(path: string): boolean {
    return this.#tried.has(path);
  }

  result() {
    const values = this.#values.getProperties();
    const effective = [...leaves(this.#tree)].map(([path, { reader }]) => {
      const value = path.split(".").reduce((node: unknown, key) => (node as Tree)[key], values);
      const shown =
        value === null ? undefined : this.#secrets.has(path) ? "***" : withoutCredentials(reader.show(value));
      return { path, shown, origins: this.#origins.get(path) ?? [] };
    });
    return { values, effective, files: this.#files };
  }
}

/** Accepts any value: it was parsed by the setting's reader, which is the only validator. */
function schemaOf(tree: Tree): convict.Schema<Record<string, unknown>> {
  const schema: Record<string, unknown> = {};
  for (const [key, node] of Object.entries(tree)) {
    schema[key] = isLeaf(node)
      ? { default: node.default, doc: node.doc, format: "*", sensitive: node.sensitive === true }
      : schemaOf(node);
  }
  return schema as convict.Schema<Record<string, unknown>>;
}
