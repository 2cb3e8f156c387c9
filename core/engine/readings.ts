// What the loaded programs and their maps report, for status and telemetry. Tests: agent/status.test.ts,
// agent/internal-telemetry.kernel.test.ts.
import type { ProgramInfo } from "../../native/index.ts";
import type { Loaded } from "../bridge/loader.ts";
import type { ObjectReader } from "../bridge/object-reader.ts";

/** A plugin's name for its own parts; `connections` is the tracker, `correlation` the reader of contexts. */
export type Owned<T> = readonly [owner: string, T];

/** The programs' own counters, by owner. */
export function countersOf(
  readers: readonly Owned<ObjectReader>[],
): Readonly<Record<string, Readonly<Record<string, number>>>> {
  return Object.fromEntries(readers.map(([owner, reader]) => [owner, reader.counters()]));
}

/** Fill of every ring, bytes. */
export function ringsOf(
  readers: readonly Owned<ObjectReader>[],
): readonly { readonly owner: string; readonly usage: number; readonly limit: number }[] {
  return readers.flatMap(([owner, { rings }]) =>
    rings.map((ring) => ({ owner, usage: ring.pending, limit: ring.capacity })),
  );
}

/** Every loaded program, with its run time if statistics are on. */
export function programsOf(
  objects: readonly Owned<Loaded>[],
): readonly (ProgramInfo & { readonly owner: string })[] {
  return objects.flatMap(([owner, { object }]) =>
    object.programs().map((program) => ({ ...program, owner })),
  );
}
