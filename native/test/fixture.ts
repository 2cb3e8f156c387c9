// The BPF object that the addon's tests load, compiled when it is out of date.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { type BpfObject, type LoadOptions, native } from "../index.ts";

const folder = new URL("..", import.meta.url).pathname;
let bytes: Uint8Array | undefined;

export function fixtureBytes(): Uint8Array {
  if (!bytes) {
    execFileSync("flock", [folder, "make", "-s", "-C", folder, "fixture"], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    bytes = readFileSync(`${folder}build/fixture.bpf.o`);
  }
  return bytes;
}

/** Loads the fixture; `using` closes it. */
export async function load(
  programs: readonly string[],
  options: Omit<LoadOptions, "programs"> = {},
): Promise<BpfObject & Disposable> {
  const object = await native.load("fixture", fixtureBytes(), { ...options, programs });
  return Object.assign(object, { [Symbol.dispose]: () => object.close() });
}

export interface Order {
  readonly first: number;
  readonly records: number;
  /** Bytes of a record: 20, 24 or 4000. */
  readonly size?: number;
  /** Every record whose number is a multiple of this is discarded. */
  readonly discard?: number;
  /** Whether the last record forces a wake-up. */
  readonly wake?: boolean;
}

/** Writes records into the fixture's ring; returns the number of those that did not fit. */
export function produce(object: BpfObject, order: Order): number {
  const words = Uint32Array.of(
    order.first,
    order.records,
    order.size ?? 24,
    order.discard ?? 0,
    order.wake ? 1 : 0,
    0,
  );
  object.run("produce", new Uint8Array(words.buffer));
  return words[5]!;
}

/** The numbers of the records in one batch; throws if a record is not what was written. */
export function numbers(words: Uint32Array, length: number): number[] {
  const found: number[] = [];
  for (let at = 0; at < length / 4; ) {
    const [size, , number, inverse] = words.subarray(at, at + 4) as unknown as [
      number,
      number,
      number,
      number,
    ];
    if (~number >>> 0 !== inverse) throw new Error(`record at word ${at} is not whole`);
    found.push(number);
    at += ((size + 8 + 7) & ~7) / 4;
  }
  return found;
}

/** `count` numbers from `first` on. */
export function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}
