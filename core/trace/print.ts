// Rows as a table or as CSV, by the plugin's own columns.
import type { Column, Row } from "./view.ts";

export function tableHeader(columns: readonly Column[]): string {
  return tableLine(columns, (column) => column.title);
}

export function tableRow(columns: readonly Column[], row: Row): string {
  return tableLine(columns, (column) => String(column.cell(row) ?? "-"));
}

/** What is wider than its column pushes the others aside: a cut address would be a lie. */
function tableLine(columns: readonly Column[], cell: (column: Column) => string): string {
  const cells = columns.map((column) => {
    const text = visible(cell(column));
    return column.align === "right" ? text.padStart(column.width) : text.padEnd(column.width);
  });
  return `${cells.join(" ").trimEnd()}\n`;
}

// A process names itself: its comm may hold what moves a terminal's cursor.
const visible = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  text.replace(/[\x00-\x1f\x7f-\x9f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);

export function csvHeader(columns: readonly Column[]): string {
  return `${columns.map((column) => quoted(column.title)).join(",")}\n`;
}

export function csvRow(columns: readonly Column[], row: Row): string {
  return `${columns.map((column) => quoted(String(column.cell(row) ?? ""))).join(",")}\n`;
}

/** As RFC 4180 has it. */
const quoted = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
