// Where the threads of a process have the pointer to their context (OTEP 4947): found in its memory, in the symbols of
// its executable and libraries. https://www.akkadia.org/drepper/tls.pdf describes the layout of thread-local storage.
import type { Mapping } from "./address-space.ts";
import {
  type Dynamic,
  dynamicOf,
  type ElfObject,
  type ElfSymbol,
  findSymbol,
  type Memory,
  objectsIn,
  PT_TLS,
  STT_TLS,
} from "./elf.ts";

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

const R_X86_64 = { dtpmod: 16, tpoff: 18, tlsdesc: 36 } as const;
const EM_X86_64 = 62;

/** Maximum bytes of relocations that are read from one object, whatever its headers say. */
const mostRelocations = 16 * 1024 ** 2;
/** Offsets and modules beyond are invalid: a descriptor that is not resolved yet. */
const plausible = { offset: 2 ** 30, module: 65_536 };

/** glibc's loader or library: other C libraries have other vectors (musl's file is libc.so). */
const glibc = /\/(ld-linux-x86-64\.so\.2|ld-2\.\d+\.so|libc\.so\.6|libc-2\.\d+\.so)( \(deleted\))?$/;

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
    if (!hasThreadVariables(object)) continue;
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

function hasThreadVariables({ machine, segments }: ElfObject): boolean {
  return machine === EM_X86_64 && segments.some(({ type }) => type === PT_TLS);
}

function inObject(
  memory: Memory,
  object: ElfObject,
  mappings: readonly Mapping[],
): ThreadVariable | undefined {
  const dynamic = dynamicOf(memory, object);
  if (!dynamic) return undefined;
  const symbol = findSymbol(memory, dynamic, SYMBOL, STT_TLS);
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
    if (table === undefined || size > mostRelocations) continue;
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
