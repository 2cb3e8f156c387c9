// A name by which people know a program: its script, the name by which it was called, or its executable's.
import { statSync } from "node:fs";
import { basename, dirname } from "node:path";
import type { CommandLine } from "./command-line.ts";
import { interpreterOf, withoutVersion } from "./interpreters.ts";

/** Where programs that were called without a folder are searched. */
const folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** Programs that combine several, selected by the name by which they are called. */
const multiCall = /^(busybox|toybox|coreutils|redis-check-(rdb|aof)|valkey-check-(rdb|aof))$/;

/**
 * The name of the program at `path`, which /proc shows under `root` (/proc/PID). For an interpreter without a script,
 * a title that it has set itself counts.
 */
export function programName(path: string, { called, script }: CommandLine, root: string): string {
  const executable = basename(path);
  if (script !== undefined) return script;
  const bare = withoutVersion(executable);
  if (called === undefined || called === executable || called === bare) return bare;
  if (interpreterOf(executable)) return interpreterOf(called) ? bare : called;
  return multiCall.test(executable) || isLink(called, path, root) ? withoutVersion(called) : bare;
}

/** Whether `called` is a name of the executable itself: then nobody has chosen it deliberately. */
function isLink(called: string, path: string, root: string): boolean {
  const executable = statOf(`${root}/exe`);
  if (!executable) return false;
  return [dirname(path), ...folders].some((folder) => {
    const found = statOf(`${root}/root${folder}/${called}`);
    return found?.ino === executable.ino && found.dev === executable.dev;
  });
}

function statOf(path: string): { readonly ino: bigint; readonly dev: bigint } | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
