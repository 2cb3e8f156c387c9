// The YAML file: read once, with the line of every key.
import { createRequire } from "node:module";
import type { Alias, Node, Pair, Scalar, YAMLMap } from "yaml";
import { suggest } from "../core/base/suggest.ts";
import { WirespanError } from "../core/plugin/errors.ts";
import type { Raw } from "./formats.ts";
import { readText } from "./read.ts";
import { removal } from "./removed.ts";
import type { Assignment, ConfigErrors, Origin } from "./source.ts";
import { isLeaf, type Leaf, leaves, type Tree } from "./tree.ts";

type Yaml = typeof import("yaml");

/** Replaces the parser's message when its stack overflows. */
const TOO_DEEP = "it is nested too deeply";

/** Maximum number of aliases in a file. */
const ALIASES = 100;

/** A configuration file's keys and values; the schema is not known yet. */
export class ConfigFile {
  readonly #name: string;
  readonly #yaml: Yaml;
  readonly #document: ReturnType<Yaml["parseDocument"]>;
  readonly #line: (offset: number) => number;

  /** Throws CONFIG_UNREADABLE, or CONFIG_INVALID if it is not YAML. `name` is its name in messages. */
  constructor(name: string, errors: ConfigErrors) {
    this.#name = name;
    const text = read(name);
    // Loaded only if there is a file, because it adds 30 ms to the agent's startup.
    this.#yaml = createRequire(import.meta.url)("yaml") as Yaml;
    const counter = new this.#yaml.LineCounter();
    this.#line = (offset) => counter.linePos(offset).line;
    // Without prettyErrors, because those quote the source, which may contain secrets; duplicates are found below,
    // where their names are known.
    this.#document = this.#parse(text, counter, errors);
    for (const problem of [...this.#document.errors, ...this.#document.warnings]) {
      const { line, col } = counter.linePos(problem.pos[0]);
      const why = problem.message.includes("call stack") ? TOO_DEEP : problem.message;
      errors.add(`${name}:${line}:${col}`, "", `not valid YAML: ${why}`);
    }
    let aliases = 0;
    this.#yaml.visit(this.#document, {
      Alias: (_, alias) => {
        // Resolving each of them requires a walk through the file.
        if (++aliases > ALIASES) {
          errors.add(this.#at(alias), "", `more than ${ALIASES} aliases; write some of them out`);
          return this.#yaml.visit.BREAK;
        }
        if (alias.resolve(this.#document) !== undefined) return undefined;
        const message = `alias *${alias.source} is undefined`;
        errors.add(this.#at(alias), "", message);
        return undefined;
      },
    });
    errors.throwIfAny();
  }

  #parse(text: string, lineCounter: InstanceType<Yaml["LineCounter"]>, errors: ConfigErrors) {
    try {
      return this.#yaml.parseDocument(text, { lineCounter, prettyErrors: false, uniqueKeys: false });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      errors.add(this.#name, "", `not valid YAML: ${TOO_DEEP}`);
      return this.#yaml.parseDocument("");
    }
  }

  /** The keys of the map at `path`; none if there is no map. */
  keys(...path: string[]): string[] {
    const node = this.#find(path);
    return this.#yaml.isMap(node) ? node.items.flatMap((pair) => this.#key(pair) ?? []) : [];
  }

  /** The text at `path`; undefined if there is none. */
  text(...path: string[]): string | undefined {
    const node = this.#find(path);
    return this.#yaml.isScalar(node) ? textOf(node) : undefined;
  }

  /** `wirespan.yaml:12`, of the value at `path`. */
  where(...path: string[]): string {
    return this.#at(this.#find(path));
  }

  /** The value of every leaf of `tree`; everything else is an error. `opaque` paths are not checked. */
  assignments(tree: Tree, opaque: ReadonlySet<string>, errors: ConfigErrors): Assignment[] {
    const found: Assignment[] = [];
    const root = this.#resolve(this.#document.contents);
    if (root !== undefined) this.#section(root, tree, "", { found, opaque, errors });
    return found;
  }

  #section(node: Node, tree: Tree, path: string, walk: Walk): void {
    if (this.#isNothing(node)) return;
    const { enabled } = tree;
    if (this.#yaml.isScalar(node) && enabled !== undefined && isLeaf(enabled)) {
      this.#leaf(node, enabled, `${path}.enabled`, this.#at(node), walk);
      return;
    }
    if (!this.#yaml.isMap(node)) {
      walk.errors.add(this.#at(node), path, `expected keys (${Object.keys(tree).join(", ")}) with values`);
      return;
    }
    for (const [key, pair] of this.#pairs(node, path, walk.errors)) {
      const at = path === "" ? key : `${path}.${key}`;
      const child = Object.hasOwn(tree, key) ? tree[key] : undefined;
      const value = this.#resolve(pair.value);
      if (child === undefined) {
        walk.errors.add(this.#at(pair.key), at, () => unknownKey(path, key, tree));
      } else if (walk.opaque.has(at) || value === undefined) {
      } else if (isLeaf(child)) {
        this.#leaf(value, child, at, this.#at(pair.key), walk);
      } else {
        this.#section(value, child, at, walk);
      }
    }
  }

  #leaf(node: Node, leaf: Leaf, path: string, where: string, walk: Walk): void {
    const raw = this.#raw(node, path, leaf, walk.errors);
    if (raw === undefined) return;
    const origin: Origin = { source: "file", where };
    walk.found.push({ path, raw, origin });
  }

  #raw(node: Node, path: string, { reader }: Leaf, errors: ConfigErrors): Raw | undefined {
    const { isMap, isScalar, isSeq } = this.#yaml;
    if (isScalar(node) && !this.#isNothing(node)) return textOf(node);
    if (isSeq(node) && reader.shape === "list") {
      const items = node.items.map((item) => this.#resolve(item));
      if (items.every((item) => isScalar(item) && !this.#isNothing(item))) {
        return items.map((item) => textOf(item as Scalar));
      }
    }
    if (isMap(node) && reader.shape === "map") {
      const entries = [...this.#pairs(node, path, errors)].map(
        ([key, pair]) => [key, this.#resolve(pair.value)] as const,
      );
      if (entries.every(([, item]) => isScalar(item) && !this.#isNothing(item))) {
        return new Map(entries.map(([key, item]) => [key, textOf(item as Scalar)]));
      }
    }
    const got = this.#isNothing(node) ? "nothing" : isMap(node) ? "a map" : "a list";
    errors.add(this.#at(node), path, `expected ${reader.expected}, got ${got}`);
    return undefined;
  }

  *#pairs(map: YAMLMap, path: string, errors: ConfigErrors): Generator<readonly [string, Pair]> {
    const seen = new Set<string>();
    for (const pair of map.items) {
      const key = this.#key(pair);
      const at = path === "" ? key : `${path}.${key}`;
      if (key === undefined) {
        errors.add(this.#at(pair.key), path, "a key must be a text");
      } else if (seen.has(key)) {
        errors.add(this.#at(pair.key), at ?? "", "duplicate key");
      } else {
        seen.add(key);
        yield [key, pair];
      }
    }
  }

  #key(pair: Pair): string | undefined {
    return this.#yaml.isScalar(pair.key) ? textOf(pair.key) : undefined;
  }

  #find(path: readonly string[]): Node | undefined {
    let node = this.#resolve(this.#document.contents);
    for (const key of path) {
      if (!this.#yaml.isMap(node)) return undefined;
      node = this.#resolve(node.items.find((pair) => this.#key(pair) === key)?.value);
    }
    return node;
  }

  #resolve(node: unknown): Node | undefined {
    const found = this.#yaml.isAlias(node) ? (node as Alias).resolve(this.#document) : node;
    return this.#yaml.isNode(found) ? found : undefined;
  }

  #isNothing(node: Node): boolean {
    return this.#yaml.isScalar(node) && node.value === null;
  }

  #at(node: unknown): string {
    const offset = this.#yaml.isNode(node) ? (node.range?.[0] ?? 0) : 0;
    return `${this.#name}:${this.#line(offset)}`;
  }
}

interface Walk {
  readonly found: Assignment[];
  readonly opaque: ReadonlySet<string>;
  readonly errors: ConfigErrors;
}

/** Why `key` is not one of `tree`'s, with a suggestion from here or below. */
export function unknownKey(path: string, key: string, tree: Tree): string {
  const known = Object.keys(tree);
  if (path === "exporters")
    return exporterName(key) ?? "there is no such exporter; exporters are named in the file";
  const removed = removal(`${path}.${key}`);
  if (removed !== undefined) return removed;
  const kind = path === "plugins" ? "plugin" : "key";
  const below = new Map([...leaves(tree)].map(([at]) => [at.slice(at.lastIndexOf(".") + 1), at]));
  const near = suggest(key, known) ?? below.get(suggest(key, below.keys()) ?? "");
  return `unknown ${kind}; ${near === undefined ? `known: ${known.join(", ") || "none"}` : `did you mean ${near}?`}`;
}

/** Why this is not a valid name for an exporter; undefined if it is. */
export function exporterName(name: string): string | undefined {
  if (Object.hasOwn(Object.prototype, name)) return "not a valid exporter name; choose another one";
  if (/^[A-Za-z][A-Za-z0-9_-]{0,99}$/.test(name)) return undefined;
  return "an exporter's name is made of letters, digits, - and _";
}

/** As written: 0755 and 1e3 are parsed by our own formats, not by YAML. */
function textOf(node: Scalar): string {
  return typeof node.value === "string" ? node.value : (node.source ?? String(node.value));
}

/** Bytes; a file with all existing settings is a hundredth of that. */
const LARGEST = 1024 ** 2;

function read(name: string): string {
  try {
    return readText(name, LARGEST);
  } catch (cause) {
    const why = (cause as Error).message;
    throw new WirespanError("CONFIG_UNREADABLE", `Cannot read the configuration ${name}: ${why}.`, { cause });
  }
}
