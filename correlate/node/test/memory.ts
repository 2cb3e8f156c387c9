// Finds and reads the context table of another process in its memory.
import { closeSync, openSync, readFileSync, readSync } from "node:fs";

const HEADER = Buffer.alloc(24);
HEADER.write("WSNCTXT1", "latin1");
for (const [i, value] of [64, 4096, 256, 1].entries()) HEADER.writeUInt32LE(value, 8 + 4 * i);
const SIZE = 64 + 4096 * 256;

/** Reads the table of the process `pid`. Throws without permission, or if the process does not have exactly one. */
export class Memory implements Disposable {
  readonly #file: number;
  readonly #address: number;

  constructor(pid: number) {
    this.#file = openSync(`/proc/${pid}/mem`, "r");
    const found = mappings(pid).flatMap(([from, to]) => this.#search(from, to));
    const [address] = found;
    if (found.length !== 1 || address === undefined)
      throw new Error(`${found.length} tables in process ${pid}`);
    this.#address = address;
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }

  /** Copies the current table to `to`. */
  copy(to: Uint8Array): void {
    const read = readSync(this.#file, to, 0, SIZE, this.#address);
    if (read !== SIZE) throw new Error(`only ${read} bytes of the table`);
  }

  #search(from: number, to: number): number[] {
    const memory = Buffer.alloc(to - from);
    try {
      readSync(this.#file, memory, 0, memory.length, from);
    } catch {
      // Memory that has been unmapped in the meantime.
      return [];
    }
    const found: number[] = [];
    for (let at = memory.indexOf(HEADER); at >= 0; at = memory.indexOf(HEADER, at + 1)) {
      if (from + at + SIZE <= to) found.push(from + at);
    }
    return found;
  }
}

/** Anonymous writable mappings of at most 1 GiB. */
function mappings(pid: number): [from: number, to: number][] {
  return readFileSync(`/proc/${pid}/maps`, "utf8")
    .split("\n")
    .map((line) => /^([0-9a-f]+)-([0-9a-f]+) rw-p \S+ \S+ 0 *(\[heap\])?$/.exec(line))
    .filter((match) => match !== null)
    .map(([, from = "", to = ""]): [number, number] => [Number.parseInt(from, 16), Number.parseInt(to, 16)])
    .filter(([from, to]) => to - from <= 2 ** 30);
}
