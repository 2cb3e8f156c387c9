// Generates C structs and enums as TypeScript: an interface, and a cursor that reads it in place.
import type { Field, Layout } from "../../core/plugin/skeleton.ts";

export function camel(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, c: string) => c.toUpperCase());
}

function pascal(name: string): string {
  const c = camel(name);
  return c[0]!.toUpperCase() + c.slice(1);
}

/** An enum's names without their common prefix. */
function words(values: readonly (readonly [string, number])[]): [string, number][] {
  const parts = values.map(([name]) => name.split("_"));
  let shared = 0;
  while (parts.every((p) => p.length > shared + 1 && p[shared] === parts[0]![shared])) shared++;
  return values.map(([, value], i) => [parts[i]!.slice(shared).join("_").toLowerCase(), value]);
}

/** Short arrays at a multiple of 4 are read without allocating. */
const COPIED: Readonly<Record<number, string>> = { 8: "Bytes8", 16: "Bytes16" };

function isCopied({ offset, layout }: Field): boolean {
  return layout.kind === "array" && layout.element.size === 1 && layout.size in COPIED && offset % 4 === 0;
}

/** Structs and enums, each written once; those for which `imported` is true are imported instead. */
export class TypeWriter {
  readonly #types = new Map<string, string>();
  readonly #imported: (layout: Layout) => boolean;
  readonly #exportsNames: boolean;
  /** What the types need from the shared structs, in addition to the interfaces. */
  readonly imports = new Set<string>();
  /** Interfaces and enums of the shared structs that the types contain. */
  readonly importedTypes = new Set<string>();

  constructor(imported: (layout: Layout) => boolean = () => false, exportsNames = false) {
    this.#imported = imported;
    this.#exportsNames = exportsNames;
  }

  get text(): string {
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

  /** The class that reads records, keys or values of this layout. */
  cursor(layout: Layout): string {
    const type = this.type(layout);
    if (this.#imported(layout)) this.imports.add(`${type}Cursor`);
    return `${type}Cursor`;
  }

  #import(layout: Layout): void {
    if (layout.kind === "enum" || layout.kind === "struct") this.importedTypes.add(pascal(layout.name));
    if (layout.kind === "struct") for (const f of layout.fields) this.#import(f.layout);
  }

  #enum(layout: Layout & { kind: "enum" }): void {
    if (!layout.name) throw new Error("an enum that crosses to TypeScript needs a name");
    if (this.#imported(layout)) {
      this.#import(layout);
      this.imports.add(`${camel(layout.name)}Names`);
      return;
    }
    if (this.#types.has(layout.name)) return;
    const values = words(layout.values);
    const names: string[] = [];
    for (const [name, value] of values) names[value] = name;
    const list = Array.from(names, (n) => (n === undefined ? "undefined" : JSON.stringify(n)));
    this.#types.set(
      layout.name,
      `export type ${pascal(layout.name)} = ${values.map(([n]) => JSON.stringify(n)).join(" | ")};\n` +
        `${this.#exportsNames ? "export " : ""}const ${camel(layout.name)}Names = [${list.join(", ")}] as const;\n`,
    );
  }

  #read(at: string, layout: Layout, isAligned: boolean): string {
    const word = (add: number) => `this.$words[(${at} >> 2)${add ? ` + ${add}` : ""}]!`;
    switch (layout.kind) {
      case "bool":
        return `this.$bytes[${at}]! !== 0`;
      case "text":
        return layout.size === 16 && isAligned
          ? `decodeCString16(this.$words, this.$bytes, ${at})`
          : `decodeCString(this.$words, this.$bytes, ${at}, ${layout.size})`;
      case "enum":
        return `${camel(layout.name)}Names[${word(0)}]!`;
      case "int": {
        const one = `this.$bytes[${at}]!`;
        const unsigned = [
          one,
          `${one} | (this.$bytes[${at} + 1]! << 8)`,
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
        if (size === 1) return `this.$bytes.subarray(${at}, ${at} + ${layout.size})`;
        if (size === 4) return `this.$words.subarray(${at} >> 2, (${at} >> 2) + ${layout.length})`;
        return `readU64Array(this.$words, ${at} >> 2, ${layout.length})`;
      }
      case "struct":
        throw new Error("a struct is read by its cursor");
    }
  }

  /** A field's position, as source text. */
  #place({ name, offset, layout }: Field): string {
    const is: Readonly<Record<Layout["kind"], () => string>> = {
      int: () => `is: "${layout.kind === "int" && layout.signed ? "i" : "u"}${layout.size * 8}"`,
      bool: () => 'is: "bool"',
      text: () => `is: "text", size: ${layout.size}`,
      array: () => `is: "array", size: ${layout.size}`,
      enum: () => `names: ${layout.kind === "enum" && camel(layout.name)}Names`,
      struct: () => `fields: ${this.cursor(layout)}.fields`,
    };
    return `${camel(name)}: { at: ${offset}, ${is[layout.kind]()} }`;
  }

  #getter(f: Field): string {
    const at = f.offset ? `this.$at + ${f.offset}` : "this.$at";
    const type = this.type(f.layout);
    const name = camel(f.name);
    if (f.layout.kind === "struct") {
      return (
        `  readonly #${name} = new ${this.cursor(f.layout)}();\n` +
        `  get ${name}(): ${type} {\n    this.#${name}.at(this.$words, this.$bytes, ${at});\n    return this.#${name};\n  }\n`
      );
    }
    if (isCopied(f)) {
      return (
        `  readonly #${name} = new ${COPIED[f.layout.size]}();\n` +
        `  get ${name}(): ${type} {\n    return this.#${name}.read(this.$words, ${at});\n  }\n`
      );
    }
    const from = f.layout.kind === "int" || f.layout.kind === "enum" ? `(${at})` : at;
    return `  get ${name}(): ${type} {\n    return ${this.#read(from, f.layout, f.offset % 4 === 0)};\n  }\n`;
  }

  #struct(layout: Layout & { kind: "struct" }): void {
    if (!layout.name) throw new Error("a struct that crosses to TypeScript needs a name");
    if (this.#imported(layout)) {
      this.#import(layout);
      return;
    }
    if (this.#types.has(layout.name)) return;
    const fields = layout.fields.filter((f) => f.name !== "padding");
    // Cursors already have a method with that name.
    if (fields.some((f) => f.name === "at"))
      throw new Error(`struct ${layout.name}: no field may be called at`);
    const members = fields.map((f) => `  readonly ${camel(f.name)}: ${this.type(f.layout)};\n`).join("");
    const name = pascal(layout.name);
    this.#types.set(
      layout.name,
      `export interface ${name} {\n${members}}\n\n` +
        `export class ${name}Cursor extends StructCursor implements ${name} {\n` +
        `  static readonly fields: Fields = { ${fields.map((f) => this.#place(f)).join(", ")} };\n` +
        `${fields.map((f) => this.#getter(f)).join("")}}\n`,
    );
  }
}

const RUNTIME = [
  "Bytes16",
  "Bytes8",
  "decodeCString",
  "decodeCString16",
  "readU64Array",
  "StructCursor",
  "U32Cursor",
  "U64Cursor",
  "type Value",
];

/** The imports from core/bridge/runtime.ts that this text needs, and the common beginning of its cursors. */
export function preamble(text: string, root: string): string {
  const used = RUNTIME.filter((name) => new RegExp(`\\b${name.replace("type ", "")}\\b`).test(text));
  return used.length ? `import { ${used.join(", ")} } from "${root}/core/bridge/runtime.ts";\n` : "";
}
