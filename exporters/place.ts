// Where the fields of records are, for generated code that reads them without their cursors.
import type { Fields, Place } from "../core/plugin/skeleton.ts";

/** A field that is not a struct, from the beginning of the record. */
export type Bare = { at: number } & (
  | { is: string; size?: number }
  | { names: readonly (string | undefined)[] }
);

/** The offset of the field with this path from the beginning of the record. */
export function placeOf(fields: Fields, path: string): Bare {
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

/** A field's number as an expression: of `words` from `i`, and of `bytes` from `at`. */
export function read(place: Bare, path: string): string {
  const { at } = place;
  const word = (more: number) => `words[i + ${at / 4 + more}]`;
  switch ("is" in place ? place.is : "u32") {
    case "bool":
    case "u8":
      return `bytes[at + ${at}]`;
    case "u16":
      return `(bytes[at + ${at}] | bytes[at + ${at + 1}] << 8)`;
    case "u32":
      return word(0);
    case "i32":
      return `(${word(0)} | 0)`;
    case "u64":
      return `(${word(0)} + ${word(1)} * 4294967296)`;
    default:
      throw new Error(`${path}: no attribute is made of such a field`);
  }
}
