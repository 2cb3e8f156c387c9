import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { skeleton as everyKind, RecordCursor } from "../../test/bpf/fields.skel.ts";
import { effort, FUZZ_MS } from "../../test/support/fuzz.ts";
import type { Cursor, Records, Skeleton } from "../plugin/skeleton.ts";

const root = join(import.meta.dirname, "../..");

/** Random bytes, as in a batch, and the offset of a struct of this size. */
const batch = (size: number) =>
  fc.record({
    bytes: fc.uint8Array({ minLength: size + 8, maxLength: size + 8 }).map((b) => Uint8Array.from(b)),
    at: fc.constantFrom(0, 8),
  });

const wordsOf = (bytes: Uint8Array) => new Uint32Array(bytes.buffer, 0, bytes.length >> 2);

/** More than the value of any table takes. */
const ROOM = 32_768;

type Reader = readonly [name: string, cursor: new () => Cursor];

function readersOf(name: string, skeleton: Skeleton): Reader[] {
  return Object.entries(skeleton.records).flatMap(([what, r]: [string, Records]): Reader[] =>
    r.kind === "table"
      ? [
          [`${name} ${what} key`, r.key],
          [`${name} ${what} value`, r.value],
        ]
      : [[`${name} ${what}`, r.record]],
  );
}

/** The results of all getters, at any depth. */
function fieldsOf(cursor: object): [string, unknown][] {
  const getters = Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(cursor)));
  return getters
    .filter(([, { get }]) => get)
    .flatMap(([name, { get }]): [string, unknown][] => {
      const value: unknown = get!.call(cursor);
      const isNested = typeof value === "object" && value !== null && !ArrayBuffer.isView(value);
      return isNested ? fieldsOf(value).map(([inner, v]) => [`${name}.${inner}`, v]) : [[name, value]];
    });
}

function assertSound(field: string, value: unknown): void {
  if (typeof value === "number")
    assert(Number.isInteger(value) && value <= 2 ** 64 && value >= -(2 ** 63), field);
  else if (value instanceof Float64Array) for (const v of value) assert(Number.isInteger(v) && v >= 0, field);
  else if (ArrayBuffer.isView(value)) assert(value.byteLength > 0, field);
  // An enum's number that has no name is undefined.
  else assert(["string", "boolean", "undefined"].includes(typeof value), `${field}: ${typeof value}`);
}

/** A field of `struct record` of test/bpf/fields.bpf.c, read in another way. */
function expected(view: DataView, at: number): Record<string, unknown> {
  const bytes = (offset: number, size: number) => new Uint8Array(view.buffer, at + offset, size);
  const string = (offset: number, size: number) => {
    const [text = ""] = Buffer.from(bytes(offset, size)).toString("latin1").split("\0");
    return Buffer.from(text, "latin1").toString("utf8");
  };
  const inner = (offset: number) => [view.getInt32(at + offset, true), view.getUint16(at + offset + 6, true)];
  return {
    wide: Number(view.getBigUint64(at, true)),
    signedWide: Number(view.getBigInt64(at + 8, true)),
    word: view.getUint32(at + 16, true),
    signedWord: view.getInt32(at + 20, true),
    half: view.getUint16(at + 24, true),
    signedHalf: view.getInt16(at + 26, true),
    byte: view.getUint8(at + 28),
    signedByte: view.getInt8(at + 29),
    flag: view.getUint8(at + 30) !== 0,
    shape: { 0: "round", 3: "square", 4: "very_long" }[view.getUint32(at + 32, true)],
    comm: string(36, 16),
    name: string(52, 8),
    path: string(60, 40),
    raw: [...bytes(100, 4)],
    words: [104, 108, 112].map((offset) => view.getUint32(at + offset, true)),
    wides: [120, 128].map((offset) => Number(view.getBigUint64(at + offset, true))),
    inner: inner(136),
    otherInner: inner(144),
  };
}

function read(record: RecordCursor): Record<string, unknown> {
  const { inner, otherInner, raw, words, wides } = record;
  const plain = Object.fromEntries(fieldsOf(record).filter(([name]) => !name.includes(".")));
  return {
    ...plain,
    raw: [...raw],
    words: [...words],
    wides: [...wides],
    inner: [inner.low, inner.high],
    otherInner: [otherInner.low, otherInner.high],
  };
}

describe("a generated reader", function () {
  this.timeout((FUZZ_MS ?? 0) + 60_000);
  const files = globSync(["plugins/*/*.skel.ts", "bpf/*/*.skel.ts"], { cwd: root }).sort();

  it("reads every kind of field, whatever the bytes", () => {
    const record = new RecordCursor();
    fc.assert(
      fc.property(
        batch(everyKind.records.records.size),
        fc.constantFrom(0, 3, 4, 5),
        ({ bytes, at }, shape) => {
          const view = new DataView(bytes.buffer);
          view.setUint32(at + 32, shape, true);
          record.at(wordsOf(bytes), bytes, at);
          assert.deepEqual(read(record), expected(view, at));
        },
      ),
      effort(files.length + 1, { numRuns: 500 }),
    );
  });

  it("reads integers above 2^53 with the precision of a double", () => {
    const bytes = new Uint8Array(160).fill(0xff);
    const record = new RecordCursor();
    record.at(wordsOf(bytes), bytes, 0);
    assert.deepEqual([record.wide, record.signedWide], [2 ** 64, -1]);
    assert.deepEqual(
      [record.word, record.signedWord, record.half, record.signedHalf],
      [0xffffffff, -1, 0xffff, -1],
    );
  });

  it("reads two structs of one type in one record side by side", () => {
    const bytes = new Uint8Array(160);
    new DataView(bytes.buffer).setInt32(136, -5, true);
    new DataView(bytes.buffer).setInt32(144, 7, true);
    const record = new RecordCursor();
    record.at(wordsOf(bytes), bytes, 0);
    const { inner, otherInner } = record;
    assert.deepEqual([inner.low, otherInner.low], [-5, 7]);
  });

  for (const file of files) {
    it(`of ${file} never throws, whatever the bytes, and returns numbers, strings and names`, async () => {
      const { skeleton } = (await import(join(root, file))) as { skeleton: Skeleton };
      const readers = readersOf(file, skeleton);
      fc.assert(
        fc.property(fc.infiniteStream(fc.integer({ min: 0, max: 255 })), fc.nat(16), (noise, from) => {
          const bytes = Uint8Array.from(noise.take(ROOM));
          for (const [name, reader] of readers) {
            const cursor = new reader();
            cursor.at(wordsOf(bytes), bytes, from * 8);
            for (const [field, value] of fieldsOf(cursor)) assertSound(`${name} ${field}`, value);
          }
        }),
        effort(files.length + 1, { numRuns: 20 }),
      );
    });
  }
});
