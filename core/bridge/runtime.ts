// Functions that generated skeletons call: C strings and arrays of a record as JavaScript values. Names recur, so most
// strings come from a cache; no getter of an id, an address or a comm allocates.
import type { Cursor } from "../plugin/skeleton.ts";

const SLOTS = 1024;
const LONGEST = 32;
const keys = new Uint32Array(SLOTS * (LONGEST / 4));
const sizes = new Uint8Array(SLOTS);
const strings: string[] = new Array<string>(SLOTS).fill("");
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function decode(bytes: Uint8Array, offset: number, size: number): string {
  const field = bytes.subarray(offset, offset + size);
  const end = field.indexOf(0);
  return decoder.decode(end < 0 ? field : field.subarray(0, end));
}

/** The string that begins at `offset` and ends at a NUL or after `size` bytes. */
export function decodeCString(words: Uint32Array, bytes: Uint8Array, offset: number, size: number): string {
  if (size > LONGEST || (size | offset) & 3) return decode(bytes, offset, size);
  const [first, length] = [offset >> 2, size >> 2];
  let hash = 0;
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ words[first + i]!, 0x9e3779b1) ^ (hash >>> 15);
  const slot = (hash >>> 8) % SLOTS;
  const at = slot * (LONGEST / 4);
  let same = sizes[slot] === size;
  for (let i = 0; same && i < length; i++) same = keys[at + i] === words[first + i];
  if (!same) {
    sizes[slot] = size;
    for (let i = 0; i < length; i++) keys[at + i] = words[first + i]!;
    strings[slot] = decode(bytes, offset, size);
  }
  return strings[slot]!;
}

const WORDS16 = 4;
const keys16 = new Uint32Array(SLOTS * WORDS16);
const strings16: string[] = new Array<string>(SLOTS).fill("");

/** As `text` for 16 bytes (a comm, an interface's name) at a multiple of 4. */
export function decodeCString16(words: Uint32Array, bytes: Uint8Array, offset: number): string {
  const first = offset >> 2;
  const a = words[first]!;
  if ((a & 0xff) === 0) return "";
  const b = words[first + 1]!;
  const c = words[first + 2]!;
  const d = words[first + 3]!;
  const mixed = Math.imul(a, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b) ^ Math.imul(c, 0xc2b2ae35) ^ d;
  const slot = Math.imul(mixed ^ (mixed >>> 15), 0x27d4eb2f) >>> 22;
  const at = slot * WORDS16;
  if (keys16[at] === a && keys16[at + 1] === b && keys16[at + 2] === c && keys16[at + 3] === d)
    return strings16[slot]!;
  keys16[at] = a;
  keys16[at + 1] = b;
  keys16[at + 2] = c;
  keys16[at + 3] = d;
  const string = decode(bytes, offset, 16);
  strings16[slot] = string;
  return string;
}

/** 8 bytes (an id), copied into the same array at each read. */
export class Bytes8 {
  readonly #words = new Uint32Array(2);
  readonly #bytes = new Uint8Array(this.#words.buffer);

  /** The bytes at `offset`, a multiple of 4; valid until the next read. */
  read(words: Uint32Array, offset: number): Uint8Array {
    const to = this.#words;
    const first = offset >> 2;
    to[0] = words[first]!;
    to[1] = words[first + 1]!;
    return this.#bytes;
  }
}

/** 16 bytes (an id, an address), copied into the same array at each read. */
export class Bytes16 {
  readonly #words = new Uint32Array(4);
  readonly #bytes = new Uint8Array(this.#words.buffer);

  /** The bytes at `offset`, a multiple of 4; valid until the next read. */
  read(words: Uint32Array, offset: number): Uint8Array {
    const to = this.#words;
    const first = offset >> 2;
    to[0] = words[first]!;
    to[1] = words[first + 1]!;
    to[2] = words[first + 2]!;
    to[3] = words[first + 3]!;
    return this.#bytes;
  }
}

const nowhere = new Uint32Array(0);
const nothing = new Uint8Array(0);

/** The base of every generated cursor. No field in C has a name with `$`. */
export class StructCursor implements Cursor {
  $words: Uint32Array = nowhere;
  $bytes: Uint8Array = nothing;
  $at = 0;

  at(words: Uint32Array, bytes: Uint8Array, offset: number): void {
    this.$words = words;
    this.$bytes = bytes;
    this.$at = offset;
  }
}

/** A key, value or record that is a plain number. */
export interface Value {
  readonly value: number;
}

export class U32Cursor extends StructCursor implements Value {
  get value(): number {
    return this.$words[this.$at >> 2]!;
  }
}

/** Exact below 2^53. */
export class U64Cursor extends StructCursor implements Value {
  get value(): number {
    const first = this.$at >> 2;
    return this.$words[first]! + this.$words[first + 1]! * 4294967296;
  }
}

/** `length` u64 words from word `first`, as numbers: exact below 2^53. */
export function readU64Array(words: Uint32Array, first: number, length: number): Float64Array {
  const numbers = new Float64Array(length);
  for (let i = 0; i < length; i++)
    numbers[i] = words[first + 2 * i]! + words[first + 2 * i + 1]! * 4294967296;
  return numbers;
}
