// How a value is parsed from the text in a file, a variable or a flag, and how it is shown.
import { example, parseRule } from "../core/identity/rules.ts";
import { parseAddress } from "../core/plugin/address.ts";
import type { Format } from "../core/plugin/settings.ts";

/** A value as written: text, or a list or map of texts. */
export type Raw = string | readonly string[] | ReadonlyMap<string, string>;

export interface Reader<T = unknown> {
  readonly shape: "scalar" | "list" | "map";
  /** For messages: `a duration such as 500ms`. */
  readonly expected: string;
  /** Throws BadValue. */
  read(raw: Raw): T;
  /** The text that is parsed as this value. */
  show(value: T): string;
  readonly json: Readonly<Record<string, unknown>>;
}

/** The invalid part of a value. */
export class BadValue extends Error {
  readonly part: string;
  readonly expected: string;

  /** `part` is what a message shows of it, truncated if it is long. */
  constructor(part: string, expected: string) {
    super(`expected ${expected}`);
    this.part = part;
    this.expected = expected;
  }
}

function scalar<T>(
  expected: string,
  parse: (text: string) => T | undefined,
  show: (value: T) => string,
  json: Readonly<Record<string, unknown>>,
): Reader<T> {
  return {
    shape: "scalar",
    expected,
    json,
    show,
    read(raw) {
      const value = typeof raw === "string" ? parse(raw.trim()) : undefined;
      if (value === undefined)
        throw new BadValue(typeof raw === "string" ? raw : [...raw].join(","), expected);
      return value;
    },
  };
}

/** Maximum bytes of one text. */
const LONGEST_TEXT = 8192;

/** Text for which `valid` returns true, kept as written, numbers too. */
export function text(expected: string, valid: (text: string) => boolean = () => true): Reader<string> {
  return scalar(
    expected,
    (t) => {
      if (t.length > LONGEST_TEXT) throw new BadValue(t, `${expected}, at most ${LONGEST_TEXT} bytes`);
      return valid(t) ? t : undefined;
    },
    (v) => v,
    { type: ["string", "number"] },
  );
}

/** A list of at most `most` items; as one text, separated by commas. */
export function list<T>(item: Reader<T>, most = 1000): Reader<readonly T[]> {
  const expected = `a list, each ${item.expected}`;
  return {
    shape: "list",
    expected,
    json: { anyOf: [{ type: "array", items: item.json }, item.json] },
    show: (value) => value.map((v) => item.show(v)).join(","),
    read(raw) {
      if (typeof raw !== "string" && !Array.isArray(raw)) throw new BadValue("a map", expected);
      const items = typeof raw === "string" ? raw.split(",").filter((t) => t.trim() !== "") : raw;
      if (items.length > most)
        throw new BadValue(`${items.length} items`, `${expected}, at most ${most} of them`);
      return (items as readonly string[]).map((t) => item.read(t));
    },
  };
}

/** The same list, if `sizeOf` it is at most `most`; `what`: the unit of the size, for messages. */
export function atMost<T>(
  most: number,
  items: Reader<readonly T[]>,
  what = "of them",
  sizeOf = (values: readonly T[]): number => values.length,
): Reader<readonly T[]> {
  const expected = `${items.expected}, at most ${most} ${what}`;
  const fits = (values: readonly T[]): boolean => sizeOf(values) <= most;
  return {
    ...items,
    expected,
    read(raw) {
      const values = items.read(raw);
      if (!fits(values)) throw new BadValue(items.show(values), expected);
      return values;
    },
  };
}

/** The same list, if it is not empty and each number is greater than the one before. */
export function ascending(numbers: Reader<readonly number[]>): Reader<readonly number[]> {
  const expected = `${numbers.expected}, each greater than the one before`;
  const rises = (values: readonly number[]): boolean =>
    values.length > 0 && values.every((value, i) => value > (values[i - 1] ?? 0));
  return {
    ...numbers,
    expected,
    read(raw) {
      const values = numbers.read(raw);
      if (!rises(values)) throw new BadValue(numbers.show(values), expected);
      return values;
    },
  };
}

/** A map of texts; as one text `a=1,b=2`, percent-decoded as in OTEL_RESOURCE_ATTRIBUTES. */
export const map: Reader<ReadonlyMap<string, string>> = {
  shape: "map",
  expected: "a map of texts (as one text: a=1,b=2)",
  json: { type: "object", additionalProperties: { type: ["string", "number", "boolean"] } },
  show: (value) => [...value].map(([k, v]) => `${k}=${encodeURIComponent(v)}`).join(","),
  read(raw) {
    if (Array.isArray(raw)) throw new BadValue("a list", map.expected);
    const found = raw instanceof Map ? (raw as ReadonlyMap<string, string>) : pairs(raw as string);
    if (found.size > MOST_PAIRS) {
      throw new BadValue(`${found.size} keys`, `${map.expected}, at most ${MOST_PAIRS} keys`);
    }
    for (const [key, value] of found) {
      if (key.length + value.length > LONGEST_TEXT) {
        throw new BadValue(`${key}=${value}`, `${map.expected}, each of at most ${LONGEST_TEXT} bytes`);
      }
    }
    return found;
  },
};

/** Maximum number of keys of one map. */
const MOST_PAIRS = 128;

function pairs(text: string): ReadonlyMap<string, string> {
  const entries = text.split(",").filter((pair) => pair.trim() !== "");
  return new Map(
    entries.map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1) throw new BadValue(pair, map.expected);
      return [decode(pair.slice(0, at).trim()), decode(pair.slice(at + 1).trim())];
    }),
  );
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new BadValue(part, "percent-encoding");
  }
}

/** A rule that gives processes a name, kept as written. */
export const names: Reader<string> = {
  ...text(`criteria, ->, a name (${example})`, (t) => typeof parseRule(t) !== "string"),
  read(raw) {
    const rule = typeof raw === "string" ? parseRule(raw) : "one text for each mapping";
    if (typeof rule === "string") throw new BadValue(String(raw), rule);
    return String(raw).trim();
  },
};

const booleans = new Map([
  ["true", true],
  ["false", false],
]);
const boolean = scalar("true or false", (t) => booleans.get(t.toLowerCase()), String, { type: "boolean" });

/** For settings that are decided case by case unless they are set. */
export const autoOrBoolean = scalar<"auto" | boolean>(
  "auto, true or false",
  (t) => (t === "auto" ? t : booleans.get(t.toLowerCase())),
  String,
  { enum: ["auto", true, false] },
);

/** An integer of at least `least` and at most `most`. */
export function count(least = 0, most = Number.MAX_SAFE_INTEGER, expected = ""): Reader<number> {
  const bound = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  const fits = (n: number): boolean => Number.isSafeInteger(n) && n >= least && n <= most;
  return scalar(
    expected || `a whole number ${bound}`,
    (t) => (/^\d+$/.test(t) && fits(Number(t)) ? Number(t) : undefined),
    String,
    { type: "integer", minimum: least, ...(most === Number.MAX_SAFE_INTEGER ? {} : { maximum: most }) },
  );
}

/** A number from 0 to 1. */
export const fraction: Reader<number> = scalar(
  "a number from 0 to 1, such as 0.1",
  (t) =>
    /^\d{1,15}(\.\d{0,30})?([eE]-?\d{1,3})?$|^\.\d{1,30}$/.test(t) && Number(t) <= 1 ? Number(t) : undefined,
  String,
  { type: "number", minimum: 0, maximum: 1 },
);

const milliseconds: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const durationText = /^(\d{1,15}(?:\.\d{1,9})?)(ns|us|µs|ms|s|m|h)$/;

/** Milliseconds: 596 h. A timer of more than 2^31-1 ms would fire immediately. */
const LONGEST_DURATION = 596 * 3_600_000;

/** Milliseconds, of at least `least` and at most 596 h. */
export function duration(least = 0): Reader<number> {
  return scalar(
    least > 0
      ? `a duration of at least ${least}ms, such as 500ms or 10s`
      : "a duration such as 500ms, 10s or 5m",
    (t) => {
      const [, number, unit] = durationText.exec(t === "0" ? "0ms" : t) ?? [];
      if (number === undefined || unit === undefined) return undefined;
      // Divided, not multiplied, if the unit is smaller: 3 / 1000 is exact, 3 * 1e-3 is not.
      const factor = milliseconds[unit]!;
      const value = factor < 1 ? Number(number) / Math.round(1 / factor) : Number(number) * factor;
      if (value > LONGEST_DURATION) throw new BadValue(t, "a duration of at most 596h");
      return value >= least ? value : undefined;
    },
    (v) => (v >= 1000 && v % 1000 === 0 ? `${v / 1000}s` : `${v}ms`),
    { type: "string", pattern: "^(0|[0-9]+(\\.[0-9]+)?(ns|us|µs|ms|s|m|h))$" },
  );
}

const bytes: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1000,
  mb: 1e6,
  gb: 1e9,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
};

/** Bytes: 1 TiB. */
const LARGEST = 1024 ** 4;

/** Bytes for which `valid` returns true. */
export function size(
  expected = "a size such as 32MiB",
  valid = (_bytes: number): boolean => true,
): Reader<number> {
  return scalar(
    expected,
    (t) => {
      const [, number, unit] = /^(\d{1,15}(?:\.\d{1,6})?)([kmg]i?b|b)?$/i.exec(t) ?? [];
      if (number === undefined) return undefined;
      const value = Number(number) * bytes[(unit ?? "").toLowerCase()]!;
      return Number.isSafeInteger(value) && value <= LARGEST && valid(value) ? value : undefined;
    },
    (v) => {
      for (const [unit, factor] of [
        ["GiB", 1024 ** 3] as const,
        ["MiB", 1024 ** 2] as const,
        ["KiB", 1024] as const,
      ]) {
        if (v >= factor && v % factor === 0) return `${v / factor}${unit}`;
      }
      return String(v);
    },
    { type: ["string", "integer"], pattern: "^[0-9]+(\\.[0-9]+)?([kKmMgG]i?[bB]|[bB])?$" },
  );
}

/** One of `values`. */
export function oneOf<const V extends string>(...values: readonly V[]): Reader<V> {
  return scalar(
    `one of ${values.join(", ")}`,
    (t) => values.find((v) => v === t),
    (v) => v,
    { enum: values },
  );
}

function isPortRange(t: string): boolean {
  const [, low, high = low] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(t) ?? [];
  return low !== undefined && Number(low) <= Number(high) && Number(high) <= 65535;
}

function isCidr(t: string): boolean {
  const [, address = "", bits = "0"] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(t) ?? [];
  return parseAddress(address) !== undefined && Number(bits) <= (address.includes(":") ? 128 : 32);
}

export const ports = list(text("a port or a range of ports (22, 8000-8999)", isPortRange), 65_536);
export const cidrs = list(text("an address or a CIDR (10.0.0.0/8, fd00::/8)", isCidr));
const strings = list(text("a text"));

/** No plugin counts more than this, and the programs have 32 bits for it. */
const MOST_COUNTED = 1_000_000;

/** The reader of a setting that a plugin declares. */
export function readerOf(format: Format): Reader {
  if (typeof format !== "string") return oneOf(...format);
  switch (format) {
    case "boolean":
      return boolean;
    case "count":
      return count(0, MOST_COUNTED);
    case "duration":
      return duration();
    case "size":
      return size();
    case "string":
      return text("a text");
    case "strings":
      return strings;
    case "ports":
      return ports;
    case "cidrs":
      return cidrs;
  }
}
