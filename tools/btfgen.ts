// Writes the skeleton of every BPF object from its BTF. With --check: fails on a
// difference, writes nothing.
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { type ObjectLayout, readObject } from "../core/bridge/btf.ts";
import type { Field, Layout } from "../core/plugin/skeleton.ts";

const root = join(import.meta.dirname, "..");

function camel(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase());
}

function pascal(name: string): string {
  const c = camel(name);
  return c[0]!.toUpperCase() + c.slice(1);
}

/** An enum's names without the prefix that they share. */
function words(values: readonly (readonly [string, number])[]): [string, number][] {
  const parts = values.map(([name]) => name.split("_"));
  let shared = 0;
  while (parts.every((p) => p.length > shared + 1 && p[shared] === parts[0]![shared])) shared++;
  return values.map(([, value], i) => [parts[i]!.slice(shared).join("_").toLowerCase(), value]);
}

/** Structs and enums of one object, each written once. */
class Writer {
  readonly #types = new Map<string, string>();

  get types(): string {
    return [...this.#types.values()].join("\n");
  }

  type(layout: Layout): string {
    switch (layout.kind) {
      case "int":
        return "number";
      case "bool":
        return "boolean";
      case "text":
        return "string";
      case "enum":
        this.#enum(layout);
        return pascal(layout.name);
      case "struct":
        this.#struct(layout);
        return pascal(layout.name);
      case "array":
        if (layout.element.kind !== "int" || layout.element.size === 2)
          throw new Error("arrays hold u8, u32 or u64");
        return layout.element.size === 1
          ? "Uint8Array"
          : layout.element.size === 4
            ? "Uint32Array"
            : "Float64Array";
    }
  }

  #enum(layout: Layout & { kind: "enum" }): void {
    if (!layout.name) throw new Error("an enum that crosses to TypeScript needs a name");
    if (this.#types.has(layout.name)) return;
    const values = words(layout.values);
    const names: string[] = [];
    for (const [name, value] of values) names[value] = name;
    const list = Array.from(names, (n) => (n === undefined ? "undefined" : JSON.stringify(n)));
    this.#types.set(
      layout.name,
      `export type ${pascal(layout.name)} = ${values.map(([n]) => JSON.stringify(n)).join(" | ")};\n` +
        `const ${camel(layout.name)}Names = [${list.join(", ")}] as const;\n`,
    );
  }

  #read(at: string, layout: Layout, field: string): string {
    const word = (add: number) => `this.#words[(${at} >> 2)${add ? ` + ${add}` : ""}]!`;
    switch (layout.kind) {
      case "bool":
        return `this.#bytes[${at}]! !== 0`;
      case "text":
        return `text(this.#words, this.#bytes, ${at}, ${layout.size})`;
      case "enum":
        return `${camel(layout.name)}Names[${word(0)}]!`;
      case "int": {
        const one = `this.#bytes[${at}]!`;
        const unsigned = [
          one,
          `${one} | (this.#bytes[${at} + 1]! << 8)`,
          word(0),
          `${word(0)} + ${word(1)} * 4294967296`,
        ];
        const read = unsigned[Math.log2(layout.size)]!;
        if (!layout.signed) return read;
        if (layout.size === 8) return `${word(0)} + (${word(1)} | 0) * 4294967296`;
        const shift = 32 - layout.size * 8;
        return shift ? `((${read}) << ${shift}) >> ${shift}` : `${read} | 0`;
      }
      case "array": {
        const size = layout.element.size;
        if (size === 1) return `this.#bytes.subarray(${at}, ${at} + ${layout.size})`;
        if (size === 4) return `this.#words.subarray(${at} >> 2, (${at} >> 2) + ${layout.length})`;
        return `u64s(this.#words, ${at} >> 2, ${layout.length})`;
      }
      case "struct":
        return `${field}.at(this.#words, this.#bytes, ${at})`;
    }
  }

  #getter(f: Field): string {
    const at = f.offset ? `this.#at + ${f.offset}` : "this.#at";
    const type = this.type(f.layout);
    if (f.layout.kind === "struct") {
      const nested = `this.#${camel(f.name)}`;
      return (
        `  readonly #${camel(f.name)} = new ${type}Cursor();\n` +
        `  get ${camel(f.name)}(): ${type} {\n    ${this.#read(at, f.layout, nested)};\n    return ${nested};\n  }\n`
      );
    }
    const place = f.layout.kind === "int" || f.layout.kind === "enum" ? `(${at})` : at;
    return `  get ${camel(f.name)}(): ${type} {\n    return ${this.#read(place, f.layout, "")};\n  }\n`;
  }

  #struct(layout: Layout & { kind: "struct" }): void {
    if (!layout.name) throw new Error("a struct that crosses to TypeScript needs a name");
    if (this.#types.has(layout.name)) return;
    const fields = layout.fields.filter((f) => f.name !== "padding");
    // Cursors have a method of that name.
    if (fields.some((f) => f.name === "at"))
      throw new Error(`struct ${layout.name}: no field may be called at`);
    const members = fields.map((f) => `  readonly ${camel(f.name)}: ${this.type(f.layout)};\n`).join("");
    const name = pascal(layout.name);
    this.#types.set(
      layout.name,
      `export interface ${name} {\n${members}}\n\n` +
        `export class ${name}Cursor implements ${name}, Cursor {\n` +
        "  #words: Uint32Array = empty;\n  #bytes: Uint8Array = none;\n  #at = 0;\n" +
        "  at(words: Uint32Array, bytes: Uint8Array, offset: number): void {\n" +
        "    this.#words = words;\n    this.#bytes = bytes;\n    this.#at = offset;\n  }\n" +
        `${fields.map((f) => this.#getter(f)).join("")}}\n`,
    );
  }
}

/** A table's key may be a bare number: then its cursor has one field, `value`. */
function named(layout: Layout, name: string): Layout & { kind: "struct" } {
  if (layout.kind === "struct") return layout;
  return { kind: "struct", name, size: layout.size, fields: [{ name: "value", offset: 0, layout }] };
}

function maxWords(layout: Layout, base = 0): number[] {
  if (layout.kind !== "struct") return [];
  return layout.fields.flatMap((f) =>
    f.layout.kind === "int" && f.layout.size === 8 && f.name.startsWith("max_")
      ? [(base + f.offset) / 8]
      : maxWords(f.layout, base + f.offset),
  );
}

/** Whether the rows are workloads' sums: their key begins with what workload_of (bpf/include/wirespan/owner.h) says. */
function isByWorkload({ fields }: Layout & { kind: "struct" }): boolean {
  return fields[0]?.name === "workload" && fields[0].layout.size === 4;
}

/** The TypeScript side of one object, built `from` a C file; `core` is the way to core/ from where it will lie. */
export function source(object: ObjectLayout, from: string, core: string): string {
  const writer = new Writer();
  const records = Object.entries(object.records).map(([name, layout]) => {
    if (layout.kind !== "table") {
      const record = named(layout.record, `${name}_record`);
      const type = writer.type(record);
      const records = layout.kind === "ring" ? "RingRecords" : "RowRecords";
      return `    ${name}: { kind: "${layout.kind}", size: ${record.size}, record: ${type}Cursor } as ${records}<${type}>,\n`;
    }
    const [key, value] = [named(layout.key, `${name}_key`), named(layout.value, `${name}_value`)];
    const [keyType, valueType] = [writer.type(key), writer.type(value)];
    return (
      `    ${name}: {\n      kind: "table",\n      perCpu: ${layout.perCpu},\n${isByWorkload(key) ? "      byWorkload: true,\n" : ""}      maxWords: ${JSON.stringify(maxWords(value))},\n` +
      `      key: ${keyType}Cursor,\n      value: ${valueType}Cursor,\n    } as TableRecords<${keyType}, ${valueType}>,\n`
    );
  });
  const { types } = writer;
  const faces = ["Cursor", "RingRecords", "RowRecords", "TableRecords"].filter(
    (f) => types.includes(f) || records.join("").includes(f),
  );
  const runtime = ["text", "u64s"].filter((name) => types.includes(`${name}(`));
  const entries = (o: object) =>
    Object.entries(o)
      .map(([k, v]) => `    ${k}: ${JSON.stringify(v)},\n`)
      .join("");
  return (
    `// Written by tools/btfgen.ts from ${from}. Do not edit.\n` +
    (runtime.length ? `import { ${runtime.join(", ")} } from "${core}/bridge/runtime.ts";\n` : "") +
    (faces.length ? `import type { ${faces.join(", ")} } from "${core}/plugin/skeleton.ts";\n` : "") +
    (types ? `\nconst empty = new Uint32Array(0);\nconst none = new Uint8Array(0);\n\n${types}` : "") +
    `\nexport const skeleton = {\n  hash: "${object.hash}",\n  programs: {\n${entries(object.programs)}  },\n` +
    `  constants: {\n${entries(object.constants)}  },\n${object.runtimeConfig ? `  runtimeConfig: ${JSON.stringify(object.runtimeConfig)},\n` : ""}  counters: ${JSON.stringify(object.counters)},\n` +
    (object.inputs ? `  inputs: {\n${entries(object.inputs)}  },\n` : "") +
    (object.kept ? `  kept: ${JSON.stringify(object.kept)},\n` : "") +
    `  records: {\n${records.join("")}  },\n} as const;\n`
  );
}

/** The core's, the plugins', and of the tests' those that are built. */
const OBJECTS = "{bpf/*,plugins/*,test/*}/*.bpf.o";

function generate(check: boolean): number {
  let stale = 0;
  for (const path of globSync(OBJECTS, { cwd: root }).sort()) {
    const file = join(root, path);
    const folder = dirname(file);
    const object = readObject(readFileSync(file));
    const isPlugin = existsSync(join(folder, "index.ts"));
    if (Object.keys(object.records).length === 0 && !isPlugin) continue;
    const to = file.replace(/bpf\.o$/, "skel.ts");
    const text = source(object, `${basename(file, ".o")}.c`, relative(folder, join(root, "core")));
    if (existsSync(to) && readFileSync(to, "utf8") === text) continue;
    stale++;
    if (check) console.error(`${relative(root, to)} differs from what ${path} says; run npm run gen`);
    else writeFileSync(to, text);
  }
  return stale;
}

if (import.meta.main) {
  const check = process.argv.includes("--check");
  process.exitCode = generate(check) > 0 && check ? 1 : 0;
}
