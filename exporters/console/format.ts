// Numbers and colours for people.
import type { Time } from "../../core/plugin/signals.ts";

/** Wraps text in colour, or returns it unchanged. */
export interface Paint {
  readonly dim: (text: string) => string;
  readonly name: (text: string) => string;
  readonly error: (text: string) => string;
  readonly title: (text: string) => string;
}

const plain = (text: string): string => text;
const colour =
  (code: number) =>
  (text: string): string =>
    `\u001b[${code}m${text}\u001b[0m`;

export function paint(colours: boolean): Paint {
  if (!colours) return { dim: plain, name: plain, error: plain, title: plain };
  return { dim: colour(2), name: colour(36), error: colour(31), title: colour(7) };
}

/** The local wall-clock time, to the millisecond. */
export function clockTime({ sec, nsec }: Time): string {
  const date = new Date(sec * 1000 + Math.floor(nsec / 1e6));
  const two = (value: number): string => String(value).padStart(2, "0");
  const milliseconds = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${milliseconds}`;
}

const DURATIONS: readonly (readonly [scale: number, unit: string])[] = [
  [1, "s"],
  [1e-3, "ms"],
  [1e-6, "µs"],
];
const SIZES: readonly (readonly [scale: number, unit: string])[] = [
  [2 ** 40, "TiB"],
  [2 ** 30, "GiB"],
  [2 ** 20, "MiB"],
  [2 ** 10, "KiB"],
];
const COUNTS: readonly (readonly [scale: number, unit: string])[] = [
  [1e12, "T"],
  [1e9, "G"],
  [1e6, "M"],
  [1e4, "k"],
];

/** A value of a UCUM unit with three significant digits: `12.3 ms`, `1.5 MiB`, `42.7k packet`. */
export function quantity(value: number, unit: string): string {
  if (unit === "s") return scaled(value, DURATIONS) ?? (value === 0 ? "0 s" : `${digits(value / 1e-9)} ns`);
  if (unit === "By") return scaled(value, SIZES) ?? `${digits(value)} B`;
  const number = scaled(value, COUNTS)?.replace(" ", "") ?? digits(value);
  const noun = unit.replace(/[{}]/g, "");
  return noun === "" || noun === "1" ? number : `${number} ${noun}`;
}

function scaled(value: number, steps: readonly (readonly [number, string])[]): string | undefined {
  const size = Math.abs(value);
  for (const [scale, unit] of steps) {
    if (size >= scale) return `${digits(value / (unit === "k" ? 1000 : scale))} ${unit}`;
  }
  return undefined;
}

function digits(value: number): string {
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}
