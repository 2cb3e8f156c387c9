// Spans and events as columns: typed arrays that the agent fills, a pipe carries and the store keeps.
// Tests: exporters/local/columns.test.ts.
import type { AnyAttributes, AttributeSpecs, AttributeType, SpanContext } from "../../core/plugin/signals.ts";

/** Bytes of a trace id, a span id and a parent's span id, in this order; all zeros: absent. */
export const IDS = 32;

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

/** One attribute's values: numbers with NaN for absent, 0 | 1 | 2 (absent), or words with 0 for absent. */
export type Values = Float64Array | Uint8Array | Uint32Array;

/** Rows of one declaration. Times: microseconds since the epoch. Durations: nanoseconds, -1 for an event. */
export interface Rows {
  readonly n: number;
  readonly ids: Uint8Array;
  readonly start: Float64Array;
  readonly duration: Float64Array;
  /** Numbers that whoever fills the rows gives to resources. */
  readonly resource: Uint32Array;
  /** Indexes of KINDS. */
  readonly kind: Uint8Array;
  /** Word of the status description; 0: unset. An event: of its body. */
  readonly error: Uint32Array;
  readonly linkCount: Uint8Array;
  readonly links: Uint8Array;
  /** In the order of the declaration's attributes. */
  readonly values: readonly Values[];
  /** The words; the first is the empty one, for absent. */
  readonly words: readonly string[];
}

/** An array of the type that holds `type`'s values. */
export function valuesOf(type: AttributeType, length: number): Values {
  if (type === "int" || type === "double") return new Float64Array(length);
  return type === "boolean" ? new Uint8Array(length) : new Uint32Array(length);
}

/** What is not an attribute of a row. */
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
interface Column {
  readonly key: string;
  readonly type: AttributeType;
  readonly values: Values;
}

/** Rows that grow up to a bound. */
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
  readonly #columns: readonly Column[];
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
    this.#columns = Object.entries(attributes).map(([key, { type }]) => {
      return { key, type, values: valuesOf(type, capacity) };
    });
    this.values = this.#columns.map(({ values }) => values);
  }

  get isFull(): boolean {
    return this.n === this.capacity;
  }

  /** Bytes of `links` in use. */
  get linkBytes(): number {
    return this.#linked;
  }

  add(head: RowHead, attributes: AnyAttributes): void {
    const n = this.#place(head);
    for (const { key, type, values } of this.#columns) {
      const value = attributes[key];
      if (type === "int" || type === "double") values[n] = value === undefined ? Number.NaN : Number(value);
      else if (type === "boolean") values[n] = value === undefined ? 2 : value ? 1 : 0;
      else if (value === undefined) values[n] = 0;
      else values[n] = this.#word(typeof value === "string" ? value : JSON.stringify(value));
    }
  }

  /** Appends a row of others with the same declaration, whose resource has the number `resource` here. */
  copy(from: Rows, row: number, linksAt: number, resource: number): void {
    const n = this.n++;
    this.ids.set(from.ids.subarray(row * IDS, (row + 1) * IDS), n * IDS);
    this.start[n] = Math.round(from.start[row]!);
    this.duration[n] = from.duration[row]!;
    this.resource[n] = resource;
    this.kind[n] = from.kind[row]!;
    this.error[n] = this.#again(from, from.error[row]!);
    const links = from.linkCount[row]!;
    this.linkCount[n] = links;
    if (links > 0) this.#link(from.links.subarray(linksAt, linksAt + links * LINK));
    for (const [i, { values }] of this.#columns.entries()) {
      const value = from.values[i]![row]!;
      values[n] = values instanceof Uint32Array ? this.#again(from, value) : value;
    }
  }

  clear(): void {
    this.n = 0;
    this.words = [""];
    this.#index.clear();
    this.#linked = 0;
  }

  #place(head: RowHead): number {
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
    this.error[n] = head.error === undefined ? 0 : this.#word(head.error);
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

  #again(from: Rows, word: number): number {
    return word === 0 ? 0 : this.#word(from.words[word]!);
  }

  #word(word: string): number {
    const known = this.#index.get(word);
    if (known !== undefined) return known;
    const index = this.words.push(word) - 1;
    this.#index.set(word, index);
    return index;
  }
}
