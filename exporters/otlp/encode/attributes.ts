// Writes attributes as OTLP KeyValues. Everything before a value is prepared per key and cached with its spec.
import type { AnyAttributes, AttributeSpecs, AttributeValue } from "../../../core/plugin/signals.ts";
import { isInt64, Template, type Writer, written } from "./writer.ts";

/** Tags of an AnyValue's fields. */
export const STRING = 0x0a;
const BOOL = 0x10;
export const INT = 0x18;
export const DOUBLE = 0x21;
const ARRAY = 0x2a;

/**
 * One key's bytes: the field's tag, the KeyValue's length, the key, the value's tag and length, and the
 * tag of the value's type; the lengths and the type are filled in for each value.
 */
export class Field {
  readonly #tag: number;
  readonly #key: string;
  readonly #template: Template;
  /** Bytes of a KeyValue besides its value and the value's type tag; 0 for a key that is too long for the fast path. */
  readonly #frame: number;
  readonly #double: boolean;

  /** `tag` is the protobuf tag of the repeated KeyValue field, e.g. 0x4a for a span's. */
  constructor(tag: number, key: string, double: boolean) {
    const keyBytes = Buffer.from(key);
    const quick = keyBytes.length <= 96;
    this.#tag = tag;
    this.#key = key;
    this.#template = new Template(
      quick ? Buffer.from([tag, 0, 0x0a, keyBytes.length, ...keyBytes, 0x12, 0, 0]) : new Uint8Array(0),
    );
    this.#frame = quick ? keyBytes.length + 4 : 0;
    this.#double = double;
  }

  write(w: Writer, value: AttributeValue): void {
    if (this.#frame !== 0) {
      if (typeof value === "number") {
        this.#number(w, value);
        return;
      }
      if (typeof value === "string" && this.#string(w, value)) return;
    }
    writeSlow(w, this.#tag, this.#key, value, this.#double);
  }

  #number(w: Writer, value: number): void {
    w.ensure(160);
    const mark = w.at;
    w.template(this.#template);
    const start = w.at;
    // An int that is not an integer is sent as a double: visible to a reader, and never a wrong number.
    if (this.#double || !isInt64(value)) {
      w.bytes[start - 1] = DOUBLE;
      w.double(value);
    } else {
      w.bytes[start - 1] = INT;
      w.varint(value);
    }
    const size = w.at - start + 1;
    w.bytes[start - 2] = size;
    w.bytes[mark + 1] = this.#frame + size;
  }

  /** False if it is too long for the fast path, or not ASCII. */
  #string(w: Writer, value: string): boolean {
    const length = value.length;
    if (length >= 125 - this.#frame) return false;
    w.ensure(160);
    const mark = w.at;
    w.template(this.#template);
    const out = w.bytes;
    const start = w.at + 1;
    let seen = 0;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      seen |= code;
      out[start + i] = code;
    }
    if (seen > 127) {
      w.at = mark;
      return false;
    }
    out[mark + 1] = this.#frame + length + 2;
    out[start - 3] = length + 2;
    out[start - 2] = STRING;
    out[start - 1] = length;
    w.at = start + length;
    return true;
  }
}

/** Writes the attributes of one spec under one field number. */
export class AttributeWriter {
  readonly #tag: number;
  readonly #fields = new Map<string, Field>();

  constructor(tag: number, specs: AttributeSpecs) {
    this.#tag = tag;
    for (const [key, { type }] of Object.entries(specs)) {
      this.#fields.set(key, new Field(tag, key, type === "double"));
    }
  }

  write(writer: Writer, attributes: AnyAttributes): void {
    for (const key in attributes) {
      const value = attributes[key];
      if (value === undefined) continue;
      const field = this.#fields.get(key);
      if (field === undefined) writeSlow(writer, this.#tag, key, value);
      else field.write(writer, value);
    }
  }
}

function writeSlow(w: Writer, tag: number, key: string, value: AttributeValue, double = false): void {
  w.ensure(16);
  w.byte(tag);
  const pair = w.open();
  w.byte(0x0a);
  w.string(key);
  w.ensure(16);
  w.byte(0x12);
  const any = w.open();
  writeValue(w, value, double);
  w.close(any);
  w.close(pair);
}

/** The content of an AnyValue. */
export function writeValue(w: Writer, value: AttributeValue, double = false): void {
  w.ensure(16);
  if (typeof value === "string") {
    w.byte(STRING);
    w.string(value);
  } else if (typeof value === "boolean") {
    w.byte(BOOL);
    w.byte(value ? 1 : 0);
  } else if (typeof value === "number") {
    if (double || !isInt64(value)) {
      w.byte(DOUBLE);
      w.double(value);
    } else {
      w.byte(INT);
      w.varint(value);
    }
  } else {
    w.byte(ARRAY);
    const array = w.open();
    for (const item of value) {
      w.ensure(16);
      w.byte(0x0a);
      const any = w.open();
      w.byte(STRING);
      w.string(item);
      w.close(any);
    }
    w.close(array);
  }
}

/** Attributes without a spec, such as a resource's: numbers that are integers are ints. */
export function plainAttributes(tag: number, attributes: AnyAttributes): Buffer {
  return written((writer) => {
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== undefined) writeSlow(writer, tag, key, value);
    }
  });
}
