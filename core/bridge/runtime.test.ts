import assert from "node:assert/strict";
import fc from "fast-check";
import { Bytes8, Bytes16, decodeCString, decodeCString16 } from "./runtime.ts";

const SIZES = [4, 8, 12, 16, 24, 32, 36, 5, 7, 15, 64];

/** The same string, found without any cache. */
function slow(bytes: Uint8Array, offset: number, size: number): string {
  const field = Buffer.from(bytes.slice(offset, offset + size));
  const end = field.indexOf(0);
  return field.toString("utf8", 0, end < 0 ? size : end);
}

function assertRead(bytes: Uint8Array, offset: number, size: number): void {
  const words = new Uint32Array(bytes.buffer, 0, bytes.length >> 2);
  assert.equal(
    decodeCString(words, bytes, offset, size),
    slow(bytes, offset, size),
    `${size} bytes at ${offset}`,
  );
}

/** A buffer with the given bytes, padded to whole words. */
function memory(length: number, ...content: readonly number[]): Uint8Array {
  const bytes = new Uint8Array((length + 3) & ~3);
  bytes.set(content);
  return bytes;
}

const latin1 = (string: string) => [...Buffer.from(string, "latin1")];

describe("a string in a record", () => {
  it("ends at a NUL or at the end of its field", () => {
    const bytes = memory(24, ...latin1("ab\0cdefghijklmnopqrstuvw"));
    const words = new Uint32Array(bytes.buffer);
    assert.equal(decodeCString(words, bytes, 0, 16), "ab");
    assert.equal(decodeCString(words, bytes, 4, 8), "defghijk");
    assert.equal(decodeCString(words, bytes, 3, 8), "cdefghij");
    assert.equal(decodeCString(words, bytes, 0, 2), "ab");
  });

  it("is decoded as UTF-8, whatever its bytes and whatever was read before", () => {
    const each = fc.record({
      size: fc.constantFrom(...SIZES),
      offset: fc.nat(3).map((n) => n * 4),
      bytes: fc.oneof(
        fc.uint8Array({ maxLength: 64 }),
        fc.string({ unit: "grapheme", maxLength: 20 }).map((s) => Uint8Array.from(Buffer.from(s))),
      ),
    });
    fc.assert(
      fc.property(fc.array(each, { minLength: 1, maxLength: 40 }), (reads) => {
        for (const { size, offset, bytes } of reads) {
          assertRead(memory(96, ...new Uint8Array(offset), ...bytes), offset, size);
        }
      }),
    );
  });

  it("is never confused with another one, however many are read in turn", () => {
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 20_000; i++) assertRead(memory(16, ...latin1(`worker/${i}`)), 0, 16);
    }
  });

  it("is distinguished by any single byte before its end", () => {
    const base = latin1("abcdefghijklmnop");
    for (let at = 0; at < 16; at++) {
      for (const byte of [0, 1, 0x61, 0x80, 0xff]) assertRead(memory(16, ...base.with(at, byte)), 0, 16);
      assertRead(memory(16, ...base), 0, 16);
    }
  });

  it("differs from one with the same bytes and another size", () => {
    const bytes = memory(32, ...latin1("abcdefghijklmnopqrstuvwxyzabcdef"));
    for (const size of [4, 8, 16, 32, 16, 8, 4]) assertRead(bytes, 0, size);
  });
});

describe("16 bytes of text at a multiple of 4", () => {
  it("give the same string as the general reader, whatever was read before", () => {
    const each = fc.oneof(
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc.string({ maxLength: 16 }).map((s) => Uint8Array.from(Buffer.from(s)).subarray(0, 16)),
    );
    fc.assert(
      fc.property(fc.array(each, { minLength: 1, maxLength: 40 }), (reads) => {
        for (const content of reads) {
          const bytes = memory(24, 0, 0, 0, 0, ...content);
          const words = new Uint32Array(bytes.buffer);
          assert.equal(decodeCString16(words, bytes, 4), slow(bytes, 4, 16));
        }
      }),
    );
  });
});

describe("bytes in a record", () => {
  it("are read without a new array, and are not mixed with another field's", () => {
    const bytes = Uint8Array.from({ length: 32 }, (_, i) => i);
    const words = new Uint32Array(bytes.buffer);
    const [id, other] = [new Bytes8(), new Bytes16()];
    assert.deepEqual(id.read(words, 4), bytes.subarray(4, 12));
    assert.deepEqual(other.read(words, 12), bytes.subarray(12, 28));
    assert.equal(id.read(words, 20), id.read(words, 4));
    assert.deepEqual([...id.read(words, 4)], [...bytes.subarray(4, 12)]);
  });
});
