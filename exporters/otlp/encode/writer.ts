// A growing buffer with the protobuf primitives that OTLP needs. Sizes are not computed beforehand: a
// nested message gets two bytes for its length, and is moved in the rare case that it needs another number.
import type { Time } from "../../../core/plugin/signals.ts";

const TWO_32 = 0x1_0000_0000;

/**
 * Bytes that are written often: copied eight at a time, as doubles, which is faster than a call for so few. No eight
 * bytes of UTF-8 and tags are a NaN, the only double that may change when copied.
 */
export class Template {
  readonly words: Float64Array;
  readonly length: number;

  constructor(bytes: Uint8Array) {
    const padded = new Uint8Array((bytes.length + 7) & ~7);
    padded.set(bytes);
    const view = new DataView(padded.buffer);
    this.words = Float64Array.from({ length: padded.length / 8 }, (_, i) => view.getFloat64(i * 8, true));
    this.length = bytes.length;
  }
}

export class Writer {
  /** The buffer; the written part is before `at`. Replaced when it grows. */
  bytes: Buffer;
  at = 0;
  /** Of `bytes`. */
  view: DataView;

  /**
   * `bytes`: a buffer that is the whole of its ArrayBuffer. The default one is larger than any request: what is not
   * written takes no memory, and what is outgrown stays until V8 collects it.
   */
  constructor(bytes = Buffer.allocUnsafeSlow(4 * 1024 * 1024)) {
    this.bytes = bytes;
    this.view = new DataView(this.bytes.buffer);
  }

  /** Makes room for `count` more bytes. Every primitive below assumes that its caller did. */
  ensure(count: number): void {
    if (this.at + count > this.bytes.length) this.#grow(count);
  }

  #grow(count: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.at + count));
    this.bytes.copy(larger, 0, 0, this.at);
    this.bytes = larger;
    this.view = new DataView(larger.buffer);
  }

  byte(value: number): void {
    this.bytes[this.at++] = value;
  }

  /** Up to 7 bytes beyond the template are touched. */
  template(template: Template): void {
    const { words, length } = template;
    const view = this.view;
    const at = this.at;
    for (let i = 0; i < words.length; i++) view.setFloat64(at + i * 8, words[i]!, true);
    this.at = at + length;
  }

  /** A tag and a short byte string, such as an id. */
  id(tag: number, id: Uint8Array): void {
    const out = this.bytes;
    let at = this.at;
    out[at++] = tag;
    out[at++] = id.length;
    for (let i = 0; i < id.length; i++) out[at++] = id[i]!;
    this.at = at;
  }

  raw(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }

  /** A varint of an integer in the range of int64; negative ones take ten bytes, as int64 does. */
  varint(value: number): void {
    const out = this.bytes;
    let at = this.at;
    if (value >= 0 && value < 0x8000_0000) {
      let small = value | 0;
      while (small > 127) {
        out[at++] = (small & 127) | 128;
        small >>>= 7;
      }
      out[at++] = small;
    } else {
      let low = value >>> 0;
      let high = Math.floor(value / TWO_32) >>> 0;
      while (high > 0 || low > 127) {
        out[at++] = (low & 127) | 128;
        low = ((low >>> 7) | (high << 25)) >>> 0;
        high >>>= 7;
      }
      out[at++] = low;
    }
    this.at = at;
  }

  fixed32(value: number): void {
    this.view.setUint32(this.at, value, true);
    this.at += 4;
  }

  /** An integer in the range of int64 as fixed64 or sfixed64. */
  fixed64(value: number): void {
    this.view.setUint32(this.at, value >>> 0, true);
    this.view.setUint32(this.at + 4, Math.floor(value / TWO_32) >>> 0, true);
    this.at += 8;
  }

  double(value: number): void {
    this.view.setFloat64(this.at, value, true);
    this.at += 8;
  }

  /** Nanoseconds since the epoch as fixed64. Exact: no intermediate passes 2^53. */
  time(time: Time): void {
    const seconds = time.sec;
    const upper = Math.floor(seconds / 65_536) * 1e9;
    const lower = (seconds % 65_536) * 1e9 + time.nsec + (upper % 65_536) * 65_536;
    this.view.setUint32(this.at, lower >>> 0, true);
    this.view.setUint32(this.at + 4, Math.floor(upper / 65_536) + Math.floor(lower / TWO_32), true);
    this.at += 8;
  }

  /** A length and the string's UTF-8 bytes; makes its own room. */
  string(value: string): void {
    const length = value.length;
    this.ensure(length * 3 + 8);
    if (length < 128) {
      const out = this.bytes;
      const start = this.at + 1;
      let seen = 0;
      for (let i = 0; i < length; i++) {
        const code = value.charCodeAt(i);
        seen |= code;
        out[start + i] = code;
      }
      if (seen < 128) {
        out[this.at] = length;
        this.at = start + length;
        return;
      }
    }
    this.varint(Buffer.byteLength(value));
    this.at += this.bytes.write(value, this.at);
  }

  /** Begins a nested message after its tag; returns the mark for `close`. */
  open(): number {
    const mark = this.at;
    this.at = mark + 2;
    return mark;
  }

  close(mark: number): void {
    const length = this.at - mark - 2;
    if (length > 127 && length < 16_384) {
      this.bytes[mark] = (length & 127) | 128;
      this.bytes[mark + 1] = length >>> 7;
    } else {
      this.#move(mark, length);
    }
  }

  #move(mark: number, length: number): void {
    const width = varintSize(length);
    this.ensure(width);
    this.bytes.copyWithin(mark + width, mark + 2, mark + 2 + length);
    this.at = mark;
    this.varint(length);
    this.at += length;
  }
}

/** Whether a number is an integer that fits into an int64; beyond 2^53 it is still some exact integer. */
export function isInt64(value: number): boolean {
  return Number.isInteger(value) && value < 2 ** 63 && value >= -(2 ** 63);
}

/** Bytes that a non-negative integer takes as a varint. */
export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** The bytes that `write` writes. */
export function written(write: (writer: Writer) => void): Buffer {
  const writer = new Writer(Buffer.allocUnsafeSlow(1024));
  write(writer);
  return Buffer.from(writer.bytes.subarray(0, writer.at));
}
