// Reads a BPF object's description of itself: programs, constants, and the layout of its records, from ELF and BTF
// (Linux: Documentation/bpf/btf.rst). Used to generate the skeletons and, at load, to compare them with the object.
import { createHash } from "node:crypto";
import type { InputLayout, Layout } from "../plugin/skeleton.ts";

type Type =
  | { kind: "int"; size: number; signed: boolean; bool: boolean; char: boolean }
  | { kind: "enum"; size: number; name: string; values: readonly (readonly [string, number])[] }
  | { kind: "array"; element: number; length: number }
  | { kind: "struct"; name: string; size: number; members: readonly Member[] }
  | { kind: "alias"; to: number }
  | { kind: "pointer"; to: number }
  | { kind: "var"; name: string; to: number }
  | { kind: "section"; name: string; variables: readonly number[] }
  | { kind: "other" };

interface Member {
  readonly name: string;
  readonly type: number;
  /** Bytes. */
  readonly offset: number;
  readonly isBitField: boolean;
}

export type RecordsLayout =
  | { readonly kind: "ring" | "rows"; readonly record: Layout }
  | { readonly kind: "table"; readonly key: Layout; readonly value: Layout; readonly perCpu: boolean };

export interface ObjectLayout {
  readonly programs: Readonly<Record<string, string>>;
  /** The declared ones, by name. */
  readonly maps: readonly string[];
  readonly constants: Readonly<Record<string, Layout>>;
  /** The only zero-initialised global, if there is one: the agent may write it at any time. */
  readonly runtimeConfig?: Layout;
  readonly counters: readonly string[];
  readonly records: Readonly<Record<string, RecordsLayout>>;
  readonly inputs?: Readonly<Record<string, InputLayout>>;
  /** Programs that join a chain: the kinds of its events that they want, one bit each. */
  readonly links?: Readonly<Record<string, number>>;
  /** Changes with every field name, offset and size that crosses the boundary. */
  readonly hash: string;
}

interface Section {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly data: Buffer;
  readonly link: number;
}

const SHT_SYMTAB = 2;
const SHT_NOBITS = 8;
const SHF_EXECINSTR = 4;

function text(strings: Buffer, at: number): string {
  return strings.toString("latin1", at, strings.indexOf(0, at));
}

function sectionsOf(elf: Buffer): Section[] {
  if (elf.length < 64 || elf.readUInt32BE(0) !== 0x7f454c46 || elf[4] !== 2 || elf[5] !== 1) {
    throw new Error("not a 64-bit little-endian ELF file");
  }
  const table = Number(elf.readBigUInt64LE(40));
  const [size, count, names] = [elf.readUInt16LE(58), elf.readUInt16LE(60), elf.readUInt16LE(62)];
  if (table + count * size > elf.length) throw new Error("the ELF file is cut short");
  const headers = Array.from({ length: count }, (_, i) => {
    const at = table + i * size;
    const from = Number(elf.readBigUInt64LE(at + 24));
    const type = elf.readUInt32LE(at + 4);
    return {
      name: elf.readUInt32LE(at),
      type,
      flags: Number(elf.readBigUInt64LE(at + 8)),
      data:
        type === SHT_NOBITS
          ? elf.subarray(0, 0)
          : elf.subarray(from, from + Number(elf.readBigUInt64LE(at + 32))),
      link: elf.readUInt32LE(at + 40),
    };
  });
  const strings = headers[names]!.data;
  return headers.map((h) => ({ ...h, name: text(strings, h.name) }));
}

/** Global functions by name, with the section that names their hook. */
function programsOf(sections: readonly Section[]): Record<string, string> {
  const found: Record<string, string> = {};
  const symbols = sections.find((s) => s.type === SHT_SYMTAB);
  if (!symbols) return found;
  const strings = sections[symbols.link]!.data;
  for (let at = 0; at < symbols.data.length; at += 24) {
    const info = symbols.data[at + 4]!;
    const section = sections[symbols.data.readUInt16LE(at + 6)];
    // STB_GLOBAL and STT_FUNC.
    if (info !== 0x12 || !section || !(section.flags & SHF_EXECINSTR) || section.name === ".text") continue;
    found[text(strings, symbols.data.readUInt32LE(at))] = section.name;
  }
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function typesOf(btf: Buffer): Type[] {
  if (btf.readUInt16LE(0) !== 0xeb9f) throw new Error("no BTF");
  const header = btf.readUInt32LE(4);
  const [typesAt, typesSize, stringsAt] = [btf.readUInt32LE(8), btf.readUInt32LE(12), btf.readUInt32LE(16)];
  const strings = btf.subarray(header + stringsAt);
  const types: Type[] = [{ kind: "other" }];
  let at = header + typesAt;
  const end = at + typesSize;
  const u32 = (word: number) => btf.readUInt32LE(at + word * 4);
  while (at < end) {
    const name = text(strings, u32(0));
    const info = u32(1);
    const [kind, length, size] = [(info >>> 24) & 31, info & 0xffff, u32(2)];
    let words = 3;
    let type: Type = { kind: "other" };
    const list = <T>(each: number, read: (word: number) => T): T[] => {
      const items = Array.from({ length }, (_, i) => read(3 + i * each));
      words += each * length;
      return items;
    };
    switch (kind) {
      case 1: {
        const encoding = (u32(3) >>> 24) & 15;
        words += 1;
        type = {
          kind: "int",
          size,
          signed: (encoding & 1) !== 0,
          bool: (encoding & 4) !== 0,
          char: name === "char",
        };
        break;
      }
      case 2:
        type = { kind: "pointer", to: size };
        break;
      case 3:
        type = { kind: "array", element: u32(3), length: u32(5) };
        words += 3;
        break;
      case 4:
      case 5: {
        const members = list(3, (w) => ({
          name: text(strings, u32(w)),
          type: u32(w + 1),
          offset: (u32(w + 2) & 0xffffff) / 8,
          isBitField: info >>> 31 === 1 && u32(w + 2) >>> 24 > 0,
        }));
        if (kind === 4) type = { kind: "struct", name, size, members };
        break;
      }
      case 6:
        type = {
          kind: "enum",
          size,
          name,
          values: list(2, (w) => [text(strings, u32(w)), u32(w + 1)] as const),
        };
        break;
      case 8:
      case 9:
      case 10:
      case 11:
      case 18:
        type = { kind: "alias", to: size };
        break;
      case 13:
        list(2, () => undefined);
        break;
      case 14:
        type = { kind: "var", name, to: size };
        words += 1;
        break;
      case 15:
        type = { kind: "section", name, variables: list(3, (w) => u32(w)) };
        break;
      case 17:
        words += 1;
        break;
      case 19:
        list(3, () => undefined);
        break;
    }
    types.push(type);
    at += words * 4;
  }
  return types;
}

class Layouts {
  readonly #types: readonly Type[];

  constructor(types: readonly Type[]) {
    this.#types = types;
  }

  type(id: number): Type {
    const type = this.#types[id]!;
    return type.kind === "alias" ? this.type(type.to) : type;
  }

  /** Variables of one section, by name, with their resolved type. */
  variables(section: string): [name: string, type: number][] {
    const found = this.#types.find((t) => t.kind === "section" && t.name === section);
    if (found?.kind !== "section") return [];
    return found.variables.map((id) => {
      const variable = this.#types[id]!;
      if (variable.kind !== "var")
        throw new Error(`BTF: ${section} contains something other than a variable`);
      return [variable.name, variable.to];
    });
  }

  pointed(id: number): Layout {
    const type = this.type(id);
    if (type.kind !== "pointer") throw new Error("BTF: a marker of skeleton.h is not a pointer");
    return this.layout(type.to);
  }

  layout(id: number): Layout {
    const type = this.type(id);
    switch (type.kind) {
      case "int":
        return type.bool
          ? { kind: "bool", size: type.size }
          : { kind: "int", size: type.size, signed: type.signed };
      case "enum":
        return { kind: "enum", name: type.name, size: type.size, values: type.values };
      case "array": {
        const element = this.type(type.element);
        if (element.kind === "int" && element.char) return { kind: "text", size: type.length };
        const layout = this.layout(type.element);
        return { kind: "array", size: layout.size * type.length, element: layout, length: type.length };
      }
      case "struct": {
        const fields = type.members.map((m) => {
          if (m.isBitField)
            throw new Error(`BTF: the bit field ${type.name}.${m.name} can't cross to TypeScript`);
          return { name: m.name, offset: m.offset, layout: this.layout(m.type) };
        });
        return { kind: "struct", name: type.name, size: type.size, fields };
      }
      default:
        throw new Error(`BTF: a ${type.kind} can't cross to TypeScript`);
    }
  }
}

const PER_CPU = new Set([5, 6, 10]);

/** `__uint(type, N)` in a map's definition is a pointer to an array of N elements. */
function mapType(layouts: Layouts, id: number): number {
  const map = layouts.type(id);
  if (map.kind !== "struct") return 0;
  const pointer = layouts.type(map.members.find((m) => m.name === "type")?.type ?? 0);
  const array = pointer.kind === "pointer" ? layouts.type(pointer.to) : undefined;
  return array?.kind === "array" ? array.length : 0;
}

interface Exported {
  readonly records: Record<string, RecordsLayout>;
  readonly inputs: Record<string, InputLayout>;
  readonly links: Record<string, number>;
  readonly counters: string[];
}

function sorted<T>(record: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function exportedBy(layouts: Layouts): Exported {
  const maps = new Map(layouts.variables(".maps"));
  const marks = new Map(layouts.variables(".export"));
  const records: Record<string, RecordsLayout> = {};
  const inputs: Record<string, InputLayout> = {};
  const links: Record<string, number> = {};
  let counters: string[] = [];
  for (const [mark, type] of marks) {
    const [, kind, name] =
      /^(export_ring|export_rows|export_table_key|export_counters|agent_input_key|chain_link)_?(.*)$/.exec(
        mark,
      ) ?? [];
    if (kind === "export_ring") records[name!] = { kind: "ring", record: layouts.pointed(type) };
    if (kind === "export_rows") records[name!] = { kind: "rows", record: layouts.pointed(type) };
    if (kind === "export_table_key") {
      const value = layouts.pointed(marks.get(`export_table_value_${name}`)!);
      const perCpu = PER_CPU.has(mapType(layouts, maps.get(name!)!));
      records[name!] = { kind: "table", key: layouts.pointed(type), value, perCpu };
    }
    if (kind === "chain_link") links[name!] = layouts.pointed(type).size;
    if (kind === "agent_input_key") {
      const value = layouts.pointed(marks.get(`agent_input_value_${name}`)!);
      inputs[name!] = { key: layouts.pointed(type), value };
    }
    if (kind === "export_counters") {
      const record = layouts.pointed(type);
      if (record.kind === "struct") counters = record.fields.map((f) => f.name);
    }
  }
  return { records: sorted(records), inputs: sorted(inputs), links: sorted(links), counters };
}

/** Throws an Error with the reason if the file is not a BPF object with BTF. */
export function readObject(elf: Buffer): ObjectLayout {
  const sections = sectionsOf(elf);
  const btf = sections.find((s) => s.name === ".BTF");
  if (!btf) throw new Error("no .BTF section: it was built without -g");
  const layouts = new Layouts(typesOf(btf.data));
  const { records, inputs, links, counters } = exportedBy(layouts);
  const constants = Object.fromEntries(
    layouts
      .variables(".rodata")
      .map(([name, type]): [string, Layout] => [name, layouts.layout(type)])
      .filter(([name]) => !name.startsWith("____"))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  const globals = layouts.variables(".bss").map(([, type]) => layouts.layout(type));
  if (globals.length > 1) throw new Error("more than one zero-initialised global: make them one struct");
  const runtimeConfig = globals.length ? { runtimeConfig: globals[0]! } : {};
  const filled = Object.keys(inputs).length ? { inputs } : {};
  const layout = JSON.stringify([records, counters, constants, { ...runtimeConfig, ...filled }]);
  const hash = createHash("sha256").update(layout).digest("hex").slice(0, 16);
  const joined = Object.keys(links).length ? { links } : {};
  const maps = layouts.variables(".maps").map(([map]) => map);
  return {
    programs: programsOf(sections),
    maps,
    constants,
    ...runtimeConfig,
    counters,
    records,
    ...filled,
    ...joined,
    hash,
  };
}
