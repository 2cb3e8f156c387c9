// Reading one record of a connection into a JavaScript object, with every field.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { skeleton } from "../bpf/tracker/tracker.skel.ts";
import { readObject } from "../core/bridge/btf.ts";
import type { Cursor, Layout } from "../core/plugin/skeleton.ts";
import { median, type Row } from "./figures.ts";

const RECORDS = 1000;
const TIMES = 40;

type Read = (words: Uint32Array, bytes: Uint8Array, at: number) => unknown;

const copied = new Uint8Array(64 * 1024);
let end = 0;

/** Appends ids and addresses to a buffer, as the encoder does; returns the offset. */
function copy(bytes: Uint8Array): number {
  if (end + bytes.length > copied.length) end = 0;
  const begin = end;
  for (let i = 0; i < bytes.length; i++) copied[begin + i] = bytes[i]!;
  end = begin + bytes.length;
  return begin;
}

/** Source text of an object literal with the value of every getter; each nested cursor is read once. */
function objectOf(cursor: object, name: string): string {
  const getters = Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(cursor)));
  const fields = getters
    .filter(([, { get }]) => get)
    .map(([field]) => {
      const value: unknown = (cursor as Record<string, unknown>)[field];
      if (value instanceof Uint8Array) return `${field}: copy(${name}.${field})`;
      if (typeof value !== "object" || value === null) return `${field}: ${name}.${field}`;
      const inner = `${name}_${field}`;
      return `${field}: ((${inner}) => (${objectOf(value, inner)}))(${name}.${field})`;
    });
  return `{ ${fields.join(", ")} }`;
}

function generated(words: Uint32Array, bytes: Uint8Array): Read {
  const record = new skeleton.records.spans.record() as Cursor;
  record.at(words, bytes, 0);
  const object = new Function("copy", `return (r) => (${objectOf(record, "r")});`)(copy) as (
    r: Cursor,
  ) => unknown;
  return (w, b, at) => {
    record.at(w, b, at);
    return object(record);
  };
}

/** The same by interpreting the layout, as a reader without generated code would. */
function interpreted(layout: Layout, bytes: Uint8Array): Read {
  const view = new DataView(bytes.buffer);
  const decoder = new TextDecoder();
  const read = (l: Layout, at: number): unknown => {
    switch (l.kind) {
      case "int":
        if (l.size === 8) return view.getUint32(at, true) + view.getUint32(at + 4, true) * 4294967296;
        return l.size === 4
          ? view.getUint32(at, true)
          : l.size === 2
            ? view.getUint16(at, true)
            : view.getUint8(at);
      case "bool":
        return view.getUint8(at) !== 0;
      case "enum":
        return l.values.find(([, value]) => value === view.getUint32(at, true))?.[0];
      case "text": {
        const field = bytes.subarray(at, at + l.size);
        return decoder.decode(field.subarray(0, field.indexOf(0)));
      }
      case "array":
        return bytes.subarray(at, at + l.size);
      case "struct":
        return Object.fromEntries(l.fields.map((f) => [f.name, read(f.layout, at + f.offset)]));
    }
  };
  return (_words, _bytes, at) => read(layout, at);
}

/** A batch of connections of 40 processes. */
function batch(layout: Layout & { kind: "struct" }, size: number): Uint8Array {
  const bytes = new Uint8Array(RECORDS * size);
  const fill = (l: Layout, at: number, seed: number): void => {
    if (l.kind === "struct") for (const f of l.fields) fill(f.layout, at + f.offset, seed + f.offset);
    else if (l.kind === "text") bytes.set(Buffer.from(`worker-${seed % 40}`), at);
    else if (l.kind === "int") bytes[at] = seed;
  };
  for (let i = 0; i < RECORDS; i++) fill(layout, i * size, i);
  return bytes;
}

/** CPU microseconds per record. */
function time(read: Read, words: Uint32Array, bytes: Uint8Array, size: number): number {
  const begun = process.cpuUsage();
  for (let i = 0; i < TIMES; i++) {
    for (let at = 0; at < bytes.length; at += size)
      if (read(words, bytes, at) === undefined) throw new Error("nothing");
  }
  const { user, system } = process.cpuUsage(begun);
  return (user + system) / (TIMES * RECORDS);
}

export function readerRow(rounds: number): Row {
  const object = readObject(readFileSync(join(import.meta.dirname, "../bpf/tracker/tracker.bpf.o")));
  const spans = object.records.spans;
  if (spans?.kind !== "ring" || spans.record.kind !== "struct")
    throw new Error("tracker.bpf.o has no ring of spans");
  const { size } = skeleton.records.spans;
  const bytes = batch(spans.record, size);
  const words = new Uint32Array(bytes.buffer);
  const [own, peer] = [generated(words, bytes), interpreted(spans.record, bytes)];
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let round = -2; round < rounds; round++) {
    const figures = [time(own, words, bytes, size), time(peer, words, bytes, size)] as const;
    if (round < 0) continue;
    ours.push(figures[0]);
    theirs.push(figures[1]);
  }
  return {
    measure: `record of a connection (${size} bytes) to an object`,
    unit: "µs",
    ours,
    peers: [{ name: "reader that walks the layout", figures: theirs }],
    goal: "≤ 0.4",
    met: median(ours) <= 0.4,
  };
}
