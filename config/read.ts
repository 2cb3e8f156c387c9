// Reads files that a user names, if they are regular files; never waits for them.
import { closeSync, constants, fstatSync, openSync, readSync, type Stats, statSync } from "node:fs";

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  ENOTDIR: "there is no such file",
  EACCES: "permission denied",
  EPERM: "permission denied",
  ELOOP: "it is a loop of links",
  ENAMETOOLONG: "its name is too long",
  EMFILE: "too few file descriptors (ulimit -n)",
};

function kindOf(stat: Stats): string {
  if (stat.isDirectory()) return "a folder";
  if (stat.isFIFO()) return "a pipe";
  return stat.isSocket() ? "a socket" : "a device";
}

function requireFile(stat: Stats, most: number): void {
  if (!stat.isFile()) throw new Error(`it is ${kindOf(stat)}, not a file`);
  if (stat.size > most) throw new Error(`it is larger than ${most} bytes`);
}

/** The text of a file of at most `most` bytes. Throws an Error with a short reason. */
export function readText(path: string, most: number): string {
  const bytes = explain(() => {
    requireFile(statSync(path), most);
    // It may have been replaced with a pipe that is never written to.
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      requireFile(fstatSync(fd), most);
      return readAll(fd, most);
    } finally {
      closeSync(fd);
    }
  });
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Error("it is not UTF-8 text");
  }
}

/** Files of /proc have no size, and others grow. */
function readAll(fd: number, most: number): Buffer {
  const bytes = Buffer.alloc(most + 1);
  let length = 0;
  for (;;) {
    const count = readSync(fd, bytes, length, bytes.length - length, null);
    length += count;
    if (length > most) throw new Error(`it is larger than ${most} bytes`);
    if (count === 0) return bytes.subarray(0, length);
  }
}

function explain<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(code === undefined ? message : (REASONS[code] ?? `it cannot be read (${code})`), {
      cause: error,
    });
  }
}
