// One ring buffer: passes each record to its handler. Tests: native/ring.kernel.test.ts,
// test/system/lost.kernel.test.ts.
import type { Ring } from "../../native/index.ts";
import type { Cursor, RingRecords } from "../plugin/skeleton.ts";
import { HeldRecords, type Waiting } from "./held-records.ts";

/** Bytes of the kernel's header of each record. */
const HEADER = 8;

export interface RingReaderOptions {
  /** Called when records have been read from the ring, before they are passed on. */
  readonly before?: (() => void) | undefined;
  /** Decides which records are held back; absent: none are. */
  readonly waiting?: Waiting | undefined;
}

export class RingReader {
  readonly ring: Ring;
  /** Records whose handler threw. */
  unhandled = 0;
  readonly #record: Cursor;
  readonly #handle: (record: unknown) => void;
  readonly #before: () => void;
  readonly #held: HeldRecords | undefined;
  readonly #each: (words: Uint32Array, bytes: Uint8Array, length: number) => void;

  constructor(
    ring: Ring,
    records: RingRecords<unknown>,
    handle: (record: unknown) => void,
    { before = () => {}, waiting }: RingReaderOptions = {},
  ) {
    this.ring = ring;
    this.#record = new records.record() as Cursor;
    this.#handle = handle;
    this.#before = before;
    if (waiting) this.#held = HeldRecords.of(records, waiting);
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
      const next = at + HEADER + ((size + 7) & ~7);
      try {
        if (!this.#held?.hold(words, bytes, at + HEADER, next)) {
          record.at(words, bytes, at + HEADER);
          this.#handle(record);
        }
      } catch (error) {
        errors.push(error);
      }
      at = next;
    }
    this.#throw(errors);
  }

  #throw(errors: readonly unknown[]): void {
    if (errors.length === 0) return;
    this.unhandled += errors.length;
    throw errors[0];
  }

  /** Passes on the records in the ring, except those that are held back; returns the number of records read. */
  drain(): number {
    this.#release();
    return this.ring.drain(this.#each);
  }

  /** Passes on records that were held back and no longer have to wait. */
  #release(): void {
    if (this.#held?.isEmpty ?? true) return;
    this.#before();
    const errors: unknown[] = [];
    for (const bytes of this.#held!.takeDue()) {
      this.#record.at(new Uint32Array(bytes.buffer), bytes, 0);
      try {
        this.#handle(this.#record);
      } catch (error) {
        errors.push(error);
      }
    }
    this.#throw(errors);
  }
}
