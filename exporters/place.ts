// Offsets of the fields of records, for code that reads them without their cursors.
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
