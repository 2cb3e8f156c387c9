// What a setting is: a leaf with its format, default and meaning, in a tree of sections. Tests: config/load.test.ts.
import type { Reader } from "./formats.ts";

export interface Leaf {
  readonly reader: Reader;
  readonly doc: string;
  /** null: no value of its own; `doc` describes what applies then. */
  readonly default: unknown;
  /** Never shown, not even in messages. */
  readonly sensitive?: boolean;
}

export interface Tree {
  readonly [key: string]: Leaf | Tree;
}

export function isLeaf(node: Leaf | Tree): node is Leaf {
  return typeof node.doc === "string";
}

/** A leaf; a function, so that a plugin's settings and ours are created in the same way. */
export function leaf(reader: Reader, value: unknown, doc: string, sensitive = false): Leaf {
  return { reader, default: value, doc, sensitive };
}

/** Every leaf below `tree`, with its path. */
export function* leaves(tree: Tree, path = ""): Generator<readonly [path: string, leaf: Leaf]> {
  for (const [key, node] of Object.entries(tree)) {
    const at = path === "" ? key : `${path}.${key}`;
    if (isLeaf(node)) yield [at, node];
    else yield* leaves(node, at);
  }
}
