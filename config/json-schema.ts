// The configuration file as a JSON schema, for editors.
import type { Plugin } from "../core/plugin/plugin.ts";
import { EXPORTER_TYPES, exporterTree } from "./exporters.ts";
import { composeTree } from "./schema.ts";
import { isLeaf, type Leaf, type Tree } from "./tree.ts";

type Json = Readonly<Record<string, unknown>>;

/** Draft 2020-12; includes the settings of these plugins. */
export function jsonSchema(plugins: readonly Plugin[]): Json {
  const tree = composeTree({ plugins, others: [], exporters: {} });
  const filter = tree.filter as Tree;
  const { properties, ...root } = object(tree, { filter });
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "wirespan configuration",
    ...root,
    properties: {
      ...(properties as Json),
      exporters: {
        type: "object",
        description: "Where to, by a name of your choice.",
        propertyNames: { pattern: "^[A-Za-z][A-Za-z0-9_-]*$" },
        additionalProperties: { oneOf: EXPORTER_TYPES.map(exporter) },
      },
    },
    $defs: { filter: object(filter, {}), reference: { type: "string", pattern: "^file:|\\$\\{env:" } },
  };
}

function exporter(type: string): Json {
  const { properties, ...rest } = object(exporterTree(type), {});
  return { ...rest, required: ["type"], properties: { ...(properties as Json), type: { const: type } } };
}

/** `shared` lists the sections under $defs. */
function object(tree: Tree, shared: Readonly<Record<string, Tree>>): Json {
  const properties = Object.entries(tree).map(([key, node]) => {
    const name = Object.keys(shared).find((defined) => shared[defined] === node);
    if (name !== undefined) return [key, { $ref: `#/$defs/${name}` }] as const;
    return [key, isLeaf(node) ? value(node) : object(node, shared)] as const;
  });
  return {
    type: ["object", "null"],
    additionalProperties: false,
    properties: Object.fromEntries(properties),
  };
}

/** Any value may be given as a reference, too. */
function value({ reader, doc, default: fallback }: Leaf): Json {
  const shown = fallback === null || fallback instanceof Map ? {} : { default: written(reader, fallback) };
  return { description: doc, anyOf: [reader.json, { $ref: "#/$defs/reference" }], ...shown };
}

/** A default as it would be written in the file. */
function written(reader: Leaf["reader"], fallback: unknown): unknown {
  const isNumber = reader.json.type === "integer" || reader.json.type === "number";
  const plain = typeof fallback === "boolean" || Array.isArray(fallback) || isNumber;
  return plain ? fallback : reader.show(fallback);
}
