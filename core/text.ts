// C strings of a record as JavaScript strings: a comm recurs, so most are found, not made.

/** Control characters, and those that change the direction of what follows them: a terminal would obey. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
export const CONTROL = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

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

const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/** A file's name, which may hold any bytes: where they are no UTF-8, each that is not ASCII is written as \xff. */
export function fileName(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return Array.from(bytes, (byte) =>
      byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`,
    ).join("");
  }
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
