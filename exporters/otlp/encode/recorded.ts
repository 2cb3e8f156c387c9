// Writes attributes directly from the record that contains them: for each declared set of values one function is
// generated when it is first used. It creates no strings and no objects. Its source text consists of the fixed parts
// below and of numbers: offsets of fields and bytes of keys; nothing that a user writes becomes code. Tests:
// recorded.test.ts.
import { decodeCString } from "../../../core/bridge/runtime.ts";
import { formatAddress } from "../../../core/plugin/address.ts";
import type { AttributeValue } from "../../../core/plugin/signals.ts";
import type { Cursor } from "../../../core/plugin/skeleton.ts";
import type { AnyAddress, AnyField, AnyValue, Recorded, Values } from "../../../core/plugin/values.ts";
import { type Bare, placeOf, read } from "../../place.ts";
import { DOUBLE, Field, INT, STRING } from "./attributes.ts";
import { type Writer, written } from "./writer.ts";

/** With keys up to this length, all lengths in the short form are below 128, and take a byte each. */
const MOST_KEY = 80;
/** The same for values. */
const MOST_TEXT = 40;
/** Maximum bytes of an attribute, and those that are reserved for a whole record. */
const MOST_ATTRIBUTE = 128 + 8;
const ROOM = 16 * 1024;

/** Decimal digits of a byte, the lowest first, and in the highest byte their number. */
const DECIMAL = Uint32Array.from({ length: 256 }, (_, byte) =>
  [...String(byte)].reduce(
    (all, digit, i) => all | (digit.charCodeAt(0) << (8 * i)),
    String(byte).length << 24,
  ),
);

const HEX = Uint8Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));

function hex(out: Uint8Array, start: number, value: number, first: number): number {
  let at = start;
  for (let shift = first; shift >= 0; shift -= 4) out[at++] = HEX[(value >>> shift) & 15]!;
  return at;
}

/** Writes a connection's id; returns the end. */
function putId(out: Uint8Array, start: number, low: number, high: number, life: number): number {
  const first = (word: number) => (31 - Math.clz32(word | 1)) & 28;
  let at = high > 0 ? hex(out, start, high, first(high)) : start;
  at = hex(out, at, low, high > 0 ? 28 : first(low));
  if (life === 0) return at;
  out[at++] = 46;
  for (const digit of String(life + 1)) out[at++] = digit.charCodeAt(0);
  return at;
}

/** Writes a value in the long form; the space reserved for what follows stays the same. */
function put(w: Writer, field: Field, value: AttributeValue, at: number): void {
  w.at = at;
  field.write(w, value);
  w.ensure(ROOM);
}

/** A C string that is not ASCII: the kernel may have truncated it within a character. */
function putText(w: Writer, field: Field, [words, bytes]: Memory, from: number, size: number): void {
  field.write(w, decodeCString(words, bytes, from, size));
}

type Memory = readonly [words: Uint32Array, bytes: Uint8Array];

const HELPERS = { put, putText, putId, DECIMAL, formatAddress } as const;

/** Writes the attributes of the record that begins at `at`; `record` is its cursor. */
type Write = (w: Writer, words: Uint32Array, bytes: Uint8Array, at: number, record: Cursor) => void;

/** The source of one function: the attribute that begins at `o` ends at `p`. */
class Source {
  readonly #tag: number;
  readonly #values: Values;
  /** What the text refers to by position. */
  readonly #given: unknown[] = [];

  constructor(tag: number, values: Values) {
    this.#tag = tag;
    this.#values = values;
  }

  compile(): Write {
    const entries = Object.entries(this.#values.map);
    if (entries.length * MOST_ATTRIBUTE > ROOM) throw new Error(`${entries.length} attributes are too many`);
    const text = entries.map(([key, value]) => this.#attribute(key, value)).join("\n");
    const names = Object.keys(HELPERS);
    const make = new Function(
      ...names,
      ...this.#given.map((_, n) => `g${n}`),
      `"use strict"; return (w, words, bytes, at, record) => {
  w.ensure(${ROOM});
  let out = w.bytes, v = w.view, o = w.at, p = 0, x = 0, y = 0, t;
  const i = at >> 2;
${text}
  w.at = o;
};`,
    );
    return make(...Object.values(HELPERS), ...this.#given) as Write;
  }

  /** A name for a value that is not a number. */
  #give(value: unknown): string {
    return `g${this.#given.push(value) - 1}`;
  }

  #field(key: string): Field {
    return new Field(this.#tag, key, this.#isDouble(key));
  }

  #isDouble(key: string): boolean {
    return this.#values.specs[key]?.type === "double";
  }

  #place(path: string): Bare {
    return placeOf(this.#values.fields, path);
  }

  #read(path: string): string {
    return read(this.#place(path), path);
  }

  #attribute(key: string, value: AnyValue): string {
    if ("constant" in value) return this.#whole(key, value.constant);
    if ("by" in value) return this.#long(key, `${this.#give(value.by)}(record)`);
    if ("choose" in value) {
      const place = this.#place(value.choose);
      const names = "names" in place ? place.names : [];
      return this.#switch(
        this.#read(value.choose),
        names.map((name, n) => {
          const chosen = name === undefined ? undefined : value.of[name];
          return chosen && ([n, this.#attribute(key, chosen)] as const);
        }),
      );
    }
    if ("cookie" in value) return this.#id(key, value);
    const text = "address" in value ? this.#address(key, value) : this.#plain(key, value);
    const { when, differ } = value;
    const conditions = [
      ...(when === undefined ? [] : [this.#read(when)]),
      ...(differ ? [`${this.#read(differ[0])} !== ${this.#read(differ[1])}`] : []),
    ];
    return conditions.length === 0 ? text : `if (${conditions.join(" && ")}) {\n${text}\n}`;
  }

  #switch(on: string, cases: readonly (readonly [number, string] | undefined)[]): string {
    const lines = cases.flatMap((each) => (each ? [`case ${each[0]}:\n${each[1]}\nbreak;`] : []));
    return `switch (${on}) {\n${lines.join("\n")}\n}`;
  }

  /** Writes an expression's value in the long form, unless it is undefined. */
  #long(key: string, expression: string): string {
    const field = this.#give(this.#field(key));
    return `t = ${expression};
if (t !== undefined) { put(w, ${field}, t, o); o = w.at; out = w.bytes; v = w.view; }`;
  }

  /** Writes bytes at `o`, and up to 7 more. */
  #bytes(bytes: Uint8Array): string {
    const padded = new Uint8Array((bytes.length + 7) & ~7);
    padded.set(bytes);
    const view = new DataView(padded.buffer);
    const stores: string[] = [];
    for (let at = 0; at < padded.length; at += 8) {
      const number = view.getFloat64(at, true);
      const literal = Object.is(number, -0) ? "-0" : String(number);
      if (!Number.isFinite(number)) throw new Error("not bytes of UTF-8");
      stores.push(`v.setFloat64(o + ${at}, ${literal}, true);`);
    }
    return stores.join(" ");
  }

  /** An attribute with this value. */
  #whole(key: string, value: AttributeValue): string {
    const bytes = written((w) => this.#field(key).write(w, value));
    return `${this.#bytes(bytes)} o += ${bytes.length};`;
  }

  /** An attribute whose value `text` writes from `p` on. */
  #value(key: string, type: number, text: string): string {
    const name = Buffer.from(key);
    if (name.length > MOST_KEY) throw new Error(`${key}: longer than ${MOST_KEY} bytes`);
    const isText = type === STRING;
    const head = Buffer.from([
      this.#tag,
      0,
      0x0a,
      name.length,
      ...name,
      0x12,
      0,
      type,
      ...(isText ? [0] : []),
    ]);
    const size = name.length + 5;
    const lengths = [
      ...(isText ? [`out[o + ${size + 2}] = p - o - ${head.length};`] : []),
      `out[o + ${size}] = p - o - ${size + 1};`,
      "out[o + 1] = p - o - 2;",
    ];
    return `${this.#bytes(head)} p = o + ${head.length};\n${text}\n${lengths.join(" ")} o = p;`;
  }

  #plain(key: string, value: AnyField): string {
    const { from: path, names, per, nonZero } = value;
    const place = this.#place(path);
    if ("names" in place)
      return this.#switch(
        this.#read(path),
        place.names.map((name, n) => (name === undefined ? undefined : [n, this.#whole(key, name)])),
      );
    if (place.is === "text") return this.#text(key, place.at, place.size!, nonZero === true);
    const number = this.#read(path);
    if (place.is === "bool")
      return `if (${number}) { ${this.#whole(key, true)} }${nonZero ? "" : ` else { ${this.#whole(key, false)} }`}`;
    if (names)
      return this.#switch(
        number,
        Object.entries(names).map(([n, name]) => [Number(n), this.#whole(key, name)]),
      );
    const text =
      per !== undefined || this.#isDouble(key)
        ? this.#value(key, DOUBLE, `v.setFloat64(p, x / ${Number(per ?? 1)}, true); p += 8;`)
        : this.#int(key);
    return `x = ${number};\n${nonZero ? `if (x !== 0) {\n${text}\n}` : text}`;
  }

  /** The integer `x`; large and negative ones are rare. */
  #int(key: string): string {
    const short = this.#value(
      key,
      INT,
      "y = x; while (y > 127) { out[p++] = (y & 127) | 128; y >>>= 7; } out[p++] = y;",
    );
    return `if (x >= 0 && x < 4294967296) {\n${short}\n} else { ${this.#long(key, "x")} }`;
  }

  #text(key: string, at: number, size: number, nonEmpty: boolean): string {
    if (size > MOST_TEXT) throw new Error(`${key}: longer than ${MOST_TEXT} bytes`);
    const copied = `y = 0;
for (x = at + ${at}; x < at + ${at + size} && bytes[x] !== 0; x++) { y |= bytes[x]; out[p++] = bytes[x]; }`;
    const field = this.#give(this.#field(key));
    const text = `${this.#value(key, STRING, copied).replace(/ o = p;$/, "")}
if (y < 128) o = p;
else { w.at = o; putText(w, ${field}, [words, bytes], at + ${at}, ${size}); o = w.at; }`;
    return nonEmpty ? `if (bytes[at + ${at}]) {\n${text}\n}` : text;
  }

  #address(key: string, { address, family }: AnyAddress): string {
    const { at } = this.#place(address);
    const part = (n: number) => `x = DECIMAL[bytes[at + ${at + n}]]; v.setUint32(p, x, true); p += x >>> 24;`;
    const dotted = [0, 1, 2, 3].map(part).join(" out[p++] = 46;\n");
    const other = `formatAddress(bytes.subarray(at + ${at}, at + ${at + 16}), "ipv6")`;
    return `if (${this.#read(family)} === 4) {\n${this.#value(key, STRING, dotted)}\n} else if (${this.#read(family)}) { ${this.#long(key, other)} }`;
  }

  #id(key: string, { cookie, life }: { readonly cookie: string; readonly life: string }): string {
    const word = this.#place(cookie).at / 4;
    const text = `p = putId(out, p, words[i + ${word}], words[i + ${word + 1}], ${this.#read(life)});`;
    return this.#value(key, STRING, text);
  }
}

/** Writes attributes of records under one field number. */
export class RecordedWriter {
  readonly #tag: number;
  readonly #made = new WeakMap<Values, Write>();

  /** `tag` is the protobuf tag of the repeated KeyValue field, e.g. 0x4a for a span's. */
  constructor(tag: number) {
    this.#tag = tag;
  }

  write(w: Writer, { values, record }: Recorded): void {
    let write = this.#made.get(values);
    if (write === undefined) {
      write = new Source(this.#tag, values).compile();
      this.#made.set(values, write);
    }
    write(w, record.$words, record.$bytes, record.$at, record);
  }
}
