// The YAML file: read once, with the line of every key.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Alias, Node, Pair, Scalar, YAMLMap } from "yaml";
import { WirespanError } from "../core/errors.ts";
import { nearest } from "../core/nearest.ts";
import type { Raw } from "./formats.ts";
import { isLeaf, type Leaf, leaves, type Tree } from "./schema.ts";
import type { Assignment, Faults, Origin } from "./source.ts";

type Yaml = typeof import("yaml");

/** A configuration file's keys and values; the schema is not known yet. */
export class ConfigFile {
  readonly #name: string;
  readonly #yaml: Yaml;
  readonly #document: ReturnType<Yaml["parseDocument"]>;
  readonly #line: (offset: number) => number;

  /** Throws CONFIG_UNREADABLE, or CONFIG_INVALID where it is no YAML. `name` is how messages call it. */
  constructor(name: string, faults: Faults) {
    this.#name = name;
    const text = read(name);
    // Loaded only where there is a file: it costs 30 ms of the agent's start.
    this.#yaml = createRequire(import.meta.url)("yaml") as Yaml;
    const counter = new this.#yaml.LineCounter();
    this.#line = (offset) => counter.linePos(offset).line;
    // Without prettyErrors, because those quote the source, which may hold secrets; duplicates are
    // found below, where their names are known.
    this.#document = this.#yaml.parseDocument(text, {
      lineCounter: counter,
      prettyErrors: false,
      uniqueKeys: false,
    });
    for (const problem of [...this.#document.errors, ...this.#document.warnings]) {
      const { line, col } = counter.linePos(problem.pos[0]);
      faults.add(`${name}:${line}:${col}`, "", `not valid YAML: ${problem.message}`);
    }
    this.#yaml.visit(this.#document, {
      Alias: (_, alias) => {
        if (alias.resolve(this.#document) === undefined) {
          faults.add(
            this.#at(alias),
            "",
            `*${alias.source} stands for nothing: there is no &${alias.source} before it`,
          );
        }
      },
    });
    faults.throwIfAny();
  }

  /** The keys of the map at `path`; none where there is no map. */
  keys(...path: string[]): string[] {
    const node = this.#find(path);
    return this.#yaml.isMap(node) ? node.items.flatMap((pair) => this.#key(pair) ?? []) : [];
  }

  /** The text at `path`; undefined where there is none. */
  text(...path: string[]): string | undefined {
    const node = this.#find(path);
    return this.#yaml.isScalar(node) ? textOf(node) : undefined;
  }

  /** `wirespan.yaml:12`, of the value at `path`. */
  where(...path: string[]): string {
    return this.#at(this.#find(path));
  }

  /** Every value that stands at a leaf of `tree`; all else is a fault. `opaque` paths are not looked into. */
  assignments(tree: Tree, opaque: ReadonlySet<string>, faults: Faults): Assignment[] {
    const found: Assignment[] = [];
    const root = this.#resolve(this.#document.contents);
    if (root !== undefined) this.#section(root, tree, "", { found, opaque, faults });
    return found;
  }

  #section(node: Node, tree: Tree, path: string, walk: Walk): void {
    if (this.#isNothing(node)) return;
    if (!this.#yaml.isMap(node)) {
      walk.faults.add(this.#at(node), path, `expected keys (${Object.keys(tree).join(", ")}) with values`);
      return;
    }
    for (const [key, pair] of this.#pairs(node, path, walk.faults)) {
      const at = path === "" ? key : `${path}.${key}`;
      const child = Object.hasOwn(tree, key) ? tree[key] : undefined;
      const value = this.#resolve(pair.value);
      if (child === undefined) {
        walk.faults.add(this.#at(pair.key), at, unknownKey(path, key, tree));
      } else if (walk.opaque.has(at) || value === undefined) {
      } else if (isLeaf(child)) {
        this.#leaf(value, child, at, this.#at(pair.key), walk);
      } else {
        this.#section(value, child, at, walk);
      }
    }
  }

  #leaf(node: Node, leaf: Leaf, path: string, where: string, walk: Walk): void {
    const raw = this.#raw(node, path, leaf, walk.faults);
    if (raw === undefined) return;
    const origin: Origin = { source: "file", where };
    walk.found.push({ path, raw, origin });
  }

  #raw(node: Node, path: string, { reader }: Leaf, faults: Faults): Raw | undefined {
    const { isMap, isScalar, isSeq } = this.#yaml;
    if (isScalar(node) && !this.#isNothing(node)) return textOf(node);
    if (isSeq(node) && reader.shape === "list") {
      const items = node.items.map((item) => this.#resolve(item));
      if (items.every((item) => isScalar(item) && !this.#isNothing(item))) {
        return items.map((item) => textOf(item as Scalar));
      }
    }
    if (isMap(node) && reader.shape === "map") {
      const entries = [...this.#pairs(node, path, faults)].map(
        ([key, pair]) => [key, this.#resolve(pair.value)] as const,
      );
      if (entries.every(([, item]) => isScalar(item) && !this.#isNothing(item))) {
        return new Map(entries.map(([key, item]) => [key, textOf(item as Scalar)]));
      }
    }
    const got = this.#isNothing(node) ? "nothing" : isMap(node) ? "a map" : "a list";
    faults.add(this.#at(node), path, `expected ${reader.expected}, got ${got}`);
    return undefined;
  }

  *#pairs(map: YAMLMap, path: string, faults: Faults): Generator<readonly [string, Pair]> {
    const seen = new Set<string>();
    for (const pair of map.items) {
      const key = this.#key(pair);
      const at = path === "" ? key : `${path}.${key}`;
      if (key === undefined) {
        faults.add(this.#at(pair.key), path, "a key must be a text");
      } else if (seen.has(key)) {
        faults.add(this.#at(pair.key), at ?? "", "this key stands here twice");
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
  readonly faults: Faults;
}

/** Why `key` is not one of `tree`'s, naming the nearest here or below. */
export function unknownKey(path: string, key: string, tree: Tree): string {
  const known = Object.keys(tree);
  if (path === "exporters") return "an exporter's name is made of letters, digits, - and _";
  const kind = path === "plugins" ? "plugin" : "key";
  const below = new Map([...leaves(tree)].map(([at]) => [at.slice(at.lastIndexOf(".") + 1), at]));
  const near = nearest(key, known) ?? below.get(nearest(key, below.keys()) ?? "");
  return `unknown ${kind}; ${near === undefined ? `known: ${known.join(", ") || "none"}` : `did you mean ${near}?`}`;
}

/** As written: 0755 and 1e3 are for our own formats to read, not for YAML's. */
function textOf(node: Scalar): string {
  return typeof node.value === "string" ? node.value : (node.source ?? String(node.value));
}

function read(name: string): string {
  try {
    return readFileSync(name, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    const why = { ENOENT: "there is no such file", EACCES: "permission denied", EISDIR: "it is a folder" }[
      code
    ];
    throw new WirespanError("CONFIG_UNREADABLE", `Cannot read the configuration ${name}: ${why ?? code}.`, {
      cause,
    });
  }
}
