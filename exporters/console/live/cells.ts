// Numbers and text in the few cells of a table's column.
import stringWidth from "string-width";

/** Truncated to `width` cells, with an ellipsis if something is missing, and padded with blanks. */
export function fit(text: string, width: number, align: "left" | "right" = "left"): string {
  const shown = cut(text, width);
  const blanks = " ".repeat(Math.max(0, width - stringWidth(shown)));
  return align === "left" ? shown + blanks : blanks + shown;
}

/** At most `width` cells; wide characters take two. */
export function cut(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let shown = "";
  let used = 0;
  for (const character of text) {
    const size = stringWidth(character);
    if (used + size > width - 1) break;
    shown += character;
    used += size;
  }
  return width > 0 ? `${shown}…` : "";
}

/** `999`, `12.3k`, `4.56M`; `-` for nothing at all. */
export function shortCount(value: number): string {
  if (value === 0) return "-";
  if (value < 1) return value.toFixed(1);
  return short(value, 1000, ["", "k", "M", "G", "T"], 10_000);
}

/** `999`, `1.5K`, `23M` by powers of 1,024; `-` for none. */
export function shortBytes(value: number): string {
  return value < 0.5 ? "-" : short(value, 1024, ["", "K", "M", "G", "T"], 1024);
}

/** `870µs`, `12ms`, `1.5s`; `-` if not known. */
export function shortTime(seconds: number | undefined): string {
  if (seconds === undefined) return "-";
  if (seconds < 1e-3) return `${(seconds * 1e6).toFixed(0)}µs`;
  if (seconds < 1) return `${digits(seconds * 1e3)}ms`;
  return `${digits(seconds)}s`;
}

/** Exact, with separators. */
export function exact(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function short(value: number, base: number, units: readonly string[], from: number): string {
  if (value < from) return String(Math.round(value));
  const power = Math.min(units.length - 1, Math.floor(Math.log(value) / Math.log(base)));
  return `${digits(value / base ** power)}${units[power]}`;
}

function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(value >= 10 ? 3 : 2)));
}
