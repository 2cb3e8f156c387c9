// Symbols of the executable and libraries of another process, in its memory.
import type { AddressSpace, Mapping } from "./address-space.ts";

/** <elf.h> */
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
export const PT_TLS = 7;
const DT = {
  strtab: 5,
  symtab: 6,
  rela: 7,
  relaSize: 8,
  jmprel: 23,
  pltSize: 2,
  gnuHash: 0x6ffffef5,
} as const;
export const STT_OBJECT = 1;
export const STT_TLS = 6;
const AT_PHDR = 3;

/** Limits of what is read from one process, whatever its headers say. */
const most = { objects: 1024, segments: 64, dynamic: 256, chain: 1024 };

export interface Segment {
  readonly type: number;
  readonly address: number;
  readonly size: number;
  readonly align: number;
}

export interface ElfObject {
  readonly name: string;
  readonly bias: number;
  readonly machine: number;
  readonly isExecutable: boolean;
  readonly segments: readonly Segment[];
}

export type Memory = Pick<AddressSpace, "read">;

/** AT_PHDR of a /proc/PID/auxv; 0: not present. */
export function programHeadersOf(auxv: Buffer): number {
  for (let at = 0; at + 16 <= auxv.length; at += 16)
    if (auxv.readBigUInt64LE(at) === BigInt(AT_PHDR)) return Number(auxv.readBigUInt64LE(at + 8));
  return 0;
}

/** What is loaded, the executable first, because libraries are bound to its symbols. */
export function* objectsIn(
  memory: Memory,
  mappings: readonly Mapping[],
  programHeaders: number,
): Generator<ElfObject> {
  const isExecutable = ({ start, end }: Mapping) => programHeaders >= start && programHeaders < end;
  const files = mappings
    .filter(({ name, offset }) => offset === 0 && name.startsWith("/"))
    .slice(0, most.objects)
    .sort((a, b) => Number(isExecutable(b)) - Number(isExecutable(a)));
  for (const mapping of files) {
    const object = objectAt(memory, mapping, isExecutable(mapping));
    if (object) yield object;
  }
}

function objectAt(memory: Memory, { start, name }: Mapping, isExecutable: boolean): ElfObject | undefined {
  const header = memory.read(start, 64);
  // 64 bits, little endian.
  if (header?.toString("latin1", 0, 4) !== "\x7fELF" || header[4] !== 2 || header[5] !== 1) return undefined;
  const [at, size, count] = [start + Number(header.readBigUInt64LE(32)), 56, header.readUInt16LE(56)];
  if (count > most.segments) return undefined;
  const table = memory.read(at, size * count);
  if (!table) return undefined;
  const segments = Array.from({ length: count }, (_, i): Segment => {
    const word = (offset: number) => Number(table.readBigUInt64LE(i * size + offset));
    return { type: table.readUInt32LE(i * size), address: word(16), size: word(40), align: word(48) };
  });
  const [first] = segments.filter(({ type }) => type === PT_LOAD);
  if (!first) return undefined;
  const bias = start - Math.floor(first.address / 4096) * 4096;
  const machine = header.readUInt16LE(18);
  return { name, bias, machine, segments, isExecutable };
}

/** Addresses of tables, and sizes, by tag. */
export type Dynamic = Partial<Record<keyof typeof DT, number>>;

export function dynamicOf(memory: Memory, { bias, segments }: ElfObject): Dynamic | undefined {
  const segment = segments.find(({ type }) => type === PT_DYNAMIC);
  if (!segment) return undefined;
  const table = memory.read(bias + segment.address, Math.min(segment.size, most.dynamic * 16));
  if (!table) return undefined;
  const found: Dynamic = {};
  for (let at = 0; at + 16 <= table.length; at += 16) {
    const tag = Number(table.readBigUInt64LE(at));
    if (tag === 0) break;
    const value = Number(table.readBigUInt64LE(at + 8));
    for (const [name, number] of Object.entries(DT) as [keyof typeof DT, number][])
      if (number === tag)
        // glibc has added the bias, other loaders have not.
        found[name] = name.endsWith("Size") || value >= bias ? value : value + bias;
  }
  return found;
}

export interface ElfSymbol {
  readonly index: number;
  readonly value: number;
}

/** Looks up what the object defines under this name, as the loader does, in DT_GNU_HASH. `type`: STT_OBJECT ... */
export function findSymbol(
  memory: Memory,
  { gnuHash, symtab, strtab }: Dynamic,
  wanted: string,
  type: number,
): ElfSymbol | undefined {
  if (gnuHash === undefined || symtab === undefined || strtab === undefined) return undefined;
  const header = memory.read(gnuHash, 16);
  if (!header) return undefined;
  const [buckets, offset, bloom] = [header.readUInt32LE(0), header.readUInt32LE(4), header.readUInt32LE(8)];
  const hash = gnuHashOf(wanted);
  const table = gnuHash + 16 + bloom * 8;
  const bucket = buckets ? memory.read(table + (hash % buckets) * 4, 4) : undefined;
  const first = bucket?.readUInt32LE(0) ?? 0;
  if (first < offset) return undefined;
  for (let index = first; index < first + most.chain; index++) {
    const word = memory.read(table + buckets * 4 + (index - offset) * 4, 4)?.readUInt32LE(0);
    if (word === undefined) return undefined;
    if ((word | 1) >>> 0 === (hash | 1) >>> 0) {
      const symbol = memory.read(symtab + index * 24, 24);
      const name = symbol && memory.read(strtab + symbol.readUInt32LE(0), wanted.length + 1);
      const isDefined = symbol?.readUInt16LE(6) !== 0;
      if (symbol && isDefined && (symbol[4]! & 15) === type && name?.toString("latin1") === `${wanted}\0`)
        return { index, value: Number(symbol.readBigUInt64LE(8)) };
    }
    if (word & 1) return undefined;
  }
  return undefined;
}

function gnuHashOf(name: string): number {
  let hash = 5381;
  for (const byte of Buffer.from(name)) hash = (hash * 33 + byte) >>> 0;
  return hash;
}

/** The address of a variable that an object exports: the executable's, because libraries are bound to its symbols. */
export function findVariable(
  memory: Memory,
  mappings: readonly Mapping[],
  programHeaders: number,
  name: string,
): number | undefined {
  for (const object of objectsIn(memory, mappings, programHeaders)) {
    const dynamic = dynamicOf(memory, object);
    const symbol = dynamic && findSymbol(memory, dynamic, name, STT_OBJECT);
    if (symbol) return object.bias + symbol.value;
  }
  return undefined;
}
