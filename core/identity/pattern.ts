// Patterns with `*` for any bytes, compared with bytes, so that the compared data need not become text.

export class Pattern {
  readonly #parts: readonly Buffer[];

  constructor(text: string) {
    this.#parts = text.split("*").map((part) => Buffer.from(part));
  }

  /** Whether the pattern matches all of `bytes`. */
  matches(bytes: Uint8Array): boolean {
    const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const [first, ...rest] = this.#parts;
    const last = rest.pop();
    if (last === undefined) return all.equals(first!);
    if (!all.subarray(0, first!.length).equals(first!)) return false;
    let at = first!.length;
    for (const part of rest) {
      const found = all.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return all.length - last.length >= at && all.subarray(all.length - last.length).equals(last);
  }
}
