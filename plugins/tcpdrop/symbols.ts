// Addresses in the kernel as names, from /proc/kallsyms where that tells.
import { readFileSync } from "node:fs";

/** Of a kernel address, what a double can hold: the upper bits are the same in all of them. */
function low(high: number, word: number): number {
  return (high & 0x1fffff) * 0x1_0000_0000 + word;
}

/** Text symbols, sorted; names lie one behind the other. */
interface Table {
  readonly addresses: Float64Array;
  readonly ends: Uint32Array;
  readonly names: Buffer;
}

export class KernelSymbols {
  readonly #path: string;
  readonly #onUnreadable: (why: string) => void;
  #table: Table | undefined;
  #read = false;

  /** Reads nothing until it is asked; `onUnreadable` is told once where there is nothing to be read. */
  constructor(onUnreadable: (why: string) => void, path = "/proc/kallsyms") {
    this.#onUnreadable = onUnreadable;
    this.#path = path;
  }

  /** `tcp_v4_rcv+0x1a2`; the address in hexadecimal where no name is known. Words as they lie in memory. */
  name(word: number, high: number): string {
    if (!this.#read) {
      this.#read = true;
      this.#table = this.#load();
    }
    const address = low(high, word);
    return this.#find(address) ?? `0x${hex(high)}${hex(word)}`;
  }

  #find(address: number): string | undefined {
    const table = this.#table;
    if (!table) return undefined;
    let [first, end] = [0, table.addresses.length];
    while (first < end) {
      const middle = (first + end) >> 1;
      if (table.addresses[middle]! <= address) first = middle + 1;
      else end = middle;
    }
    if (first === 0) return undefined;
    const at = first - 1;
    const offset = address - table.addresses[at]!;
    // Beyond any function: a module that came later, or code without a name.
    if (offset > 0x10_0000) return undefined;
    const name = table.names.toString("latin1", table.ends[at - 1] ?? 0, table.ends[at]);
    return `${name}+0x${offset.toString(16)}`;
  }

  #load(): Table | undefined {
    let text: string;
    try {
      text = readFileSync(this.#path, "latin1");
    } catch (error) {
      this.#onUnreadable((error as Error).message);
      return undefined;
    }
    const found: [address: number, name: string][] = [];
    for (const line of text.split("\n")) {
      const type = line[17];
      if (type !== "t" && type !== "T") continue;
      const address = low(Number.parseInt(line.slice(0, 8), 16), Number.parseInt(line.slice(8, 16), 16));
      const end = line.indexOf("\t", 19);
      if (address) found.push([address, line.slice(19, end < 0 ? undefined : end)]);
    }
    if (found.length === 0) {
      this.#onUnreadable("the kernel hides its addresses (kernel.kptr_restrict)");
      return undefined;
    }
    found.sort(([a], [b]) => a - b);
    const ends = new Uint32Array(found.length);
    let end = 0;
    for (const [i, [, name]] of found.entries()) {
      end += name.length;
      ends[i] = end;
    }
    return {
      addresses: Float64Array.from(found, ([address]) => address),
      ends,
      names: Buffer.from(found.map(([, name]) => name).join(""), "latin1"),
    };
  }
}

const hex = (word: number): string => word.toString(16).padStart(8, "0");
