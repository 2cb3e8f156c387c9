// Written by tools/btfgen.ts from fields.bpf.c. Do not edit.
import { decodeCString, decodeCString16, readU64Array, StructCursor, U64Cursor, type Value } from "../../core/bridge/runtime.ts";
import type { Fields, RingRecords, RowRecords, TableRecords } from "../../core/plugin/skeleton.ts";

export interface Pair {
  readonly left: number;
  readonly right: number;
}

export class PairCursor extends StructCursor implements Pair {
  static readonly fields: Fields = { left: { at: 0, is: "u32" }, right: { at: 4, is: "u32" } };
  get left(): number {
    return this.$words[((this.$at) >> 2)]!;
  }
  get right(): number {
    return this.$words[((this.$at + 4) >> 2)]!;
  }
}

export interface Largest {
  readonly maxBytes: number;
}

export class LargestCursor extends StructCursor implements Largest {
  static readonly fields: Fields = { maxBytes: { at: 0, is: "u64" } };
  get maxBytes(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
}

export interface Sums {
  readonly count: number;
  readonly maxNs: number;
  readonly largest: Largest;
}

export class SumsCursor extends StructCursor implements Sums {
  static readonly fields: Fields = { count: { at: 0, is: "u64" }, maxNs: { at: 8, is: "u64" }, largest: { at: 16, fields: LargestCursor.fields } };
  get count(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
  get maxNs(): number {
    return this.$words[((this.$at + 8) >> 2)]! + this.$words[((this.$at + 8) >> 2) + 1]! * 4294967296;
  }
  readonly #largest = new LargestCursor();
  get largest(): Largest {
    this.#largest.at(this.$words, this.$bytes, this.$at + 16);
    return this.#largest;
  }
}

export type Shape = "round" | "square" | "very_long";
const shapeNames = ["round", undefined, undefined, "square", "very_long"] as const;

export interface Inner {
  readonly low: number;
  readonly high: number;
}

export class InnerCursor extends StructCursor implements Inner {
  static readonly fields: Fields = { low: { at: 0, is: "i32" }, high: { at: 6, is: "u16" } };
  get low(): number {
    return this.$words[((this.$at) >> 2)]! | 0;
  }
  get high(): number {
    return this.$bytes[(this.$at + 6)]! | (this.$bytes[(this.$at + 6) + 1]! << 8);
  }
}

export interface Record {
  readonly wide: number;
  readonly signedWide: number;
  readonly word: number;
  readonly signedWord: number;
  readonly half: number;
  readonly signedHalf: number;
  readonly byte: number;
  readonly signedByte: number;
  readonly flag: boolean;
  readonly shape: Shape;
  readonly comm: string;
  readonly name: string;
  readonly path: string;
  readonly raw: Uint8Array;
  readonly words: Uint32Array;
  readonly wides: Float64Array;
  readonly inner: Inner;
  readonly otherInner: Inner;
}

export class RecordCursor extends StructCursor implements Record {
  static readonly fields: Fields = { wide: { at: 0, is: "u64" }, signedWide: { at: 8, is: "i64" }, word: { at: 16, is: "u32" }, signedWord: { at: 20, is: "i32" }, half: { at: 24, is: "u16" }, signedHalf: { at: 26, is: "i16" }, byte: { at: 28, is: "u8" }, signedByte: { at: 29, is: "i8" }, flag: { at: 30, is: "bool" }, shape: { at: 32, names: shapeNames }, comm: { at: 36, is: "text", size: 16 }, name: { at: 52, is: "text", size: 8 }, path: { at: 60, is: "text", size: 40 }, raw: { at: 100, is: "array", size: 4 }, words: { at: 104, is: "array", size: 12 }, wides: { at: 120, is: "array", size: 16 }, inner: { at: 136, fields: InnerCursor.fields }, otherInner: { at: 144, fields: InnerCursor.fields } };
  get wide(): number {
    return this.$words[((this.$at) >> 2)]! + this.$words[((this.$at) >> 2) + 1]! * 4294967296;
  }
  get signedWide(): number {
    return this.$words[((this.$at + 8) >> 2)]! + (this.$words[((this.$at + 8) >> 2) + 1]! | 0) * 4294967296;
  }
  get word(): number {
    return this.$words[((this.$at + 16) >> 2)]!;
  }
  get signedWord(): number {
    return this.$words[((this.$at + 20) >> 2)]! | 0;
  }
  get half(): number {
    return this.$bytes[(this.$at + 24)]! | (this.$bytes[(this.$at + 24) + 1]! << 8);
  }
  get signedHalf(): number {
    return ((this.$bytes[(this.$at + 26)]! | (this.$bytes[(this.$at + 26) + 1]! << 8)) << 16) >> 16;
  }
  get byte(): number {
    return this.$bytes[(this.$at + 28)]!;
  }
  get signedByte(): number {
    return ((this.$bytes[(this.$at + 29)]!) << 24) >> 24;
  }
  get flag(): boolean {
    return this.$bytes[this.$at + 30]! !== 0;
  }
  get shape(): Shape {
    return shapeNames[this.$words[((this.$at + 32) >> 2)]!]!;
  }
  get comm(): string {
    return decodeCString16(this.$words, this.$bytes, this.$at + 36);
  }
  get name(): string {
    return decodeCString(this.$words, this.$bytes, this.$at + 52, 8);
  }
  get path(): string {
    return decodeCString(this.$words, this.$bytes, this.$at + 60, 40);
  }
  get raw(): Uint8Array {
    return this.$bytes.subarray(this.$at + 100, this.$at + 100 + 4);
  }
  get words(): Uint32Array {
    return this.$words.subarray(this.$at + 104 >> 2, (this.$at + 104 >> 2) + 3);
  }
  get wides(): Float64Array {
    return readU64Array(this.$words, this.$at + 120 >> 2, 2);
  }
  readonly #inner = new InnerCursor();
  get inner(): Inner {
    this.#inner.at(this.$words, this.$bytes, this.$at + 136);
    return this.#inner;
  }
  readonly #otherInner = new InnerCursor();
  get otherInner(): Inner {
    this.#otherInner.at(this.$words, this.$bytes, this.$at + 144);
    return this.#otherInner;
  }
}

export interface ShapesKey {
  readonly value: Shape;
}

export class ShapesKeyCursor extends StructCursor implements ShapesKey {
  static readonly fields: Fields = { value: { at: 0, names: shapeNames } };
  get value(): Shape {
    return shapeNames[this.$words[((this.$at) >> 2)]!]!;
  }
}

export const skeleton = {
  hash: "5c91371ee30ed9a7",
  programs: {
    produce: "syscall",
    walk: "iter/bpf_map_elem",
  },
  constants: {
    ends: { kind: "struct", name: "pair", size: 8, fields: [{ name: "left", offset: 0, layout: {"kind":"int","size":4,"signed":false} }, { name: "right", offset: 4, layout: {"kind":"int","size":4,"signed":false} }] },
    limit: {"kind":"int","size":4,"signed":false},
  },
  runtimeConfig: { kind: "struct", name: "runtime_config", size: 4, fields: [{ name: "level", offset: 0, layout: {"kind":"int","size":4,"signed":false} }] },
  counters: ["seen_records","lost_records"],
  records: {
    pairs: {
      kind: "table",
      perCpu: true,
      maxWords: [1,2],
      key: PairCursor,
      value: SumsCursor,
    } as TableRecords<Pair, Sums>,
    records: { kind: "ring", size: 152, record: RecordCursor } as RingRecords<Record>,
    shapes: {
      kind: "table",
      perCpu: false,
      maxWords: [],
      key: ShapesKeyCursor,
      value: U64Cursor,
    } as TableRecords<ShapesKey, Value>,
    walk: { kind: "rows", size: 8, record: InnerCursor } as RowRecords<Inner>,
  },
} as const;
