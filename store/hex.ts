/** Bytes in hexadecimal. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}

/** The bytes of `length * 2` hexadecimal digits; undefined if `text` is not that. */
export function unhex(text: string, length: number): Uint8Array | undefined {
  if (text.length !== length * 2 || !/^[0-9a-f]+$/.test(text)) return undefined;
  return new Uint8Array(Buffer.from(text, "hex"));
}
