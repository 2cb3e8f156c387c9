// OTEL_RESOURCE_ATTRIBUTES, as OpenTelemetry's resource SDK specification reads it.

import { hasControl } from "./plain.ts";

/** Bytes: what a process says goes into every request that tells of it. */
export const longestAttributes = 2048;
export const mostAttributes = 32;

export interface ParsedAttributes {
  readonly attributes: Readonly<Record<string, string>>;
  /** Why the whole value was dropped; names no key and no value. */
  readonly fault?: string;
}

/**
 * Reads `key=value,key=value`, both percent-encoded. One malformed member drops the whole value, as
 * the specification wants it; a key given twice has its last value.
 */
export function parseResourceAttributes(text: string): ParsedAttributes {
  if (Buffer.byteLength(text) > longestAttributes)
    return dropped(`it is longer than ${longestAttributes} bytes`);
  const pairs: [string, string][] = [];
  for (const member of text.split(",")) {
    if (member.trim() === "") continue;
    const [key = "", value, ...more] = member.split("=");
    if (value === undefined) return dropped(`member ${pairs.length + 1} has no "="`);
    if (more.length > 0) return dropped(`member ${pairs.length + 1} has a second "=" that is not %3D`);
    if (key.trim() === "") return dropped(`member ${pairs.length + 1} has no key`);
    try {
      pairs.push([decodeURIComponent(key.trim()), decodeURIComponent(value.trim())]);
    } catch {
      return dropped(`member ${pairs.length + 1} has a "%" that begins no UTF-8 character`);
    }
    if (pairs.at(-1)!.some(hasControl)) return dropped(`member ${pairs.length} has a control character`);
    if (pairs.length > mostAttributes) return dropped(`it has more than ${mostAttributes} members`);
  }
  return { attributes: Object.fromEntries(pairs) };
}

function dropped(fault: string): ParsedAttributes {
  return { attributes: {}, fault };
}
