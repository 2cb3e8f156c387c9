// Names of executables, by the number that stands for one in the kernel's records and sums (bpf/include/wirespan/executable.h).
import type { BpfMap } from "../../native/index.ts";
import { fileName } from "../base/text.ts";
import { LruCache } from "../plugin/lru.ts";

/** How many numbers without a name are remembered, so that the kernel is not asked for them each time. */
const UNNAMED = 1024;

export class Executables {
  readonly #table: Pick<BpfMap, "lookUp">;
  /** No more than the kernel's table holds. */
  readonly #names = new Map<number, string>();
  readonly #unnamed = new LruCache<number, true>(UNNAMED);
  readonly #key = new BigUint64Array(1);
  readonly #value: Uint8Array;

  constructor(table: Pick<BpfMap, "lookUp" | "valueSize">) {
    this.#table = table;
    this.#value = new Uint8Array(table.valueSize);
  }

  /** The whole base name; empty for a kernel thread, and for a program that came when the table was full. */
  name(executable: number): string {
    return this.#names.get(executable) ?? this.#ask(executable);
  }

  #ask(executable: number): string {
    if (executable === 0 || this.#unnamed.get(executable)) return "";
    this.#key[0] = BigInt(executable);
    const found = this.#table.lookUp(new Uint8Array(this.#key.buffer), this.#value);
    if (!found) {
      this.#unnamed.set(executable, true);
      return "";
    }
    const name = fileName(this.#value.subarray(0, this.#value.indexOf(0)));
    // Another CPU may be writing it at this moment.
    if (name) this.#names.set(executable, name);
    return name;
  }
}
