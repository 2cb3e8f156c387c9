// Fills rows directly from the records that contain attributes: for each declared set of values one function is
// generated when it is first used, and most texts are created once per frame. Its source text consists of the fixed
// parts below and of numbers; nothing that a user writes becomes code. Tests: exporters/otlp/encode/recorded.test.ts.
import { decodeCString } from "../../core/bridge/runtime.ts";
import { formatAddress } from "../../core/plugin/address.ts";
import type { Cursor, Fields } from "../../core/plugin/skeleton.ts";
import {
  type AnyAddress,
  type AnyField,
  type AnyValue,
  connectionId,
  type Recorded,
  type Values,
} from "../../core/plugin/values.ts";
import { placeOf, read } from "../place.ts";
import { type Column, ID, type RowBuilder, type RowHead, type Values as Stored } from "./columns.ts";

/** Fills row `n` of the columns `c` from the record that begins at `at`. */
type Fill = (
  c: readonly Stored[],
  n: number,
  words: Uint32Array,
  bytes: Uint8Array,
  at: number,
  record: Cursor,
) => void;

export class RecordedRows {
  readonly #rows: RowBuilder;
  readonly #made = new WeakMap<Values, Fill>();

  constructor(rows: RowBuilder) {
    this.#rows = rows;
  }

  add(head: RowHead, { values, record }: Recorded): void {
    let fill = this.#made.get(values);
    if (fill === undefined) {
      fill = new Source(this.#rows, values).compile();
      this.#made.set(values, fill);
    }
    const n = this.#rows.place(head);
    fill(this.#rows.values, n, record.$words, record.$bytes, record.$at, record);
  }
}

/** The source of one function: an expression for each column. */
class Source {
  readonly #rows: RowBuilder;
  readonly #values: Values;
  readonly #fields: Fields;
  /** What the text refers to by position. */
  readonly #given: unknown[] = [];

  constructor(rows: RowBuilder, values: Values) {
    this.#rows = rows;
    this.#values = values;
    this.#fields = values.fields;
  }

  compile(): Fill {
    const lines = this.#rows.columns.map(
      (column, i) => `c[${i}][n] = ${this.#value(column, this.#values.map[column.key])};`,
    );
    const make = new Function(
      ...this.#given.map((_, i) => `g${i}`),
      `"use strict"; return (c, n, words, bytes, at, record) => {
  const i = at >> 2;
  ${lines.join("\n  ")}
};`,
    );
    return make(...this.#given) as Fill;
  }

  /** A name for something that is not a number. */
  #give(what: unknown): string {
    return `g${this.#given.push(what) - 1}`;
  }

  #read(path: string): string {
    return read(placeOf(this.#fields, path), path);
  }

  #absent(column: Column): string {
    return String(this.#rows.encode(column, undefined));
  }

  /** Calls `value` with each record. */
  #call(value: (record: Cursor) => number): string {
    return `${this.#give(value)}(record)`;
  }

  /** Calls `value` once per frame for each number that the expression `number` gives. */
  #once(number: string, value: (number: number, record: Cursor) => number): string {
    return `${this.#give(new Once(this.#rows, value))}.of(${number}, record)`;
  }

  #value(column: Column, value: AnyValue | undefined): string {
    const rows = this.#rows;
    if (value === undefined) return this.#absent(column);
    if ("constant" in value) return this.#once("0", () => rows.encode(column, value.constant));
    if ("by" in value) return this.#call((record) => rows.encode(column, value.by(record)));
    if ("choose" in value) {
      const place = placeOf(this.#fields, value.choose);
      const which = this.#read(value.choose);
      const cases = ("names" in place ? place.names : []).map((name, n) => {
        return `${which} === ${n} ? ${this.#value(column, name === undefined ? undefined : value.of[name])} : `;
      });
      return `(${cases.join("")}${this.#absent(column)})`;
    }
    if ("cookie" in value) {
      const [cookie, life] = [this.#read(value.cookie), this.#read(value.life)];
      const text = this.#give((of: number, which: number) => rows.encode(column, connectionId(of, which)));
      return `(${column.key === ID ? `${life} === 0 ? ${cookie} : ` : ""}${text}(${cookie}, ${life}))`;
    }
    const text = "address" in value ? this.#address(column, value) : this.#plain(column, value);
    const { when, differ } = value;
    const conditions = [
      ...(when === undefined ? [] : [this.#read(when)]),
      ...(differ ? [`${this.#read(differ[0])} !== ${this.#read(differ[1])}`] : []),
    ];
    return conditions.length === 0
      ? text
      : `(${conditions.join(" && ")} ? ${text} : ${this.#absent(column)})`;
  }

  #plain(column: Column, { from, names, per = 1, nonZero }: AnyField): string {
    const rows = this.#rows;
    const place = placeOf(this.#fields, from);
    const absent = this.#absent(column);
    if ("is" in place && place.is === "text") {
      const { at, size = 0 } = place;
      return this.#call(({ $words, $bytes, $at }) => {
        const text = decodeCString($words, $bytes, $at + at, size);
        return rows.encode(column, nonZero && text === "" ? undefined : text);
      });
    }
    const number = this.#read(from);
    const texts = "names" in place ? place.names : names;
    if (texts) return this.#once(number, (n) => rows.encode(column, texts[n]));
    if (column.type === "boolean") return `(${number} ? 1 : ${nonZero ? absent : 0})`;
    const scaled = per === 1 ? number : `${number} / ${Number(per)}`;
    return nonZero ? `(${scaled} || ${absent})` : scaled;
  }

  #address(column: Column, { address, family }: AnyAddress): string {
    const { at } = placeOf(this.#fields, address);
    const text =
      (of: "ipv4" | "ipv6") =>
      ({ $bytes, $at }: Cursor) =>
        this.#rows.encode(column, formatAddress($bytes.subarray($at + at, $at + at + 16), of));
    const ipv4 = text("ipv4");
    const first = read({ at, is: "u32" }, address);
    const version = this.#read(family);
    return `(${version} === 4 ? ${this.#once(first, (_, record) => ipv4(record))} : ${version} === 0 ? ${this.#absent(column)} : ${this.#call(text("ipv6"))})`;
  }
}

/** Values that are created once per frame for each number. */
class Once {
  readonly #rows: RowBuilder;
  readonly #value: (number: number, record: Cursor) => number;
  readonly #known = new Map<number, number>();
  #cleared = -1;

  constructor(rows: RowBuilder, value: (number: number, record: Cursor) => number) {
    this.#rows = rows;
    this.#value = value;
  }

  of(number: number, record: Cursor): number {
    if (this.#cleared !== this.#rows.cleared) {
      this.#known.clear();
      this.#cleared = this.#rows.cleared;
    }
    let value = this.#known.get(number);
    if (value === undefined) {
      value = this.#value(number, record);
      this.#known.set(number, value);
    }
    return value;
  }
}
