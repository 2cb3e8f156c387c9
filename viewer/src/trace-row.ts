// Describes a span or an event.
import type { TraceRow } from "../../store/answers.ts";

export const text = ({ attributes }: TraceRow, key: string): string | undefined => {
  const value = attributes[key];
  return value === undefined ? undefined : String(value);
};
export const number = ({ attributes }: TraceRow, key: string): number | undefined => {
  const value = attributes[key];
  return typeof value === "number" ? value : undefined;
};

export function nameOf(row: TraceRow): string {
  return row.name === "application span" ? String(row.attributes["span.name"] ?? "span") : row.name;
}
