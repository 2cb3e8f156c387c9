// Two variables of another process's environment; the rest may be secret.
import { readSync } from "node:fs";
import { longestAttributes } from "./resource-attributes.ts";

/** What a process says about itself. */
export interface Environment {
  /** OTEL_SERVICE_NAME. */
  readonly serviceName?: string;
  /** OTEL_RESOURCE_ATTRIBUTES, not yet parsed. */
  readonly resourceAttributes?: string;
}

/** Maximum number of bytes of each: a longer name is truncated, longer attributes are detected as too long. */
const wanted = [
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
  let total = 0;
  let kept = 0;
  let used = 0;
  let passing = false;
  try {
    for (;;) {
      const length = readSync(fd, buffer, kept, buffer.length - kept, null);
      const end = kept + length;
      used = Math.max(used, end);
      total += length;
      let from = 0;
      for (let to = buffer.indexOf(0, from); to >= 0 && to < end; to = buffer.indexOf(0, from)) {
        if (!passing) take(found, from, to);
        passing = false;
        from = to + 1;
      }
      if (length === 0) {
        if (!passing) take(found, from, end);
        return total === 0 ? undefined : found;
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
    found[key] = buffer.toString("utf8", from + name.length, boundary(from + name.length, to, most));
  }
}

/** Where to truncate: at most this many bytes after `from`, and not within a character. */
function boundary(from: number, to: number, most: number): number {
  if (to - from <= most) return to;
  let end = from + most;
  while (end > from && (buffer[end]! & 0xc0) === 0x80) end--;
  return end;
}
