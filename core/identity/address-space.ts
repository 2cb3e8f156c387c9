// Another process's memory, by /proc/PID/maps and /proc/PID/mem. Nothing there is to be trusted, and all may change meanwhile.
import { closeSync, openSync, readSync } from "node:fs";

/** A mapping that can be read. */
export interface Mapping {
  readonly start: number;
  /** The byte behind its last. */
  readonly end: number;
  /** Where in its file it begins. */
  readonly offset: number;
  /** What is mapped, as the kernel names it; empty: anonymous memory. */
  readonly name: string;
}

/** What is read of /proc/PID/maps, bytes; a process with more mappings is looked at as far as that. */
const mostMaps = 2 * 1024 ** 2;
/** Addresses that a double holds and a process can have. */
const highest = 2 ** 47;

const chunk = Buffer.alloc(64 * 1024);

export class AddressSpace implements Disposable {
  readonly #folder: string;
  readonly #memory: number;

  /**
   * `folder`: /proc/PID. It is the image's that runs now, and cannot be read any more once that has ended or has called
   * exec(). Throws what open(2) says: EACCES without CAP_SYS_PTRACE over another user's process.
   */
  constructor(folder: string) {
    this.#folder = folder;
    this.#memory = openSync(`${folder}/mem`, "r");
  }

  /** Every mapping that can be read, in the order of addresses. Throws if /proc/PID/maps cannot be read. */
  mappings(): readonly Mapping[] {
    const lines = /^([0-9a-f]+)-([0-9a-f]+) r\S+ ([0-9a-f]+) \S+ \d+ *(.*)$/gm;
    return Array.from(mapsOf(this.#folder).matchAll(lines), ([, start, end, offset, name]) => ({
      start: Number.parseInt(start!, 16),
      end: Number.parseInt(end!, 16),
      offset: Number.parseInt(offset!, 16),
      name: name!,
    }));
  }

  /** Undefined unless all of it can be read. */
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
      return undefined; // it is not mapped
    }
    return bytes;
  }

  [Symbol.dispose](): void {
    closeSync(this.#memory);
  }
}

/** /proc/PID/maps, of a `folder` /proc/PID: its whole lines, as far as it is read. Throws what open(2) says. */
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
