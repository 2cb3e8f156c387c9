// Two variables of another process's environment; the rest may be secret.
import { readSync } from "node:fs";
import { longestAttributes } from "./resource-attributes.ts";

/** What a process says about itself. */
export interface Environment {
  /** OTEL_SERVICE_NAME. */
  readonly serviceName?: string;
  /** OTEL_RESOURCE_ATTRIBUTES, not yet parsed. */
  readonly resourceAttributes?: string;
  /** It does not begin with a variable: a title was written over it. */
  readonly isOverwritten?: true;
}

/** Maximum number of bytes of each: a longer name is truncated, longer attributes are detected as too long. */
export const wanted = [
  { key: "serviceName", name: Buffer.from("OTEL_SERVICE_NAME="), most: 256 },
  { key: "resourceAttributes", name: Buffer.from("OTEL_RESOURCE_ATTRIBUTES="), most: longestAttributes + 4 },
];

// One buffer for all reads; the rest of a longer variable is skipped.
const buffer = Buffer.alloc(16 * 1024);

/**
 * Scans an open /proc/PID/environ. Undefined if it is empty: the process is about to end, or is a kernel thread. The
 * buffer is overwritten before this returns. Throws what `read` throws.
 */
export function scanEnvironment(fd: number): Environment | undefined {
  const found: Record<string, string> = {};
  let isOverwritten = false;
  let total = 0;
  let kept = 0;
  let used = 0;
  let passing = false;
  try {
    for (;;) {
      const length = readSync(fd, buffer, kept, buffer.length - kept, null);
      const end = kept + length;
      used = Math.max(used, end);
      if (total === 0 && length > 0) isOverwritten = !beginsWithVariable(end);
      total += length;
      let from = 0;
      for (let to = buffer.indexOf(0, from); to >= 0 && to < end; to = buffer.indexOf(0, from)) {
        if (!passing) take(found, from, to);
        passing = false;
        from = to + 1;
      }
      if (length === 0) {
        if (!passing) take(found, from, end);
        return total === 0 ? undefined : { ...found, ...(isOverwritten && { isOverwritten }) };
      }
      if (from === 0 && end === buffer.length) {
        if (!passing) take(found, from, end);
        passing = true;
        from = end;
      }
      buffer.copyWithin(0, from, end);
      kept = end - from;
    }
  } finally {
    buffer.fill(0, 0, used);
  }
}

/** The first of two equal names counts, as in getenv(3). */
function take(found: Record<string, string>, from: number, to: number): void {
  for (const { key, name, most } of wanted) {
    if (to - from < name.length || found[key] !== undefined) continue;
    if (buffer.compare(name, 0, name.length, from, from + name.length) !== 0) continue;
    found[key] = cutText(buffer, from + name.length, to, most);
  }
}

function beginsWithVariable(end: number): boolean {
  const at = buffer.indexOf("=");
  return at > 0 && at < end && !buffer.subarray(0, at).includes(0);
}

/** At most this many bytes of a text, and not a part of a character. */
export function cutText(bytes: Buffer, from: number, to: number, most: number): string {
  let end = Math.min(to, from + most);
  while (end < to && end > from && (bytes[end]! & 0xc0) === 0x80) end--;
  return bytes.toString("utf8", from, end);
}
