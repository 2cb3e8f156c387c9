// Where the threads of a process have the pointer to their context (OTEP 4947): found in its memory, in the symbols of
// its executable and libraries. https://www.akkadia.org/drepper/tls.pdf describes the layout of thread-local storage.
import type { AddressSpace, Mapping } from "./address-space.ts";

const SYMBOL = "otel_thread_ctx_v1";

/** A value of `struct thread_variable` in bpf/context/thread.h. */
export interface ThreadVariable {
  readonly place: "static" | "dynamic";
  /** From the thread pointer, or from the start of the module's block; bytes. */
  readonly offset: number;
  /** Index in the thread's vector; 0 if it is static. */
  readonly module: number;
  /** Of the vector, when the module was loaded; 0: not known. */
  readonly generation: number;
}

/** Why a process's pointer is not read, in words. */
export class UnreadableVariable extends Error {}

/** <elf.h> */
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_TLS = 7;
const DT = {
  strtab: 5,
  symtab: 6,
  rela: 7,
  relaSize: 8,
  jmprel: 23,
  pltSize: 2,
  gnuHash: 0x6ffffef5,
} as const;
const STT_TLS = 6;
const R_X86_64 = { dtpmod: 16, tpoff: 18, tlsdesc: 36 } as const;
const EM_X86_64 = 62;
const AT_PHDR = 3;

/** Limits of what is read from one process, whatever its headers say. */
const most = { objects: 1024, segments: 64, dynamic: 256, chain: 1024, relocations: 16 * 1024 ** 2 };
/** Offsets and modules beyond are invalid: a descriptor that is not resolved yet. */
const plausible = { offset: 2 ** 30, module: 65_536 };

/** glibc's loader or library: other C libraries have other vectors (musl's file is libc.so). */
const glibc = /\/(ld-linux-x86-64\.so\.2|ld-2\.\d+\.so|libc\.so\.6|libc-2\.\d+\.so)( \(deleted\))?$/;

interface Segment {
  readonly type: number;
  readonly address: number;
  readonly size: number;
  readonly align: number;
}

interface ElfObject {
  readonly name: string;
  readonly bias: number;
  readonly isExecutable: boolean;
  readonly segments: readonly Segment[];
}

type Memory = Pick<AddressSpace, "read">;

/**
 * Undefined: no currently loaded object defines the symbol. Throws UnreadableVariable if one does, but its value
 * cannot be found. `programHeaders`: of the executable, from AT_PHDR.
 */
export function findThreadVariable(
  memory: Memory,
  mappings: readonly Mapping[],
  programHeaders: number,
): ThreadVariable | undefined {
  let failure: UnreadableVariable | undefined;
  for (const object of objectsIn(memory, mappings, programHeaders)) {
    try {
      const found = inObject(memory, object, mappings);
      if (found) return found;
    } catch (error) {
      if (!(error instanceof UnreadableVariable)) throw error;
      failure ??= error;
    }
  }
  if (failure) throw failure;
  return undefined;
}

/** AT_PHDR of a /proc/PID/auxv; 0: not present. */
export function programHeadersOf(auxv: Buffer): number {
  for (let at = 0; at + 16 <= auxv.length; at += 16)
    if (auxv.readBigUInt64LE(at) === BigInt(AT_PHDR)) return Number(auxv.readBigUInt64LE(at + 8));
  return 0;
}

/** Objects with thread-local storage, the executable first, because libraries are bound to its symbols. */
function objectsIn(memory: Memory, mappings: readonly Mapping[], programHeaders: number): ElfObject[] {
  const files = mappings.filter(({ name, offset }) => offset === 0 && name.startsWith("/"));
  return files
    .slice(0, most.objects)
    .map((mapping) => objectAt(memory, mapping, programHeaders))
    .filter((object) => object !== undefined)
    .sort((a, b) => Number(b.isExecutable) - Number(a.isExecutable));
}

function objectAt(
  memory: Memory,
  { start, end, name }: Mapping,
  programHeaders: number,
): ElfObject | undefined {
  const header = memory.read(start, 64);
  // 64 bits, little endian.
  if (header?.toString("latin1", 0, 4) !== "\x7fELF" || header[4] !== 2 || header[5] !== 1) return undefined;
  if (header.readUInt16LE(18) !== EM_X86_64) return undefined;
  const [at, size, count] = [start + Number(header.readBigUInt64LE(32)), 56, header.readUInt16LE(56)];
  if (count > most.segments) return undefined;
  const table = memory.read(at, size * count);
  if (!table) return undefined;
  const segments = Array.from({ length: count }, (_, i): Segment => {
    const word = (offset: number) => Number(table.readBigUInt64LE(i * size + offset));
    return { type: table.readUInt32LE(i * size), address: word(16), size: word(40), align: word(48) };
  });
  const [first] = segments.filter(({ type }) => type === PT_LOAD);
  if (!first || !segments.some(({ type }) => type === PT_TLS)) return undefined;
  const bias = start - Math.floor(first.address / 4096) * 4096;
  return { name, bias, segments, isExecutable: programHeaders >= start && programHeaders < end };
}

function inObject(
  memory: Memory,
  object: ElfObject,
  mappings: readonly Mapping[],
): ThreadVariable | undefined {
  const dynamic = dynamicOf(memory, object);
  if (!dynamic) return undefined;
  const symbol = findSymbol(memory, dynamic);
  if (!symbol) return undefined;
  if (object.isExecutable) return { ...NOT_DYNAMIC, offset: symbol.value - blockSize(object) };
  const slot = findRelocation(memory, dynamic, symbol);
  if (!slot)
    throw new UnreadableVariable(`${object.name} has no relocation that says where its ${SYMBOL} is`);
  const variable = resolve(memory, object.bias + slot.at, slot.type, symbol.value, slot.named);
  if (!variable) throw new UnreadableVariable(`${SYMBOL} of ${object.name} is not resolved yet`);
  if (variable.place === "dynamic" && !mappings.some(({ name }) => glibc.test(name)))
    throw new UnreadableVariable(
      `${object.name} was loaded by another C library than glibc, whose threads' vectors are not read`,
    );
  return variable;
}

const NOT_DYNAMIC = { place: "static", module: 0, generation: 0 } as const;

/** How far before the thread pointer the executable's block begins, aligned as the linker and the C library do. */
function blockSize({ segments }: ElfObject): number {
  const { address, size, align } = segments.find(({ type }) => type === PT_TLS)!;
  if (align <= 1) return size;
  return size + ((((-address - size) % align) + align) % align);
}

/** Addresses of tables, and sizes, by tag. */
type Dynamic = Partial<Record<keyof typeof DT, number>>;

function dynamicOf(memory: Memory, { bias, segments }: ElfObject): Dynamic | undefined {
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

interface ElfSymbol {
  readonly index: number;
  readonly value: number;
}

/** Looks the symbol up as the loader does, in DT_GNU_HASH. */
function findSymbol(memory: Memory, { gnuHash, symtab, strtab }: Dynamic): ElfSymbol | undefined {
  if (gnuHash === undefined || symtab === undefined || strtab === undefined) return undefined;
  const header = memory.read(gnuHash, 16);
  if (!header) return undefined;
  const [buckets, offset, bloom] = [header.readUInt32LE(0), header.readUInt32LE(4), header.readUInt32LE(8)];
  const hash = gnuHashOf(SYMBOL);
  const table = gnuHash + 16 + bloom * 8;
  const bucket = buckets ? memory.read(table + (hash % buckets) * 4, 4) : undefined;
  const first = bucket?.readUInt32LE(0) ?? 0;
  if (first < offset) return undefined;
  for (let index = first; index < first + most.chain; index++) {
    const word = memory.read(table + buckets * 4 + (index - offset) * 4, 4)?.readUInt32LE(0);
    if (word === undefined) return undefined;
    if ((word | 1) >>> 0 === (hash | 1) >>> 0) {
      const symbol = memory.read(symtab + index * 24, 24);
      const name = symbol && memory.read(strtab + symbol.readUInt32LE(0), SYMBOL.length + 1);
      const isDefined = symbol?.readUInt16LE(6) !== 0;
      if (symbol && isDefined && (symbol[4]! & 15) === STT_TLS && name?.toString("latin1") === `${SYMBOL}\0`)
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

interface Slot {
  /** Without the bias. */
  readonly at: number;
  readonly type: number;
  /** It is bound by the symbol's name, so another object's may be used instead. */
  readonly named: boolean;
}

/** Where the loader has stored its result: a descriptor, a module's number, or an offset. */
function findRelocation(memory: Memory, dynamic: Dynamic, symbol: ElfSymbol): Slot | undefined {
  const types: ReadonlySet<number> = new Set(Object.values(R_X86_64));
  for (const [table, size = 0] of [
    [dynamic.rela, dynamic.relaSize],
    [dynamic.jmprel, dynamic.pltSize],
  ]) {
    if (table === undefined || size > most.relocations) continue;
    for (let at = 0; at < size; at += 24 * 1024) {
      const part = memory.read(table + at, Math.min(24 * 1024, size - at));
      if (!part) break;
      for (let i = 0; i + 24 <= part.length; i += 24) {
        const type = part.readUInt32LE(i + 8);
        if (!types.has(type)) continue;
        const named = part.readUInt32LE(i + 12) === symbol.index;
        const isLocal = part.readUInt32LE(i + 12) === 0;
        // A module's number is the same for all of its variables.
        const fits = type === R_X86_64.dtpmod || Number(part.readBigInt64LE(i + 16)) === symbol.value;
        if (named || (isLocal && fits)) return { at: Number(part.readBigUInt64LE(i)), type, named };
      }
    }
  }
  return undefined;
}

function resolve(
  memory: Memory,
  address: number,
  type: number,
  value: number,
  named: boolean,
): ThreadVariable | undefined {
  const pair = memory.read(address, 16);
  if (!pair) return undefined;
  const [first, second] = [pair.readBigInt64LE(0), Number(pair.readBigInt64LE(8))];
  if (type === R_X86_64.tpoff) return staticAt(Number(first));
  if (type === R_X86_64.dtpmod) return dynamicAt(Number(first), named ? second : value, 0);
  if (second <= 0) return staticAt(second);
  const argument = memory.read(second, 24);
  if (!argument) return undefined;
  const [module, offset, generation] = [0, 8, 16].map((at) => Number(argument.readBigUInt64LE(at)));
  return dynamicAt(module!, offset!, generation!);
}

function staticAt(offset: number): ThreadVariable | undefined {
  return offset < 0 && offset > -plausible.offset ? { ...NOT_DYNAMIC, offset } : undefined;
}

function dynamicAt(module: number, offset: number, generation: number): ThreadVariable | undefined {
  if (!(module > 0 && module < plausible.module && offset >= 0 && offset < plausible.offset))
    return undefined;
  if (generation > Number.MAX_SAFE_INTEGER) return undefined;
  return { place: "dynamic", offset, module, generation };
}
