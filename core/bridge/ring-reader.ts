// One ring buffer: passes each record to its handler. Tests: native/ring.kernel.test.ts,
// test/system/lost.kernel.test.ts.
import type { Ring } from "../../native/index.ts";
import type { Cursor, RingRecords } from "../plugin/skeleton.ts";

/** Bytes of the kernel's header of each record. */
const HEADER = 8;

export class RingReader {
  readonly ring: Ring;
  /** Records whose handler threw. */
  unhandled = 0;
  readonly #record: Cursor;
  readonly #handle: (record: unknown) => void;
  readonly #each: (words: Uint32Array, bytes: Uint8Array, length: number) => void;

  constructor(
    ring: Ring,
    records: RingRecords<unknown>,
    handle: (record: unknown) => void,
    before: () => void = () => {},
  ) {
    this.ring = ring;
    this.#record = new records.record() as Cursor;
    this.#handle = handle;
    this.#each = (words, bytes, length) => {
      before();
      this.#walk(words, bytes, length);
    };
  }

  /** One pass over a batch, each record after the kernel's 8-byte header. Throws what the first handler threw. */
  #walk(words: Uint32Array, bytes: Uint8Array, length: number): void {
    const record = this.#record;
    const errors: unknown[] = [];
    for (let at = 0; at < length; ) {
      const size = words[at >> 2]! & 0x3fffffff;
      record.at(words, bytes, at + HEADER);
      try {
        this.#handle(record);
      } catch (error) {
        errors.push(error);
      }
      at += HEADER + ((size + 7) & ~7);
    }
    if (errors.length === 0) return;
    this.unhandled += errors.length;
    throw errors[0];
  }

  drain(): number {
    return this.ring.drain(this.#each);
  }
}
