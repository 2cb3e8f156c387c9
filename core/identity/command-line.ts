// The parts of a process's command line that may be used: how it was called, and the script or main class that it runs.
// Arguments may contain secrets, so they are examined as bytes and never become text, except for these names.
import { readSync } from "node:fs";
import { interpreterOf } from "./interpreters.ts";
import type { Pattern } from "./pattern.ts";
import { plainName } from "./plain.ts";
import { scriptOf } from "./script.ts";

export interface CommandLine {
  /** The base name of argv[0], or the first word of a title that the program has set there. */
  readonly called: string | undefined;
  /** The base name of the script or jar, the module or main class; of busybox the applet. */
  readonly script: string | undefined;
  /** Which of the patterns some argument matches, by index. */
  readonly matched: ReadonlySet<number>;
}

/** One buffer for all, which is also the limit: what comes after it is not read. */
const buffer = Buffer.alloc(4096);

const slash = 0x2f;

/**
 * Reads an open /proc/PID/cmdline, of which the first 4 KiB are examined and overwritten before this returns.
 * `executable`: the program's base name. Throws what `read` throws.
 */
export function readCommandLine(
  fd: number,
  executable: string,
  patterns: readonly Pattern[] = [],
): CommandLine {
  let length = 0;
  try {
    for (let got = -1; got !== 0 && length < buffer.length; length += got) {
      got = readSync(fd, buffer, length, buffer.length - length, null);
    }
    const words = split(buffer.subarray(0, length));
    const matched = patterns.flatMap((pattern, i) =>
      words.slice(1).some((word) => pattern.matches(word)) ? [i] : [],
    );
    const script = scriptOf(executable, titleWords(executable, words) ?? words);
    return { called: calledAs(words[0]), script, matched: new Set(matched) };
  } finally {
    buffer.fill(0, 0, length);
  }
}

/** NUL bytes end arguments; the last one may be truncated. */
function split(bytes: Buffer): Buffer[] {
  const words: Buffer[] = [];
  for (let from = 0; from < bytes.length; ) {
    const to = bytes.indexOf(0, from);
    words.push(bytes.subarray(from, to < 0 ? bytes.length : to));
    from = to < 0 ? bytes.length : to + 1;
  }
  return words;
}

/** The words of a title that shows which script is running, as pm2's do: `node /srv/shop/app.js`. */
function titleWords(executable: string, words: readonly Buffer[]): readonly Buffer[] | undefined {
  const [title] = words;
  const at = title?.indexOf(" /") ?? -1;
  if (title === undefined || at < 0 || words.slice(1).some((word) => word.length > 0)) return undefined;
  const program = title.subarray(0, at);
  const end = title.indexOf(0x20, at + 1);
  const path = title.subarray(at + 1, end < 0 ? undefined : end);
  const interpreter = interpreterOf(plainName(program) ?? "");
  return interpreter && interpreter === interpreterOf(executable) ? [program, path] : undefined;
}

/**
 * A title has several words ("nginx: worker process", "[celeryd: worker]"), a path has one; a login shell's name begins
 * with "-".
 */
function calledAs(word: Buffer | undefined): string | undefined {
  if (word === undefined) return undefined;
  const ends = [0x20, 0x3a].map((end) => word.indexOf(end)).filter((at) => at >= 0);
  const first = word.subarray([0x2d, 0x5b].includes(word[0]!) ? 1 : 0, Math.min(word.length, ...ends));
  return plainName(first.subarray(first.lastIndexOf(slash) + 1));
}
