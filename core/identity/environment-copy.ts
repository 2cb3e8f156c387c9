// The environment of a process that has overwritten the original with a title, as nginx, PostgreSQL, Redis and Python's
// setproctitle do. They keep a copy.
import { readFileSync } from "node:fs";
import { AddressSpace } from "./address-space.ts";
import { findVariable, type Memory, programHeadersOf } from "./elf.ts";
import { cutText, type Environment, wanted } from "./environment.ts";

/** Maximum number of a process's variables, each of which is read on its own, and of its arguments. */
const most = 1024;
const pageSize = 4096;
/** What both names begin with; of other variables no more than this is read. */
const prefix = Buffer.from("OTEL_");

/**
 * `folder`: /proc/PID. `stack`: the address at which the kernel has put the number of its arguments. Looks where getenv()
 * does, and then at the original array, whose pointers nginx has changed. Throws the error of open(2).
 */
export function copiedEnvironment(folder: string, stack: number): Environment {
  using space = new AddressSpace(folder);
  const headers = programHeadersOf(readFileSync(`${folder}/auxv`));
  const variable = environIn(space, headers);
  const found: Record<string, string> = {};
  if (variable !== undefined) search(space, wordAt(space, variable), found);
  const count = wordAt(space, stack) ?? most;
  if (count < most && Object.keys(found).length === 0) search(space, stack + 8 * (count + 2), found);
  return found;
}

/** The address of `environ`: the C library defines it, and the linker may have moved it to the executable. */
function environIn(space: AddressSpace, headers: number): number | undefined {
  // Reading all mappings takes most of the time. An ELF header has 64 bytes, and the program headers follow it.
  const executable = { start: headers - 64, end: headers + 1, offset: 0, name: "/" };
  const libraries = () => space.mappings().filter(({ name }) => /\/(libc|ld-musl)[^/]*$/.test(name));
  return (
    findVariable(space, [executable], headers, "environ") ??
    findVariable(space, libraries(), headers, "environ")
  );
}

/** `array`: of pointers, which ends with 0. */
function search(space: Memory, array: number | undefined, found: Record<string, string>): void {
  for (const at of pointersAt(space, array ?? 0)) {
    const start = space.read(at, prefix.length);
    const isCandidate = start?.equals(prefix);
    start?.fill(0);
    if (!isCandidate) continue;
    for (const { key, name, most } of wanted) {
      if (found[key] !== undefined) continue;
      const bytes = space.read(at, name.length);
      if (bytes?.equals(name)) found[key] = textAt(space, at + name.length, most);
      bytes?.fill(0);
    }
  }
}

function* pointersAt(space: Memory, array: number): Generator<number> {
  for (let at = array, count = 0; at > 0; ) {
    const words = space.read(at, Math.min(512, untilPage(at))) ?? Buffer.alloc(0);
    for (let i = 0; i + 8 <= words.length; i += 8) {
      const pointer = Number(words.readBigUInt64LE(i));
      if (pointer === 0 || count++ === most) return;
      yield pointer;
    }
    if (words.length < 8) return;
    at += words.length;
  }
}

/** The bytes that follow in this page, which can be read if the first one can. */
function untilPage(address: number): number {
  return pageSize - (address % pageSize);
}

function wordAt(space: Memory, address: number): number | undefined {
  const word = space.read(address, 8);
  return word && Number(word.readBigUInt64LE());
}

/** Up to a NUL, and not more than is needed to see that it is longer than `most`; what follows is overwritten. */
function textAt(space: Memory, address: number, most: number): string {
  const pages: Buffer[] = [];
  let length = 0;
  for (let isEnded = false; !isEnded && length <= most; ) {
    const page = space.read(address + length, untilPage(address + length)) ?? Buffer.alloc(1);
    const end = page.indexOf(0);
    pages.push(page);
    length += end < 0 ? page.length : end;
    isEnded = end >= 0;
  }
  const text = cutText(Buffer.concat(pages, length), 0, length, most);
  for (const page of pages) page.fill(0);
  return text;
}
