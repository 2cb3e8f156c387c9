// Rows as they are stored: each column in its smallest width, its bytes in planes, all compressed. 50 to 75 bytes per
// row. Tests: store/chunk.test.ts.
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { AttributeSpecs } from "../core/plugin/signals.ts";
import { IDS, type RowBuilder, type Rows, type Values, valuesOf } from "../exporters/local/columns.ts";

/**
 * How one column is stored: the type of its numbers and the subtracted offset, or the one number of all rows (null:
 * absent).
 */
type Kept = readonly ["u8" | "u16" | "u32" | "f32" | "f64", number] | readonly ["same", number | null];

interface ChunkHead {
  readonly words: readonly string[];
  readonly links: number;
  readonly columns: readonly Kept[];
}

/** Rows of a chunk; recordings of other versions may have larger ones. */
export const ROWS = 2048;

/** Maximum bytes of a decompressed chunk, since a recording may come from anywhere. */
const MOST_BYTES = 16 * 1024 ** 2;

const SIZE = { u8: 1, u16: 2, u32: 4, f32: 4, f64: 8 };
/** The number for "absent" among integers of a width. */
const ABSENT = { u8: 0xff, u16: 0xffff, u32: 0xffffffff };

const LEVEL = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

export function encodeChunk(rows: RowBuilder): { readonly head: string; readonly data: Uint8Array } {
  const { n } = rows;
  const columns: Kept[] = [];
  const parts: Uint8Array[] = [rows.ids.subarray(0, n * IDS), rows.links.subarray(0, rows.linkBytes)];
  for (const values of numeric(rows)) {
    const kept = keep(values, n);
    columns.push(kept);
    if (kept[0] !== "same") parts.push(planes(values, n, kept));
  }
  const head: ChunkHead = { words: rows.words, links: rows.linkBytes, columns };
  return { head: JSON.stringify(head), data: zstdCompressSync(Buffer.concat(parts), LEVEL) };
}

/**
 * The memory of one decoded chunk, used again for the next one. V8 frees the memory of arrays only when 64 MB of it have
 * become garbage.
 */
export class Workspace {
  #arrays: Values[] = [];
  #free: Values[] = [];
  #read: Uint8Array[] = [];

  /** Ends the use of what was decoded before. */
  clear(): void {
    for (const { buffer } of this.#read) (buffer as ArrayBuffer).transfer(0);
    this.#read = [];
    this.#free = [...this.#arrays];
  }

  /** An array whose contents are undefined. */
  take<T extends Values>(type: { new (n: number): T }, n: number): T {
    const at = this.#free.findIndex((one) => one instanceof type && one.length >= n);
    if (at >= 0) return this.#free.splice(at, 1)[0]!.subarray(0, n) as T;
    const made = new type(Math.max(n, ROWS));
    this.#arrays.push(made);
    return made.subarray(0, n) as T;
  }

  /** Bytes that nothing else uses: they are freed by the next `clear`. */
  adopt(bytes: Uint8Array): void {
    this.#read.push(bytes);
  }
}

/** The inverse. Throws for anything that encodeChunk has not created. The rows are valid until `into` is cleared. */
export function decodeChunk(
  attributes: AttributeSpecs,
  n: number,
  head: string,
  data: Uint8Array,
  into: Workspace,
): Rows {
  const { words, links, columns } = JSON.parse(head) as ChunkHead;
  let size = n * IDS + links;
  const places = columns.map((kept) => {
    const at = size;
    size += kept[0] === "same" ? 0 : SIZE[kept[0]] * n;
    return { kept, at, end: size };
  });
  if (!(n >= 0 && size <= MOST_BYTES)) throw new RangeError("a chunk has fewer rows than it says");
  // All at once, because zlib would return many small pieces; a byte more, or it would prepare the next piece. Small
  // buffers are shared with others, and cannot be freed.
  const chunkSize = Math.max(Buffer.poolSize, size + 1);
  const plain = zstdDecompressSync(data, { maxOutputLength: MOST_BYTES, chunkSize });
  into.adopt(plain);
  if (size > plain.length) throw new RangeError("a chunk is shorter than its declaration");
  const bytes = new Uint8Array(plain.buffer, plain.byteOffset, plain.length);
  let index = 0;
  /** Decodes the next column, when it is called. */
  const next = <T extends Values>(type: { new (n: number): T }): (() => T) => {
    const place = places[index++];
    if (place === undefined) throw new RangeError("a chunk has fewer columns than its declaration");
    return () => restore(bytes.subarray(place.at, place.end), into.take(type, n), place.kept);
  };
  return {
    n,
    words,
    ids: bytes.subarray(0, n * IDS),
    links: bytes.subarray(n * IDS, n * IDS + links),
    start: next(Float64Array)(),
    duration: next(Float64Array)(),
    resource: next(Uint32Array)(),
    kind: next(Uint8Array)(),
    error: next(Uint32Array)(),
    linkCount: next(Uint8Array)(),
    values: new Columns(Object.entries(attributes).map(([key, { type }]) => next(valuesOf(key, type)))),
  };
}

/** Columns that are decoded when they are first read: a query reads few of them. */
class Columns {
  readonly #decode: readonly (() => Values)[];
  readonly #decoded: (Values | undefined)[];

  constructor(decode: readonly (() => Values)[]) {
    this.#decode = decode;
    this.#decoded = decode.map(() => undefined);
  }

  at(index: number): Values | undefined {
    this.#decoded[index] ??= this.#decode[index]?.();
    return this.#decoded[index];
  }
}

function numeric(rows: RowBuilder): Values[] {
  const { start, duration, resource, kind, error, linkCount, values } = rows;
  return [start, duration, resource, kind, error, linkCount, ...values];
}

function keep(values: Values, n: number): Kept {
  let least = Number.POSITIVE_INFINITY;
  let most = Number.NEGATIVE_INFINITY;
  let absent = 0;
  let integers = true;
  for (let i = 0; i < n; i++) {
    const value = values[i]!;
    if (Number.isNaN(value)) {
      absent++;
      continue;
    }
    if (value < least) least = value;
    if (value > most) most = value;
    if (integers && !Number.isInteger(value)) integers = false;
  }
  if (absent === n) return ["same", null];
  if (absent === 0 && least === most) return ["same", least];
  if (!integers) return [precise(values, n) ? "f32" : "f64", 0];
  const range = most - least;
  if (range < ABSENT.u8) return ["u8", least];
  if (range < ABSENT.u16) return ["u16", least];
  return range < ABSENT.u32 ? ["u32", least] : ["f64", 0];
}

/** Whether 24 bits are enough: they are for durations and rates of an attribute, not for times. */
function precise(values: Values, n: number): boolean {
  for (let i = 0; i < n; i++) if (Math.abs(values[i]!) > 1e9) return false;
  return true;
}

function planes(values: Values, n: number, [type, least]: Kept): Uint8Array {
  if (type === "same") return new Uint8Array(0);
  const size = SIZE[type];
  const out = new Uint8Array(size * n);
  if (type === "f32" || type === "f64") {
    const floats =
      type === "f32" ? Float32Array.from(values.subarray(0, n)) : Float64Array.from(values.subarray(0, n));
    const bytes = new Uint8Array(floats.buffer);
    for (let b = 0; b < size; b++) for (let i = 0; i < n; i++) out[b * n + i] = bytes[i * size + b]!;
    return out;
  }
  for (let i = 0; i < n; i++) {
    const value = values[i]!;
    const kept = Number.isNaN(value) ? ABSENT[type] : value - least;
    out[i] = kept;
    if (size > 1) out[n + i] = kept >>> 8;
    if (size > 2) {
      out[2 * n + i] = kept >>> 16;
      out[3 * n + i] = kept >>> 24;
    }
  }
  return out;
}

function restore<T extends Values>(bytes: Uint8Array, into: T, [type, least]: Kept): T {
  if (type === "same") {
    into.fill(least ?? Number.NaN);
    return into;
  }
  const n = into.length;
  const size = SIZE[type];
  if (type === "f32" || type === "f64") {
    if (!(into instanceof Float64Array)) throw new RangeError("a chunk has fractions where there are none");
    // The joined bytes of 32-bit numbers are in the second half, and are read before they are overwritten.
    const begin = into.byteLength - size * n;
    const joined = new Uint8Array(into.buffer, into.byteOffset + begin, size * n);
    for (let b = 0; b < size; b++) for (let i = 0; i < n; i++) joined[i * size + b] = bytes[b * n + i]!;
    if (type === "f32") into.set(new Float32Array(into.buffer, into.byteOffset + begin, n));
    return into;
  }
  for (let i = 0; i < n; i++) {
    let value = bytes[i]!;
    if (size > 1) value += bytes[n + i]! * 0x100;
    if (size > 2) value += bytes[2 * n + i]! * 0x10000 + bytes[3 * n + i]! * 0x1000000;
    into[i] = value === ABSENT[type] && into instanceof Float64Array ? Number.NaN : value + least;
  }
  return into;
}

/** Bytes of a Bloom filter for `n` rows' trace ids: ten bits per row, four hashes; one in a hundred others passes. */
export function bloomOf(ids: Uint8Array, n: number): Uint8Array {
  const filter = new Uint8Array(Math.max(8, Math.ceil((n * 10) / 8)));
  const view = new DataView(ids.buffer, ids.byteOffset);
  for (let i = 0; i < n; i++)
    for (let word = 0; word < 4; word++) {
      const bit = view.getUint32(i * IDS + word * 4, true) % (filter.length * 8);
      filter[bit >> 3]! |= 1 << (bit & 7);
    }
  return filter;
}

export function mayHold(filter: Uint8Array, traceId: Uint8Array): boolean {
  const view = new DataView(traceId.buffer, traceId.byteOffset, 16);
  return [0, 4, 8, 12].every((at) => {
    const bit = view.getUint32(at, true) % (filter.length * 8);
    return (filter[bit >> 3]! & (1 << (bit & 7))) !== 0;
  });
}
