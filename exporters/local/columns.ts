// Spans and events as columns: typed arrays that the agent fills, a pipe carries and the store keeps.
// Tests: exporters/local/frame.test.ts.
import type {
  AnyAttributes,
  AttributeSpecs,
  AttributeType,
  AttributeValue,
  SpanContext,
} from "../../core/plugin/signals.ts";

/** Bytes of a trace id, a span id and a parent's span id, in this order; all zeros: absent. */
export const IDS = 32;

/** The text of an id of a row. Undefined: it has none. */
export function idOf({ words }: Pick<Rows, "words">, value: number): string | undefined {
  if (Number.isNaN(value)) return undefined;
  return value < 0 ? words[-value] : value.toString(16);
}

/** Bytes of a link: trace id and span id. */
export const LINK = 24;

export const KINDS = ["internal", "client", "server"] as const;

/** A declared span or event, with the scope that emits it. */
export interface Declaration {
  readonly signal: "span" | "event";
  readonly name: string;
  readonly scope: string;
  readonly description: string;
  readonly severity?: string;
  readonly attributes: AttributeSpecs;
}

/**
 * One attribute's values: numbers with NaN for absent, 0 | 1 | 2 (absent), or words with 0 for absent. Ids of
 * connections are almost all different, so they are not words but the numbers that they are in hexadecimal, or a word
 * below 0.
 */
export type Values = Float64Array | Uint8Array | Uint32Array;

/** Rows of one declaration. Times: microseconds since the epoch. Durations: nanoseconds, -1 for an event. */
export interface Rows {
  readonly n: number;
  readonly ids: Uint8Array;
  readonly start: Float64Array;
  readonly duration: Float64Array;
  /** Numbers assigned to resources by the code that fills the rows. */
  readonly resource: Uint32Array;
  /** Indexes of KINDS. */
  readonly kind: Uint8Array;
  /** Word of the status description; 0: unset. An event: of its body. */
  readonly error: Uint32Array;
  readonly linkCount: Uint8Array;
  readonly links: Uint8Array;
  /** In the order of the declaration's attributes. */
  readonly values: Pick<readonly Values[], "at">;
  /** The words; the first one is empty, for absent. */
  readonly words: readonly string[];
}

/** The attribute whose texts are stored as numbers. */
export const ID = "wirespan.connection.id";

/** In the notation of Number.prototype.toString(16). */
const HEXADECIMAL = /^(0|[1-9a-f][0-9a-f]{0,13})$/;

interface ValuesType {
  new (length: number): Values;
  new (buffer: ArrayBufferLike, at: number, length: number): Values;
  readonly BYTES_PER_ELEMENT: number;
}

/** The type of the array that holds an attribute's values. */
export function valuesOf(key: string, type: AttributeType): ValuesType {
  if (type === "int" || type === "double" || key === ID) return Float64Array;
  return type === "boolean" ? Uint8Array : Uint32Array;
}

/** The parts of a row that are not attributes. */
export interface RowHead {
  readonly traceId: Uint8Array | undefined;
  readonly spanId: Uint8Array | undefined;
  readonly parentSpanId?: Uint8Array | undefined;
  /** Microseconds since the epoch. */
  readonly start: number;
  /** Nanoseconds. */
  readonly duration: number;
  readonly resource: number;
  readonly kind: number;
  readonly error?: string | undefined;
  readonly links?: readonly SpanContext[] | undefined;
}

/** A column that is filled from an attribute. */
export interface Column {
  readonly key: string;
  readonly type: AttributeType;
  readonly values: Values;
}

/** Rows to copy from. */
export interface Copied {
  readonly rows: Rows;
  /** By row: the resource's number at the copy, and where its links begin, bytes. */
  readonly resources: Uint32Array;
  readonly linksAt: Uint32Array;
}

/** Where the links of each row begin, bytes. */
export function linksOf({ n, linkCount }: Rows): Uint32Array {
  const at = new Uint32Array(n);
  for (let i = 1; i < n; i++) at[i] = at[i - 1]! + linkCount[i - 1]! * LINK;
  return at;
}

/** Rows that grow up to a limit. */
export class RowBuilder implements Rows {
  readonly capacity: number;
  readonly ids: Uint8Array;
  readonly start: Float64Array;
  readonly duration: Float64Array;
  readonly resource: Uint32Array;
  readonly kind: Uint8Array;
  readonly error: Uint32Array;
  readonly linkCount: Uint8Array;
  readonly values: readonly Values[];
  links = new Uint8Array(0);
  words: string[] = [""];
  n = 0;
  /** Its attributes, in the order of the declaration. */
  readonly columns: readonly Column[];
  /** How often it was cleared: each time, cached words become invalid. */
  cleared = 0;
  readonly #index = new Map<string, number>();
  #linked = 0;

  constructor(attributes: AttributeSpecs, capacity: number) {
    this.capacity = capacity;
    this.ids = new Uint8Array(capacity * IDS);
    this.start = new Float64Array(capacity);
    this.duration = new Float64Array(capacity);
    this.resource = new Uint32Array(capacity);
    this.kind = new Uint8Array(capacity);
    this.error = new Uint32Array(capacity);
    this.linkCount = new Uint8Array(capacity);
    this.columns = Object.entries(attributes).map(([key, { type }]) => {
      return { key, type, values: new (valuesOf(key, type))(capacity) };
    });
    this.values = this.columns.map(({ values }) => values);
  }

  get isFull(): boolean {
    return this.n === this.capacity;
  }

  /** Used bytes of `links`. */
  get linkBytes(): number {
    return this.#linked;
  }

  add(head: RowHead, attributes: AnyAttributes): void {
    const n = this.place(head);
    for (const column of this.columns) column.values[n] = this.encode(column, attributes[column.key]);
  }

  /** The representation of a value in a column. */
  encode({ key, type }: Column, value: AttributeValue | undefined): number {
    if (type === "int" || type === "double") return value === undefined ? Number.NaN : Number(value);
    if (type === "boolean") return value === undefined ? 2 : value ? 1 : 0;
    if (value === undefined) return key === ID ? Number.NaN : 0;
    const text = typeof value === "string" ? value : JSON.stringify(value);
    if (key !== ID) return this.word(text);
    const number = HEXADECIMAL.test(text) ? Number.parseInt(text, 16) : Number.NaN;
    return Number.isSafeInteger(number) ? number : -this.word(text);
  }

  /**
   * Appends rows `at[from]` to `at[to - 1]` of others with the same declaration; `resources` are the numbers here of
   * all of theirs.
   */
  copy(of: Copied, at: Uint32Array, from: number, to: number): void {
    const { rows, resources, linksAt } = of;
    const first = this.n;
    const count = to - from;
    this.n += count;
    const again = new Uint32Array(rows.words.length);
    for (let i = 0; i < count; i++) {
      const row = at[from + i]!;
      const n = first + i;
      for (let b = 0; b < IDS; b++) this.ids[n * IDS + b] = rows.ids[row * IDS + b]!;
      this.start[n] = Math.round(rows.start[row]!);
      this.duration[n] = rows.duration[row]!;
      this.resource[n] = resources[row]!;
      this.kind[n] = rows.kind[row]!;
      this.error[n] = this.#again(rows, again, rows.error[row]!);
      const links = rows.linkCount[row]!;
      this.linkCount[n] = links;
      if (links > 0) this.#link(rows.links.subarray(linksAt[row]!, linksAt[row]! + links * LINK));
    }
    for (const [c, { key, values }] of this.columns.entries()) {
      const others = rows.values.at(c)!;
      if (values instanceof Uint32Array)
        for (let i = 0; i < count; i++) values[first + i] = this.#again(rows, again, others[at[from + i]!]!);
      else
        for (let i = 0; i < count; i++) {
          const value = others[at[from + i]!]!;
          values[first + i] = key === ID && value < 0 ? -this.#again(rows, again, -value) : value;
        }
    }
  }

  clear(): void {
    this.n = 0;
    this.words = [""];
    this.#index.clear();
    this.#linked = 0;
    this.cleared++;
  }

  /** Begins a row, whose columns must then be filled; returns its number. */
  place(head: RowHead): number {
    const n = this.n++;
    const at = n * IDS;
    if (head.traceId === undefined || head.spanId === undefined) this.ids.fill(0, at, at + 24);
    else {
      this.ids.set(head.traceId, at);
      this.ids.set(head.spanId, at + 16);
    }
    if (head.parentSpanId === undefined) this.ids.fill(0, at + 24, at + IDS);
    else this.ids.set(head.parentSpanId, at + 24);
    this.start[n] = head.start;
    this.duration[n] = head.duration;
    this.resource[n] = head.resource;
    this.kind[n] = head.kind;
    this.error[n] = head.error === undefined ? 0 : this.word(head.error);
    const { links = [] } = head;
    this.linkCount[n] = links.length;
    for (const { traceId, spanId } of links) {
      this.#link(traceId);
      this.#link(spanId);
    }
    return n;
  }

  #link(bytes: Uint8Array): void {
    if (this.#linked + bytes.length > this.links.length) {
      const grown = new Uint8Array(Math.max(1024, this.links.length * 2, this.#linked + bytes.length));
      grown.set(this.links);
      this.links = grown;
    }
    this.links.set(bytes, this.#linked);
    this.#linked += bytes.length;
  }

  /** The word here for a word there; `again`: those that are known. */
  #again(rows: Rows, again: Uint32Array, word: number): number {
    if (word === 0) return 0;
    again[word] ||= this.word(rows.words[word]!);
    return again[word];
  }

  /** The number of a text. */
  word(word: string): number {
    const known = this.#index.get(word);
    if (known !== undefined) return known;
    const index = this.words.push(word) - 1;
    this.#index.set(word, index);
    return index;
  }
}
