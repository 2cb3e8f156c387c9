// Fills rows directly from the records that contain attributes: for each declared set of values one function per column
// is created when it is first used, and most texts are created once per frame. Tests:
// exporters/otlp/encode/recorded.test.ts.
import { decodeCString } from "../../core/bridge/runtime.ts";
import { formatAddress } from "../../core/plugin/address.ts";
import type { Cursor, Fields } from "../../core/plugin/skeleton.ts";
import { type AnyValue, connectionId, type Recorded, type Values } from "../../core/plugin/values.ts";
import { type Bare, placeOf } from "../place.ts";
import { type Column, ID, type RowBuilder, type RowHead } from "./columns.ts";

/** The representation of a record's value in a column. */
type Read = (record: Cursor) => number;

export class RecordedRows {
  readonly #rows: RowBuilder;
  readonly #made = new WeakMap<Values, readonly Read[]>();

  constructor(rows: RowBuilder) {
    this.#rows = rows;
  }

  add(head: RowHead, { values, record }: Recorded): void {
    let reads = this.#made.get(values);
    if (reads === undefined) {
      reads = this.#rows.columns.map((column) => this.#read(column, values.map[column.key], values.fields));
      this.#made.set(values, reads);
    }
    const n = this.#rows.place(head);
    for (const [i, column] of this.#rows.columns.entries()) column.values[n] = reads[i]!(record);
  }

  #read(column: Column, value: AnyValue | undefined, fields: Fields): Read {
    const rows = this.#rows;
    const absent = rows.encode(column, undefined);
    if (value === undefined) return () => absent;
    if ("constant" in value)
      return this.#words(
        (_) => rows.encode(column, value.constant),
        () => 0,
      );
    if ("by" in value) return (record) => rows.encode(column, value.by(record));
    if ("choose" in value) {
      const place = placeOf(fields, value.choose);
      const which = numberOf(place);
      const reads = ("names" in place ? place.names : []).map((name) =>
        this.#read(column, name === undefined ? undefined : value.of[name], fields),
      );
      return (record) => reads[which(record)]?.(record) ?? absent;
    }
    if ("cookie" in value) {
      const [cookie, life] = [numberOf(placeOf(fields, value.cookie)), numberOf(placeOf(fields, value.life))];
      const text = (record: Cursor) => rows.encode(column, connectionId(cookie(record), life(record)));
      return column.key === ID ? (record) => (life(record) === 0 ? cookie(record) : text(record)) : text;
    }
    const read =
      "address" in value ? this.#address(column, value, fields) : this.#plain(column, value, fields);
    const when = value.when === undefined ? undefined : numberOf(placeOf(fields, value.when));
    const [one, other] = value.differ?.map((path) => numberOf(placeOf(fields, path))) ?? [];
    if (when === undefined && one === undefined) return read;
    return (record) =>
      when?.(record) === 0 || (one && one(record) === other!(record)) ? absent : read(record);
  }

  #plain(column: Column, value: AnyValue & { readonly from: string }, fields: Fields): Read {
    const rows = this.#rows;
    const {
      names,
      per = 1,
      nonZero,
    } = value as { names?: Record<number, never>; per?: number; nonZero?: true };
    const place = placeOf(fields, value.from);
    const absent = rows.encode(column, undefined);
    if ("is" in place && place.is === "text") return this.#text(column, place, nonZero === true);
    const number = numberOf(place);
    const texts = "names" in place ? place.names : names;
    if (texts) return this.#words((n) => rows.encode(column, texts[n]), number);
    if (column.type === "boolean") return (record) => (number(record) ? 1 : nonZero ? absent : 0);
    if (nonZero) return (record) => number(record) / per || absent;
    return (record) => number(record) / per;
  }

  #address(
    column: Column,
    { address, family }: { readonly address: string; readonly family: string },
    fields: Fields,
  ): Read {
    const { at } = placeOf(fields, address);
    const version = numberOf(placeOf(fields, family));
    const first = numberOf({ at, is: "u32" });
    const absent = this.#rows.encode(column, undefined);
    const text = (record: Cursor, of: "ipv4" | "ipv6") =>
      this.#rows.encode(
        column,
        formatAddress(record.$bytes.subarray(record.$at + at, record.$at + at + 16), of),
      );
    const ipv4 = this.#words((_, record) => text(record, "ipv4"), first);
    return (record) => {
      const is = version(record);
      if (is === 4) return ipv4(record);
      return is === 0 ? absent : text(record, "ipv6");
    };
  }

  #text(column: Column, { at, size = 0 }: Bare & { size?: number }, nonEmpty: boolean): Read {
    const rows = this.#rows;
    return (record) => {
      const text = decodeCString(record.$words, record.$bytes, record.$at + at, size);
      return rows.encode(column, nonEmpty && text === "" ? undefined : text);
    };
  }

  /** Created once per frame for each number. */
  #words(make: (n: number, record: Cursor) => number, number: Read): Read {
    const rows = this.#rows;
    const known = new Map<number, number>();
    let cleared = -1;
    return (record) => {
      if (cleared !== rows.cleared) {
        known.clear();
        cleared = rows.cleared;
      }
      const n = number(record);
      let word = known.get(n);
      if (word === undefined) {
        word = make(n, record);
        known.set(n, word);
      }
      return word;
    };
  }
}

/** Reads a field. */
function numberOf(place: Bare): Read {
  const { at } = place;
  const word = at >> 2;
  switch ("is" in place ? place.is : "u32") {
    case "bool":
    case "u8":
      return ({ $bytes, $at }) => $bytes[$at + at]!;
    case "u16":
      return ({ $bytes, $at }) => $bytes[$at + at]! | ($bytes[$at + at + 1]! << 8);
    case "u32":
      return ({ $words, $at }) => $words[($at >> 2) + word]!;
    case "i32":
      return ({ $words, $at }) => $words[($at >> 2) + word]! | 0;
    case "u64":
      return ({ $words, $at }) => $words[($at >> 2) + word]! + $words[($at >> 2) + word + 1]! * 4294967296;
    default:
      throw new Error("no attribute is made of such a field");
  }
}
