// Small things as the SDK wants them.
import type { HrTime } from "@opentelemetry/api";
import type { AnyAttributes, Time } from "../../core/plugin/signals.ts";

export const hrTime = ({ sec, nsec }: Time): HrTime => [sec, nsec];

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}

/** A copy of the attributes that have a value. */
export function given(attributes: AnyAttributes): Record<string, string | number | boolean | string[]> {
  const result: Record<string, string | number | boolean | string[]> = {};
  for (const key in attributes) {
    const value = attributes[key];
    if (value !== undefined) result[key] = typeof value === "object" ? [...value] : value;
  }
  return result;
}
