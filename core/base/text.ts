// Text chosen by other programs: it may not be UTF-8, and may contain control characters for terminals.

/** Control characters, and those that change the direction of the text after them: terminals would act on them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
export const CONTROL = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

/** A file's name, which may contain any bytes: if they are not UTF-8, each non-ASCII byte is written as \xff. */
export function fileName(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return Array.from(bytes, (byte) =>
      byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`,
    ).join("");
  }
}

/** At most this many bytes of UTF-8, truncated between characters. */
export function cut(text: string, most: number): string {
  if (text.length <= most && Buffer.byteLength(text) <= most) return text;
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(most));
  return text.slice(0, read);
}
