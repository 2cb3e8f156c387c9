// What the agent writes to the store's standard input. A frame is its length without these four bytes, the length of
// its header, the header as JSON, and columns of numbers; all numbers little-endian. Tests:
// exporters/local/frame.test.ts.
import type { LivingConnection } from "../../core/plugin/living.ts";
import type { AttributeSpecs, MetricSpec } from "../../core/plugin/signals.ts";
import { type Declaration, IDS, LINK, type RowBuilder, type Rows, type Values, valuesOf } from "./columns.ts";

/** Maximum length: a longer frame does not come from the agent. */
const MAX_FRAME = 64 * 1024 * 1024;

/** Bytes of the buffer for frames that is kept; most are smaller. */
const KEPT = 512 * 1024;

/** How numbers refer to what was declared in an earlier frame of the same connection. */
export type Declared =
  | { readonly type: "signal"; readonly id: number; readonly declaration: Declaration }
  | { readonly type: "metric"; readonly id: number; readonly scope: string; readonly spec: MetricSpec }
  | {
      readonly type: "resource";
      readonly id: number;
      readonly attributes: Readonly<Record<string, string | number | boolean | readonly string[]>>;
    };

export interface RowsHead {
  readonly type: "rows";
  readonly seq: number;
  readonly signal: number;
  readonly n: number;
  /** Bytes of links. */
  readonly links: number;
  readonly words: readonly string[];
}

/** Points of one metric of one resource. */
export interface MetricHead {
  readonly metric: number;
  readonly resource: number;
  readonly points: readonly Readonly<Record<string, unknown>>[];
}

/**
 * What one collection added: consecutive numbers for each point: a plain one's value, or a histogram's count, sum,
 * scale, zero count, offset, number of buckets and its buckets.
 */
export interface MetricsHead {
  readonly type: "metrics";
  readonly seq: number;
  /** Microseconds since the epoch. */
  readonly time: number;
  /** Since the collection before, whatever was done to the clock; 0 for the first. */
  readonly seconds: number;
  readonly metrics: readonly MetricHead[];
}

/** Resources that were declared so far are not named any more. */
export interface ForgetHead {
  readonly type: "forget";
}

/** The agent's own state, as printed by `wirespan status --json`. */
export interface StateHead {
  readonly type: "state";
  readonly time: number;
  readonly state: unknown;
}

/** A token with which anyone can see the page, once. */
export interface TokenHead {
  readonly type: "token";
  readonly token: string;
}

/** The currently open connections, which the store requested. */
export interface LivingHead {
  readonly type: "living";
  /** Microseconds since the epoch. */
  readonly time: number;
  /** Number of open connections, including those that are not listed. */
  readonly total: number;
  readonly rows: readonly LivingRow[];
  /** Why there is no list. */
  readonly error?: string;
}

export interface LivingRow extends Omit<LivingConnection, "traceId" | "resource"> {
  /** In hexadecimal. */
  readonly trace: string;
  readonly resource: number;
}

/** Commit all that came before. */
export interface FlushHead {
  readonly type: "flush";
  readonly seq: number;
}

export type Head =
  | Declared
  | RowsHead
  | MetricsHead
  | StateHead
  | TokenHead
  | LivingHead
  | FlushHead
  | ForgetHead;

/** A frame as bytes; columns are aligned to eight bytes from the frame's beginning. */
export function encodeFrame(head: Head, columns: readonly Uint8Array[] = []): Buffer {
  const text = Buffer.from(JSON.stringify(head));
  const start = align(8 + text.length);
  const size = columns.reduce((sum, { length }) => align(sum) + length, start);
  const frame = Buffer.alloc(size);
  frame.writeUInt32LE(size - 4, 0);
  frame.writeUInt32LE(text.length, 4);
  frame.set(text, 8);
  let at = start;
  for (const column of columns) {
    at = align(at);
    frame.set(column, at);
    at += column.length;
  }
  return frame;
}

/** The columns of `rows`, in the order in which rowsOf reads them. */
export function columnsOf(rows: RowBuilder): Uint8Array[] {
  const { n } = rows;
  return [
    rows.ids.subarray(0, n * IDS),
    bytesOf(rows.start.subarray(0, n)),
    bytesOf(rows.duration.subarray(0, n)),
    bytesOf(rows.resource.subarray(0, n)),
    rows.kind.subarray(0, n),
    bytesOf(rows.error.subarray(0, n)),
    rows.linkCount.subarray(0, n),
    rows.links.subarray(0, rows.linkBytes),
    ...rows.values.map((values) => bytesOf(values.subarray(0, n))),
  ];
}

export function bytesOf(values: Values): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Reads the columns of a frame's body; `body` begins at a multiple of eight bytes in its buffer. */
export class ColumnReader {
  readonly #body: Uint8Array;
  #at = 0;

  constructor(body: Uint8Array) {
    this.#body = body;
  }

  /** A view of the next column. Throws RangeError if the body is too short. */
  next<T>(
    type: { new (buffer: ArrayBufferLike, at: number, n: number): T; BYTES_PER_ELEMENT: number },
    n: number,
  ): T {
    const at = align(this.#at);
    const size = n * type.BYTES_PER_ELEMENT;
    if (at + size > this.#body.length) throw new RangeError("a column lies beyond the end of its frame");
    this.#at = at + size;
    return new type(this.#body.buffer, this.#body.byteOffset + at, n);
  }
}

/** The rows of a frame. Throws RangeError if the body is too short. */
export function rowsOf({ n, links, words }: RowsHead, attributes: AttributeSpecs, body: Uint8Array): Rows {
  const reader = new ColumnReader(body);
  return {
    n,
    words,
    ids: reader.next(Uint8Array, n * IDS),
    start: reader.next(Float64Array, n),
    duration: reader.next(Float64Array, n),
    resource: reader.next(Uint32Array, n),
    kind: reader.next(Uint8Array, n),
    error: reader.next(Uint32Array, n),
    linkCount: reader.next(Uint8Array, n),
    links: reader.next(Uint8Array, links - (links % LINK)),
    values: Object.entries(attributes).map(([key, { type }]) => reader.next(valuesOf(key, type), n)),
  };
}

function align(at: number): number {
  return (at + 7) & ~7;
}

/** Splits a stream into frames. */
export class FrameReader {
  /** The beginning of the next frame, or all of it: one buffer for all, because columns require alignment. */
  #frame = new Uint8Array(KEPT);
  #length = 0;

  /**
   * The frames that `chunk` completes; the body of each is valid until the next one. Throws RangeError if it is not a
   * frame.
   */
  *push(chunk: Uint8Array): Generator<{ readonly head: Head; readonly body: Uint8Array }> {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + this.#size() - this.#length);
      this.#frame.set(part, this.#length);
      at += part.length;
      this.#length += part.length;
      const size = this.#size();
      if (this.#length < size) continue;
      const text = new DataView(this.#frame.buffer).getUint32(4, true);
      const head = JSON.parse(Buffer.from(this.#frame.buffer, 8, text).toString()) as Head;
      yield { head, body: this.#frame.subarray(Math.min(size, align(8 + text)), size) };
      this.#length = 0;
      if (this.#frame.length > KEPT) this.#frame = new Uint8Array(KEPT);
    }
  }

  /** Bytes of the next frame, for which there is room then; of its lengths, as long as they are unknown. */
  #size(): number {
    if (this.#length < 8) return 8;
    const view = new DataView(this.#frame.buffer);
    const size = view.getUint32(0, true) + 4;
    if (size > MAX_FRAME || view.getUint32(4, true) > size - 8)
      throw new RangeError("not a frame of wirespan's agent");
    if (size > this.#frame.length) {
      const grown = new Uint8Array(size);
      grown.set(this.#frame.subarray(0, this.#length));
      this.#frame = grown;
    }
    return size;
  }
}
