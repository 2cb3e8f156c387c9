// What generated skeletons call: C strings and arrays of a record as JavaScript values. A comm recurs, so most strings are
// found, not made.

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
export function text(words: Uint32Array, bytes: Uint8Array, offset: number, size: number): string {
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

/** `length` u64 words from word `first`, as numbers: exact below 2^53. */
export function u64s(words: Uint32Array, first: number, length: number): Float64Array {
  const numbers = new Float64Array(length);
  for (let i = 0; i < length; i++)
    numbers[i] = words[first + 2 * i]! + words[first + 2 * i + 1]! * 4294967296;
  return numbers;
}
