// A declared signal in the store, and its rows by the names of attributes.
import { type Declaration, ID, idOf, type Rows, type Values } from "../exporters/local/columns.ts";
import { decodeChunk, type Workspace } from "./chunk.ts";
import type { Database } from "./database.ts";

export class Signal {
  readonly id: number;
  readonly declaration: Declaration;
  readonly #index: ReadonlyMap<string, number>;

  constructor(id: number, declaration: Declaration) {
    this.id = id;
    this.declaration = declaration;
    this.#index = new Map(Object.keys(declaration.attributes).map((key, index) => [key, index]));
  }

  get name(): string {
    return this.declaration.name;
  }

  /** The rows of one of its chunks, valid until `into` is cleared; undefined: newer ones have replaced it. */
  chunk(db: Database, id: number, into: Workspace) {
    const found = db.chunk(id);
    if (found === undefined) return undefined;
    const { n, head, data, class: of, oneIn } = found;
    into.adopt(data);
    return { rows: decodeChunk(this.declaration.attributes, n, head, data, into), class: of, oneIn };
  }

  /** Undefined: it declares no such attribute. */
  column(rows: Rows, key: string): Values | undefined {
    const index = this.#index.get(key);
    return index === undefined ? undefined : rows.values.at(index);
  }

  /** A number of row `i`; NaN if it is absent or not a number. */
  number(rows: Rows, i: number, key: string): number {
    const column = this.column(rows, key);
    return column instanceof Float64Array ? column[i]! : Number.NaN;
  }

  /** A text of row `i`. */
  text(rows: Rows, i: number, key: string): string | undefined {
    const column = this.column(rows, key);
    if (key === ID) return column && idOf(rows, column[i]!);
    const word = column instanceof Uint32Array ? column[i]! : 0;
    return word === 0 ? undefined : rows.words[word];
  }

  /** The value of an attribute in row `i`. */
  value(rows: Rows, i: number, key: string): string | number | boolean | undefined {
    const column = this.column(rows, key);
    if (key === ID) return this.text(rows, i, key);
    if (column instanceof Float64Array) return Number.isNaN(column[i]) ? undefined : column[i];
    if (column instanceof Uint8Array) return column[i] === 2 ? undefined : column[i] === 1;
    return this.text(rows, i, key);
  }

  /** All attributes of row `i` that are present. */
  attributes(rows: Rows, i: number): Record<string, string | number | boolean> {
    const all: Record<string, string | number | boolean> = {};
    for (const key of Object.keys(this.declaration.attributes)) {
      const value = this.value(rows, i, key);
      if (value !== undefined) all[key] = value;
    }
    return all;
  }
}
