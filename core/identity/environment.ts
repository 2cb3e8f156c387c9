// Two variables of another process's environment; the rest is somebody's secrets.
import { readSync } from "node:fs";

/** What a process says of itself. */
export interface Environment {
  /** OTEL_SERVICE_NAME. */
  readonly serviceName?: string;
  /** OTEL_RESOURCE_ATTRIBUTES, not yet parsed. */
  readonly resourceAttributes?: string;
}

const names = { serviceName: "OTEL_SERVICE_NAME=", resourceAttributes: "OTEL_RESOURCE_ATTRIBUTES=" } as const;
const wanted = Object.entries(names).map(([key, name]) => ({ key, name: Buffer.from(name) }));

// One buffer for all reads, and the bound on one variable: longer ones are passed over.
const buffer = Buffer.alloc(16 * 1024);

/**
 * Scans an open /proc/PID/environ. Undefined where it is empty: the process is about to be gone, or
 * is a kernel thread. What was read is overwritten before this returns. Throws what `read` throws.
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
  for (const { key, name } of wanted) {
    if (to - from < name.length || found[key] !== undefined) continue;
    if (buffer.compare(name, 0, name.length, from, from + name.length) !== 0) continue;
    found[key] = buffer.toString("utf8", from + name.length, to);
  }
}
