// The one filter of all screens: `service:web not peer:10.0.0.0/8 connect>800ms`. Tests: store/query/filter.test.ts.
import { BlockList, isIPv6 } from "node:net";
import { suggestion } from "../../core/base/suggest.ts";

/** The fields of a connection, or of an edge, that a filter tests. Absent: not known. */
export interface Subject {
  text(field: TextField): string | undefined;
  number(field: NumberField): number | undefined;
}

export const TEXT_FIELDS = [
  "service",
  "process",
  "pid",
  "uid",
  "peer",
  "port",
  "netns",
  "container",
  "direction",
  "cause",
  "ended",
] as const;
export type TextField = (typeof TEXT_FIELDS)[number];

/** Times in seconds, sizes in bytes, the others are counts. */
export const NUMBER_FIELDS = ["connect", "queue", "rtt", "life", "sent", "received", "retransmits"] as const;
export type NumberField = (typeof NUMBER_FIELDS)[number];

/** Fields of edges, which sums can answer. */
const EDGE_FIELDS: readonly string[] = ["service", "peer", "port", "direction"];

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  us: 1e-6,
  µs: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  B: 1,
};

/** Why a filter is invalid, for the user. */
export class FilterError extends Error {}

export interface Filter {
  /** The filter in its normal form. */
  readonly text: string;
  /** Whether sums by edge can answer it. */
  readonly isOfEdges: boolean;
  matches(subject: Subject): boolean;
}

interface Term {
  readonly field: string;
  matches(subject: Subject): boolean;
}

/** Throws FilterError. Terms of the same field and without `not` are alternatives; all else must hold. */
export function parseFilter(text: string): Filter {
  const terms: { term: Term; negated: boolean }[] = [];
  let negated = false;
  for (const word of text.match(/(?:[^\s"]|"[^"]*")+/g) ?? []) {
    if (word === "not" && !negated) negated = true;
    else {
      terms.push({ term: termOf(word), negated });
      negated = false;
    }
  }
  if (negated) throw new FilterError("not is followed by nothing");
  const alternatives = [
    ...Map.groupBy(
      terms.filter((one) => !one.negated),
      ({ term }) => term.field,
    ).values(),
  ];
  const excluded = terms.filter((one) => one.negated);
  return {
    text: text.trim().replace(/\s+/g, " "),
    isOfEdges: terms.every(({ term }) => EDGE_FIELDS.includes(term.field)),
    matches: (subject) =>
      alternatives.every((group) => group.some(({ term }) => term.matches(subject))) &&
      !excluded.some(({ term }) => term.matches(subject)),
  };
}

function termOf(word: string): Term {
  const parts = /^(?<field>[a-z]+)(?<sign>[:=<>])(?<value>.+)$/.exec(word)?.groups;
  if (parts === undefined)
    throw new FilterError(`${word} is not a filter: write field:value, such as service:web`);
  const field = parts.field!;
  const value = parts.value!.replaceAll('"', "");
  const isNumber = (NUMBER_FIELDS as readonly string[]).includes(field);
  if (!isNumber && !(TEXT_FIELDS as readonly string[]).includes(field)) {
    const fields = [...TEXT_FIELDS, ...NUMBER_FIELDS];
    throw new FilterError(
      `there is no field ${field}${suggestion(field, fields, `fields are ${fields.join(", ")}`)}`,
    );
  }
  const compares = parts.sign === "<" || parts.sign === ">";
  if (compares !== isNumber)
    throw new FilterError(
      `${field} is ${isNumber ? "compared by < or >" : "given by :"}, as in ${example(field, isNumber)}`,
    );
  if (isNumber) return comparison(field as NumberField, parts.sign!, value);
  if (field === "peer" && value.includes("/") && !parts.value!.includes('"')) return within(blockOf(value));
  return equality(field as TextField, value);
}

function example(field: string, isNumber: boolean): string {
  return isNumber ? `${field}>100ms` : `${field}:value`;
}

function comparison(field: NumberField, sign: string, value: string): Term {
  const parts = /^(?<number>\d+(?:\.\d+)?)(?<unit>\D*)$/.exec(value)?.groups;
  const unit = parts && UNITS[parts.unit!];
  if (parts === undefined || unit === undefined)
    throw new FilterError(`${value} is not a number with a unit, such as 800ms`);
  const bound = Number(parts.number) * unit;
  // One factor per field: two bounds make a range.
  return {
    field: `${field}${sign}`,
    matches: (subject) => {
      const actual = subject.number(field);
      return actual !== undefined && (sign === ">" ? actual > bound : actual < bound);
    },
  };
}

function within(block: BlockList): Term {
  return {
    field: "peer",
    matches: (subject) => {
      const peer = subject.text("peer") ?? "";
      return block.check(peer, isIPv6(peer) ? "ipv6" : "ipv4");
    },
  };
}

function equality(field: TextField, value: string): Term {
  if (!value.includes("*")) return { field, matches: (subject) => subject.text(field) === value };
  const parts = value.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const pattern = new RegExp(`^${parts.join(".*")}$`, "s");
  return { field, matches: (subject) => pattern.test(subject.text(field) ?? "") };
}

function blockOf(value: string): BlockList {
  const [address = "", prefix = ""] = value.split("/");
  const block = new BlockList();
  try {
    block.addSubnet(address, Number(prefix), isIPv6(address) ? "ipv6" : "ipv4");
  } catch {
    throw new FilterError(`${value} is not a block of addresses, such as 10.0.0.0/8`);
  }
  return block;
}
