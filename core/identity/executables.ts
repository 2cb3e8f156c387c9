// Names of executables, by the numbers that represent them in the kernel's records and sums
// (bpf/include/wirespan/executable.h).
import type { BpfMap } from "../../native/index.ts";
import { fileName } from "../base/text.ts";
import { LruCache } from "../plugin/lru.ts";

/** Number of unnamed numbers that are remembered, so that they are not looked up each time. */
const UNNAMED = 1024;

export class Executables {
  readonly #table: Pick<BpfMap, "lookUp">;
  /** The size of the kernel's table. */
  readonly #names = new Map<number, string>();
  readonly #unnamed = new LruCache<number, true>(UNNAMED);
  readonly #key = new BigUint64Array(1);
  readonly #value: Uint8Array;

  constructor(table: Pick<BpfMap, "lookUp" | "valueSize">) {
    this.#table = table;
    this.#value = new Uint8Array(table.valueSize);
  }

  /** The complete base name; empty for a kernel thread, and for a program that started when the table was full. */
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
    // Another CPU may be writing it at the moment.
    if (name) this.#names.set(executable, name);
    return name;
  }
}
