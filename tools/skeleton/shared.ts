// Structs and enums that headers define, generated once and imported by all skeletons.
import type { ObjectLayout } from "../../core/bridge/btf.ts";
import type { Layout } from "../../core/plugin/skeleton.ts";
import { camel, preamble, TypeWriter } from "./types.ts";

type Named = Layout & { kind: "struct" | "enum" };

export interface Shared {
  /** Layouts that cursors read, by C name. */
  readonly records: ReadonlyMap<string, Named>;
  /** Layouts of constants, which the agent packs; a struct comes after those that it contains. */
  readonly constants: ReadonlyMap<string, Named>;
}

export const NOTHING_SHARED: Shared = { records: new Map(), constants: new Map() };

/** The names of all structs and enums that C headers define. */
export function headerTypes(headers: readonly string[]): ReadonlySet<string> {
  const found = headers.flatMap((text) => [...text.matchAll(/^(?:struct|enum) (\w+) \{/gm)]);
  return new Set(found.map(([, name]) => name!));
}

/** Depth first, so that a struct's parts come before it. */
function* namedIn(layout: Layout): Generator<Named> {
  if (layout.kind === "array") yield* namedIn(layout.element);
  if (layout.kind === "struct") for (const { layout: inner } of layout.fields) yield* namedIn(inner);
  if ((layout.kind === "struct" || layout.kind === "enum") && layout.name) yield layout;
}

function recordsOf({ records }: ObjectLayout): Layout[] {
  return Object.values(records).flatMap((r) => (r.kind === "table" ? [r.key, r.value] : [r.record]));
}

/** The headers' types in these objects; of two with the same name, the first object's. */
export function sharedBy(objects: readonly ObjectLayout[], names: ReadonlySet<string>): Shared {
  const collect = (layouts: readonly Layout[]) => {
    const found = new Map<string, Named>();
    for (const layout of layouts)
      for (const each of namedIn(layout))
        if (names.has(each.name) && !found.has(each.name)) found.set(each.name, each);
    return found;
  };
  return {
    records: collect(objects.flatMap(recordsOf)),
    constants: collect(objects.flatMap(({ constants }) => Object.values(constants))),
  };
}

/** Whether a layout is the shared one of that name, and not an object's own. */
export function isIn(shared: ReadonlyMap<string, Named>, layout: Layout): boolean {
  if (layout.kind !== "struct" && layout.kind !== "enum") return false;
  const known = shared.get(layout.name);
  return known !== undefined && JSON.stringify(known) === JSON.stringify(layout);
}

/** A layout as source text that refers to shared layouts by name; `names` collects these. */
export function layoutText(layout: Layout, shared: Shared, names: Set<string>): string {
  if (layout.kind === "struct" && isIn(shared.constants, layout)) {
    const name = `${camel(layout.name)}Layout`;
    names.add(name);
    return name;
  }
  return literal(layout, shared, names);
}

function literal(layout: Layout, shared: Shared, names: Set<string>): string {
  const inner = (each: Layout) => layoutText(each, shared, names);
  switch (layout.kind) {
    case "struct": {
      const fields = layout.fields.map(
        (f) => `{ name: "${f.name}", offset: ${f.offset}, layout: ${inner(f.layout)} }`,
      );
      return `{ kind: "struct", name: "${layout.name}", size: ${layout.size}, fields: [${fields.join(", ")}] }`;
    }
    case "array":
      return `{ kind: "array", size: ${layout.size}, element: ${inner(layout.element)}, length: ${layout.length} }`;
    default:
      return JSON.stringify(layout);
  }
}

/** The source of the file with the shared structs; `root`: the path from its folder to the repository's root. */
export function sharedSource(shared: Shared, root: string): string {
  const writer = new TypeWriter(undefined, true);
  for (const layout of shared.records.values()) writer.type(layout);
  const layouts = [...shared.constants.values()].flatMap((layout) =>
    layout.kind === "struct"
      ? [`export const ${camel(layout.name)}Layout: Layout = ${literal(layout, shared, new Set())};\n`]
      : [],
  );
  const types = writer.text;
  return (
    "// Written by tools/btfgen.ts: structs and enums of the headers next to this file. Do not edit.\n" +
    preamble(types, root) +
    `import type { Fields, Layout } from "${root}/core/plugin/skeleton.ts";\n` +
    `\n${types}\n${layouts.join("")}`
  );
}
