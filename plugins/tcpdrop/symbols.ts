// Names of kernel addresses, from /proc/kallsyms if that is readable.
import { closeSync, openSync, readSync } from "node:fs";

/** The part of a kernel address that a double can hold: the upper 12 bits are the same in all of them. */
function low(high: number, word: number): number {
  return (high & 0xfffff) * 0x1_0000_0000 + word;
}

const [LINE_FEED, TAB, LOWER_T, UPPER_T] = [0x0a, 0x09, 0x74, 0x54];
/** In a line `ffffffff81a00100 t tcp_v4_rcv`, which a tab and a module may follow. */
const [LOW, SPACE, TYPE, NAME] = [3, 16, 17, 19];

/** Text symbols in the file's order. Built in pieces: the file is some 10 MB, of which a third is kept. */
class Table {
  readonly #addresses: number[] = [];
  readonly #starts: number[] = [];
  #names = Buffer.allocUnsafe(1 << 20);
  #size = 0;

  constructor(path: string) {
    const file = openSync(path, "r");
    const piece = Buffer.allocUnsafe(1 << 16);
    try {
      for (let kept = 0, got = 0; ; ) {
        got = readSync(file, piece, kept, piece.length - kept, null);
        if (got === 0) break;
        kept = this.#take(piece.subarray(0, kept + got));
      }
    } finally {
      closeSync(file);
    }
  }

  get isEmpty(): boolean {
    return this.#addresses.length === 0;
  }

  /** Takes the complete lines; the rest of the last goes to the front. Returns the number of remaining bytes. */
  #take(lines: Buffer): number {
    let at = 0;
    for (let end = lines.indexOf(LINE_FEED); end >= 0; end = lines.indexOf(LINE_FEED, at)) {
      const type = lines[at + TYPE];
      if (type === LOWER_T || type === UPPER_T) this.#add(lines, at, end);
      at = end + 1;
    }
    lines.copyWithin(0, at);
    return lines.length - at;
  }

  #add(lines: Buffer, at: number, end: number): void {
    let address = 0;
    for (let i = at + LOW; i < at + SPACE; i++) {
      const digit = lines[i]!;
      address = address * 16 + (digit < 0x3a ? digit - 0x30 : digit - 0x57);
    }
    if (address === 0) return;
    this.#addresses.push(address);
    this.#starts.push(this.#size);
    if (this.#size + (end - at) > this.#names.length) {
      this.#names = Buffer.concat([this.#names], this.#names.length * 2);
    }
    for (let i = at + NAME; i < end && lines[i] !== TAB; i++) this.#names[this.#size++] = lines[i]!;
  }

  /** `tcp_v4_rcv+0x1a2`. Modules' symbols are not sorted, so all are searched: 0.2 ms. */
  find(address: number): string | undefined {
    const addresses = this.#addresses;
    let [best, at] = [0, -1];
    for (let i = 0; i < addresses.length; i++) {
      const start = addresses[i]!;
      if (start <= address && start >= best) [best, at] = [start, i];
    }
    const offset = address - best;
    // Beyond any function: a module that was loaded later, or code without a name.
    if (at < 0 || offset > 0x10_0000) return undefined;
    const name = this.#names.toString("latin1", this.#starts[at], this.#starts[at + 1] ?? this.#size);
    return `${name}+0x${offset.toString(16)}`;
  }
}

export class KernelSymbols {
  readonly #path: string;
  readonly #onUnreadable: (why: string) => void;
  readonly #known = new Map<number, string>();
  #table: Table | undefined;
  #read = false;

  /** Reads nothing before the first call; `onUnreadable` is called once if nothing can be read. */
  constructor(onUnreadable: (why: string) => void, path = "/proc/kallsyms") {
    this.#onUnreadable = onUnreadable;
    this.#path = path;
  }

  /** `tcp_v4_rcv+0x1a2`; the address in hexadecimal if no name is known. Words as in memory. */
  name(word: number, high: number): string {
    const address = low(high, word);
    let name = this.#known.get(address);
    if (name === undefined) {
      if (!this.#read) {
        this.#read = true;
        this.#table = this.#load();
      }
      name = this.#table?.find(address) ?? `0x${hex(high)}${hex(word)}`;
      this.#known.set(address, name);
    }
    return name;
  }

  #load(): Table | undefined {
    try {
      const table = new Table(this.#path);
      if (!table.isEmpty) return table;
      this.#onUnreadable("the kernel hides its addresses (kernel.kptr_restrict)");
    } catch (error) {
      this.#onUnreadable((error as Error).message);
    }
    return undefined;
  }
}

const hex = (word: number): string => word.toString(16).padStart(8, "0");
