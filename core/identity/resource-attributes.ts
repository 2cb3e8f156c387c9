// Parses OTEL_RESOURCE_ATTRIBUTES according to OpenTelemetry's resource SDK specification.

import { hasControl } from "./plain.ts";

/** Maximum bytes: what a process says is part of every request that contains its telemetry. */
export const longestAttributes = 2048;
export const mostAttributes = 32;

export interface ParsedAttributes {
  readonly attributes: Readonly<Record<string, string>>;
  /** Why the whole value was dropped; contains no key and no value. */
  readonly fault?: string;
}

/**
 * Parses `key=value,key=value`, both percent-encoded. One malformed member drops the whole value, as the specification
 * requires; a repeated key has its last value.
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
