// Texts that other processes choose, made safe to export: valid UTF-8, limited in length, without control characters.

const strict = new TextDecoder("utf-8", { fatal: true });

/** White space, control and format characters of all of Unicode. */
const NO_NAME = /[\s\p{Cc}\p{Cf}]/u;

/** A short name without blanks and control characters; undefined for anything else. */
export function plainName(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0 || bytes.length > 128) return undefined;
  try {
    const name = strict.decode(bytes);
    return NO_NAME.test(name) ? undefined : name;
  } catch {
    return undefined;
  }
}

/** Whether a text contains a control character (C0, DEL, C1) or is not valid UTF-8. */
export function hasControl(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are searched for
  return /[\u0000-\u001f\u007f-\u009f\ufffd]/.test(text) || !text.isWellFormed();
}
