// Generates the skeleton of one BPF object as TypeScript.
import type { ObjectLayout, RecordsLayout } from "../../core/bridge/btf.ts";
import type { Layout } from "../../core/plugin/skeleton.ts";
import { isIn, layoutText, NOTHING_SHARED, type Shared } from "./shared.ts";
import { preamble, TypeWriter } from "./types.ts";

interface Reader {
  readonly type: string;
  readonly cursor: string;
}

/** How a record, key or value is read; a bare number as a struct with one field, `value`. */
function readerOf(writer: TypeWriter, layout: Layout, name: string): Reader {
  if (layout.kind === "int" && !layout.signed && layout.size >= 4)
    return { type: "Value", cursor: layout.size === 4 ? "U32Cursor" : "U64Cursor" };
  const struct: Layout =
    layout.kind === "struct"
      ? layout
      : { kind: "struct", name, size: layout.size, fields: [{ name: "value", offset: 0, layout }] };
  return { type: writer.type(struct), cursor: writer.cursor(struct) };
}

function maxWords(layout: Layout, base = 0): number[] {
  if (layout.kind !== "struct") return [];
  return layout.fields.flatMap((f) =>
    f.layout.kind === "int" && f.layout.size === 8 && f.name.startsWith("max_")
      ? [(base + f.offset) / 8]
      : maxWords(f.layout, base + f.offset),
  );
}

/** Whether the rows are workloads' sums: the key's first field is a workload (bpf/include/wirespan/owner.h). */
function isByWorkload(key: Layout): boolean {
  return key.kind === "struct" && key.fields[0]?.name === "workload" && key.fields[0].layout.size === 4;
}

function recordsText(writer: TypeWriter, name: string, layout: RecordsLayout): string {
  if (layout.kind !== "table") {
    const { type, cursor } = readerOf(writer, layout.record, `${name}_record`);
    const records = layout.kind === "ring" ? "RingRecords" : "RowRecords";
    return `    ${name}: { kind: "${layout.kind}", size: ${layout.record.size}, record: ${cursor} } as ${records}<${type}>,\n`;
  }
  const key = readerOf(writer, layout.key, `${name}_key`);
  const value = readerOf(writer, layout.value, `${name}_value`);
  const byWorkload = isByWorkload(layout.key) ? "      byWorkload: true,\n" : "";
  return (
    `    ${name}: {\n      kind: "table",\n      perCpu: ${layout.perCpu},\n${byWorkload}` +
    `      maxWords: ${JSON.stringify(maxWords(layout.value))},\n` +
    `      key: ${key.cursor},\n      value: ${value.cursor},\n    } as TableRecords<${key.type}, ${value.type}>,\n`
  );
}

/** The skeleton of an object built `from` a C file; `root`: the path from its folder to the repository's root. */
export function source(
  object: ObjectLayout,
  from: string,
  root: string,
  shared: Shared = NOTHING_SHARED,
): string {
  const writer = new TypeWriter((layout) => isIn(shared.records, layout));
  const records = Object.entries(object.records)
    .map(([name, layout]) => recordsText(writer, name, layout))
    .join("");
  const layouts = new Set<string>();
  const layout = (each: Layout) => layoutText(each, shared, layouts);
  const entries = (lines: readonly (readonly [string, string])[]) =>
    lines.map(([name, text]) => `    ${name}: ${text},\n`).join("");
  const skeleton =
    `\nexport const skeleton = {\n  hash: "${object.hash}",\n` +
    `  programs: {\n${entries(Object.entries(object.programs).map(([name, hook]) => [name, JSON.stringify(hook)]))}  },\n` +
    `  constants: {\n${entries(Object.entries(object.constants).map(([name, each]) => [name, layout(each)]))}  },\n` +
    (object.runtimeConfig ? `  runtimeConfig: ${layout(object.runtimeConfig)},\n` : "") +
    `  counters: ${JSON.stringify(object.counters)},\n` +
    (object.inputs
      ? `  inputs: {\n${entries(
          Object.entries(object.inputs).map(([name, { key, value }]) => [
            name,
            `{ key: ${layout(key)}, value: ${layout(value)} }`,
          ]),
        )}  },\n`
      : "") +
    (object.links ? `  links: ${JSON.stringify(object.links)},\n` : "") +
    `  records: {\n${records}  },\n} as const;\n`;
  const { text: types, imports, importedTypes } = writer;
  const whole = types + skeleton;
  const faces = ["Fields", "RingRecords", "RowRecords", "TableRecords"].filter((f) =>
    new RegExp(`\\b${f}\\b`).test(whole),
  );
  const structs = `${root}/bpf/include/wirespan/structs.skel.ts`;
  const values = [...imports, ...layouts].filter((name) => new RegExp(`\\b${name}\\b`).test(whole)).sort();
  const typesUsed = [...importedTypes].filter((name) => new RegExp(`\\b${name}\\b`).test(whole)).sort();
  const imported = [...values, ...typesUsed.map((name) => `type ${name}`)];
  return (
    `// Written by tools/btfgen.ts from ${from}. Do not edit.\n` +
    (imported.length ? `import { ${imported.join(", ")} } from "${structs}";\n` : "") +
    preamble(whole, root) +
    (faces.length ? `import type { ${faces.join(", ")} } from "${root}/core/plugin/skeleton.ts";\n` : "") +
    (importedTypes.size
      ? `\nexport type { ${[...importedTypes].sort().join(", ")} } from "${structs}";\n`
      : "") +
    (types ? `\n${types}` : "") +
    skeleton
  );
}
