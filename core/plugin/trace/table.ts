// Rows as a table or as CSV, with the plugin's own columns.
import { createRequire } from "node:module";
import { CONTROL } from "../../base/text.ts";
import type { Column, Row } from "./view.ts";

/** The width of a text in terminal columns. The package for non-Latin scripts is slow to load, so it is loaded on first use. */
function stringWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  const { default: widthOf } = createRequire(import.meta.url)(
    "string-width",
  ) as typeof import("string-width");
  return widthOf(text);
}

/** If the output is not a terminal, every column has its declared width. */
export function tableHeader(columns: readonly Column[]): string {
  return tableLine(columns, (column) => column.title);
}

export function tableRow(columns: readonly Column[], row: Row): string {
  return tableLine(columns, (column) => cellOf(column, row));
}

/** A cell that is wider than its column shifts the others, because an address must not be truncated. */
function tableLine(columns: readonly Column[], cell: (column: Column) => string): string {
  return joined(columns.map((column) => padded(column, cell(column), column.width)));
}

/**
 * Columns as wide as their content. Those of a continuous table begin with their declared widths, or with their
 * titles' if all together are wider than the terminal, and grow.
 */
export class FittedTable {
  readonly #columns: readonly Column[];
  readonly #widths: number[];
  readonly #paint: (line: string) => string;

  /** `paint` colours the line of a row that failed; `width`: of the terminal, columns. */
  constructor(columns: readonly Column[], width: number, paint: (line: string) => string) {
    this.#columns = columns;
    this.#paint = paint;
    const declared = columns.reduce((sum, column) => sum + column.width + 1, -1);
    this.#widths = columns.map(({ title, width: own }) =>
      declared <= width ? Math.max(own, stringWidth(title)) : stringWidth(title),
    );
  }

  header(): string {
    return this.#line((column) => column.title);
  }

  /** Lines of these rows, preceded by the header if a column had to grow. */
  rows(rows: readonly Row[]): string {
    const before = this.#widths.join();
    const lines = rows.map((row) => {
      const cells = this.#columns.map((column, i) => {
        const text = cellOf(column, row);
        this.#widths[i] = Math.max(this.#widths[i]!, stringWidth(text));
        return text;
      });
      return { cells, failed: row.error !== undefined || row.attributes["error.type"] !== undefined };
    });
    const header = this.#widths.join() === before ? "" : this.header();
    const shown = lines.map(({ cells, failed }) => {
      const line = this.#line((_, i) => cells[i]!);
      return failed ? `${this.#paint(line.trimEnd())}\n` : line;
    });
    return header + shown.join("");
  }

  #line(cell: (column: Column, i: number) => string): string {
    return joined(this.#columns.map((column, i) => padded(column, cell(column, i), this.#widths[i]!)));
  }
}

function joined(cells: readonly string[]): string {
  return `${cells.join(" ").trimEnd()}\n`;
}

function padded({ align }: Column, text: string, width: number): string {
  const blanks = " ".repeat(Math.max(0, width - stringWidth(text)));
  return align === "right" ? blanks + text : text + blanks;
}

const cellOf = (column: Column, row: Row): string => visible(String(column.cell(row) ?? "-"));

/** Processes choose their names: a comm may contain characters that move a terminal's cursor or reverse text. */
function visible(text: string): string {
  return text.replace(CONTROL, (c) => {
    const code = c.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
  });
}

export function csvHeader(columns: readonly Column[]): string {
  return `${columns.map((column) => quoted(column.title)).join(",")}\n`;
}

export function csvRow(columns: readonly Column[], row: Row): string {
  return `${columns.map((column) => quoted(visible(String(column.cell(row) ?? "")))).join(",")}\n`;
}

/** According to RFC 4180. */
const quoted = (text: string): string => (/[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
