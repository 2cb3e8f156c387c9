// Another process's memory, by /proc/PID/maps and /proc/PID/mem. Its content cannot be trusted, and may change at any
// time.
import { closeSync, openSync, readSync } from "node:fs";

/** A readable mapping. */
export interface Mapping {
  readonly start: number;
  /** The address after its last byte. */
  readonly end: number;
  /** Offset in its file. */
  readonly offset: number;
  /** What is mapped, by the kernel's name; empty: anonymous memory. */
  readonly name: string;
}

/** Maximum number of bytes that are read from /proc/PID/maps; mappings beyond are ignored. */
const mostMaps = 2 * 1024 ** 2;
/** Largest address of a process; fits into a double. */
const highest = 2 ** 47;

const chunk = Buffer.alloc(64 * 1024);

export class AddressSpace implements Disposable {
  readonly #folder: string;
  readonly #memory: number;

  /**
   * `folder`: /proc/PID. It belongs to the current image, and cannot be read any more once that has ended or has
   * called exec(). Throws the error of open(2): EACCES without CAP_SYS_PTRACE for another user's process.
   */
  constructor(folder: string) {
    this.#folder = folder;
    this.#memory = openSync(`${folder}/mem`, "r");
  }

  /** Every readable mapping, by address. Throws if /proc/PID/maps cannot be read. */
  mappings(): readonly Mapping[] {
    const lines = /^([0-9a-f]+)-([0-9a-f]+) r\S+ ([0-9a-f]+) \S+ \d+ *(.*)$/gm;
    return Array.from(mapsOf(this.#folder).matchAll(lines), ([, start, end, offset, name]) => ({
      start: Number.parseInt(start!, 16),
      end: Number.parseInt(end!, 16),
      offset: Number.parseInt(offset!, 16),
      name: name!,
    }));
  }

  /** Undefined unless the whole range can be read. */
  read(address: number, length: number): Buffer | undefined {
    if (!(address >= 0 && length >= 0 && address + length < highest)) return undefined;
    const bytes = Buffer.alloc(length);
    try {
      for (let at = 0; at < length; ) {
        const count = readSync(this.#memory, bytes, at, length - at, address + at);
        if (count === 0) return undefined;
        at += count;
      }
    } catch {
      return undefined; // not mapped
    }
    return bytes;
  }

  [Symbol.dispose](): void {
    closeSync(this.#memory);
  }
}

/** The complete lines of /proc/PID/maps, up to the limit; `folder` is /proc/PID. Throws the error of open(2). */
export function mapsOf(folder: string): string {
  const fd = openSync(`${folder}/maps`, "r");
  try {
    let text = "";
    while (text.length < mostMaps) {
      const count = readSync(fd, chunk, 0, chunk.length, null);
      if (count === 0) return text;
      text += chunk.toString("latin1", 0, count);
    }
    return text.slice(0, text.lastIndexOf("\n") + 1);
  } finally {
    closeSync(fd);
  }
}
