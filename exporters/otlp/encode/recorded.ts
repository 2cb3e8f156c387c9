// Writes attributes straight from the record in which they lie: for each declared set of values one list of steps, made when
// it is first met. A step knows where its value lies and how its key is encoded; no string and no object is made.
// Tests: recorded.test.ts.
import { decodeCString } from "../../../core/bridge/runtime.ts";
import { formatAddress } from "../../../core/plugin/address.ts";
import type { AttributeValue } from "../../../core/plugin/signals.ts";
import type { Cursor, Fields, Place } from "../../../core/plugin/skeleton.ts";
import type { AnyField, AnyValue, Recorded, Values } from "../../../core/plugin/values.ts";
import { Field } from "./attributes.ts";
import type { Writer } from "./writer.ts";

/** Writes one attribute of the record that begins `at` bytes into the memory; `record` is its cursor. */
type Step = (w: Writer, words: Uint32Array, bytes: Uint8Array, at: number, record: Cursor) => void;

const TWO_32 = 0x1_0000_0000;

type Bare = { at: number } & ({ is: string; size?: number } | { names: readonly (string | undefined)[] });

/** Where the field of this path lies, from the beginning of the record. */
function placeOf(fields: Fields, path: string): Bare {
  let at = 0;
  let place: Place = { at: 0, fields };
  for (const name of path.split(".")) {
    const next: Place | undefined = "fields" in place ? place.fields[name] : undefined;
    if (next === undefined) throw new Error(`no record has a field ${path}`);
    at += next.at;
    place = next;
  }
  if ("fields" in place) throw new Error(`${path} is a struct`);
  return { ...place, at };
}

type Test = (words: Uint32Array, bytes: Uint8Array, at: number) => boolean;

/** Whether a field is neither 0 nor false. */
function isSet(fields: Fields, path: string): Test {
  const place = placeOf(fields, path);
  const from = place.at;
  switch ("is" in place ? place.is : "u32") {
    case "bool":
    case "u8":
      return (_, bytes, at) => bytes[at + from] !== 0;
    case "u16":
      return (_, bytes, at) => (bytes[at + from]! | bytes[at + from + 1]!) !== 0;
    case "u64":
      return (words, _, at) => (words[(at + from) >> 2]! | words[((at + from) >> 2) + 1]!) !== 0;
    default:
      return (words, _, at) => words[(at + from) >> 2] !== 0;
  }
}

function stepOf(tag: number, key: string, isDouble: boolean, fields: Fields, value: AnyValue): Step {
  const field = new Field(tag, key, isDouble);
  if ("constant" in value) {
    const whole = field.whole(value.constant);
    return (w) => w.short(whole);
  }
  if ("by" in value) {
    return (w, _words, _bytes, _at, record) => {
      const found = value.by(record);
      if (found !== undefined) field.write(w, found);
    };
  }
  if ("choose" in value) {
    const { at: from, ...which } = placeOf(fields, value.choose);
    const steps = ("names" in which ? which.names : []).map((name) => {
      const of = name === undefined ? undefined : value.of[name];
      return of && stepOf(tag, key, isDouble, fields, of);
    });
    return (w, words, bytes, at, record) => steps[words[(at + from) >> 2]!]?.(w, words, bytes, at, record);
  }
  if ("cookie" in value) return idStep(field, fields, value);
  const step = "address" in value ? addressStep(field, fields, value) : plainStep(field, fields, value);
  if (value.when === undefined) return step;
  const when = isSet(fields, value.when);
  return (w, words, bytes, at, record) => {
    if (when(words, bytes, at)) step(w, words, bytes, at, record);
  };
}

/** One step for each name, of a whole attribute. */
function named(field: Field, names: readonly (AttributeValue | undefined)[]) {
  return names.map((name) => (name === undefined ? undefined : field.whole(name)));
}

function plainStep(field: Field, fields: Fields, { from: path, names, per = 1, nonZero }: AnyField): Step {
  const place = placeOf(fields, path);
  const from = place.at;
  if ("names" in place) {
    const wholes = named(field, place.names);
    return (w, words, _, at) => {
      const whole = wholes[words[(at + from) >> 2]!];
      if (whole) w.short(whole);
    };
  }
  const wholes = names && new Map(Object.entries(names).map(([n, name]) => [Number(n), field.whole(name)]));
  const put = (w: Writer, value: number): void => {
    if (value === 0 && nonZero) return;
    if (wholes) {
      const whole = wholes.get(value);
      if (whole) w.short(whole);
    } else field.number(w, per === 1 ? value : value / per);
  };
  switch (place.is) {
    case "bool": {
      const [no, yes] = named(field, [nonZero ? undefined : false, true]);
      return (w, _, bytes, at) => {
        const whole = bytes[at + from] ? yes : no;
        if (whole) w.short(whole);
      };
    }
    case "text":
      return textStep(field, from, place.size!, nonZero === true);
    case "u8":
      return (w, _, bytes, at) => put(w, bytes[at + from]!);
    case "u16":
      return (w, _, bytes, at) => put(w, bytes[at + from]! | (bytes[at + from + 1]! << 8));
    case "u32":
      return (w, words, _, at) => put(w, words[(at + from) >> 2]!);
    case "i32":
      return (w, words, _, at) => put(w, words[(at + from) >> 2]! | 0);
    case "u64":
      return (w, words, _, at) => {
        const first = (at + from) >> 2;
        put(w, words[first]! + words[first + 1]! * TWO_32);
      };
    default:
      throw new Error(`${path}: no attribute is made of ${place.is}`);
  }
}

/** A C string; what is not ASCII is decoded, for the kernel may have cut it within a character. */
function textStep(field: Field, from: number, size: number, nonEmpty: boolean): Step {
  return (w, words, bytes, at) => {
    const start = at + from;
    let length = 0;
    let seen = 0;
    for (; length < size; length++) {
      const byte = bytes[start + length]!;
      if (byte === 0) break;
      seen |= byte;
    }
    if (length === 0 && nonEmpty) return;
    if (seen > 127) field.write(w, decodeCString(words, bytes, start, size));
    else field.ascii(w, bytes, start, length);
  };
}

const digits = new Uint8Array(64);

/** Puts a number of at most three decimal digits; returns where it ends. */
function decimal(value: number, at: number): number {
  let to = at;
  if (value > 99) digits[to++] = 48 + ((value / 100) | 0);
  if (value > 9) digits[to++] = 48 + (((value / 10) | 0) % 10);
  digits[to++] = 48 + (value % 10);
  return to;
}

function addressStep(
  field: Field,
  fields: Fields,
  { address, family }: { readonly address: string; readonly family: string },
): Step {
  const [from, version] = [placeOf(fields, address).at, placeOf(fields, family).at];
  return (w, _, bytes, at) => {
    const of = bytes[at + version];
    if (of === 0) return;
    const first = at + from;
    if (of !== 4) {
      field.write(w, formatAddress(bytes.subarray(first, first + 16), "ipv6"));
      return;
    }
    let to = decimal(bytes[first]!, 0);
    for (let i = 1; i < 4; i++) {
      digits[to] = 46;
      to = decimal(bytes[first + i]!, to + 1);
    }
    field.ascii(w, digits, 0, to);
  };
}

const HEX = Uint8Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));

function idStep(
  field: Field,
  fields: Fields,
  value: { readonly cookie: string; readonly life: string },
): Step {
  const [cookie, life] = [placeOf(fields, value.cookie).at, placeOf(fields, value.life).at];
  return (w, words, _, at) => {
    const first = (at + cookie) >> 2;
    const [low, high] = [words[first]!, words[first + 1]!];
    let to = 0;
    for (let shift = 28; shift >= 0; shift -= 4)
      if (to > 0 || high >>> shift > 0) digits[to++] = HEX[(high >>> shift) & 15]!;
    for (let shift = 28; shift >= 0; shift -= 4)
      if (to > 0 || low >>> shift > 0 || shift === 0) digits[to++] = HEX[(low >>> shift) & 15]!;
    const before = words[(at + life) >> 2]!;
    if (before > 0) {
      digits[to++] = 46;
      for (const digit of String(before + 1)) digits[to++] = digit.charCodeAt(0);
    }
    field.ascii(w, digits, 0, to);
  };
}

/** Writes attributes of records under one field number. */
export class RecordedWriter {
  readonly #tag: number;
  readonly #steps = new WeakMap<Values, readonly Step[]>();

  /** `tag` is the protobuf tag of the repeated KeyValue field, e.g. 0x4a for a span's. */
  constructor(tag: number) {
    this.#tag = tag;
  }

  write(w: Writer, { values, record }: Recorded): void {
    const steps = this.#steps.get(values) ?? this.#make(values);
    const { $words, $bytes, $at } = record;
    for (let i = 0; i < steps.length; i++) steps[i]!(w, $words, $bytes, $at, record);
  }

  #make(values: Values): readonly Step[] {
    const { specs, fields, map } = values;
    const steps = Object.entries(map).map(([key, value]) =>
      stepOf(this.#tag, key, specs[key]?.type === "double", fields, value),
    );
    this.#steps.set(values, steps);
    return steps;
  }
}
