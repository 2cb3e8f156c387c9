// Parts of an export request that is too large for its backend.
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { Signal } from "../../config.ts";
import type { Part } from "../deliver/queue.ts";
import { compressed } from "./batch.ts";
import { Writer } from "./writer.ts";

const decompress = promisify(gunzip);

/** The numbers of the fields that lead to the items: resource, scope, item; a metric's data, its points. */
type Path = readonly (readonly number[])[];

const PATHS: Readonly<Record<Signal, Path>> = {
  traces: [[1], [2], [2]],
  logs: [[1], [2], [2]],
  metrics: [[1], [2], [2], [5, 7, 9, 10], [1]],
};

/** The same in OTLP's JSON form. */
const NAMES: Readonly<Record<Signal, readonly (readonly string[])[]>> = {
  traces: [["resourceSpans"], ["scopeSpans"], ["spans"]],
  logs: [["resourceLogs"], ["scopeLogs"], ["logRecords"]],
  metrics: [
    ["resourceMetrics"],
    ["scopeMetrics"],
    ["metrics"],
    ["gauge", "sum", "histogram", "exponentialHistogram"],
    ["dataPoints"],
  ],
};

/** Both halves of a request of `count` items as sent; undefined for a single item. */
export async function halves(
  signal: Signal,
  payload: Buffer,
  count: number,
): Promise<readonly Part<Buffer>[] | undefined> {
  if (count < 2) return undefined;
  const gzipped = payload[0] === 0x1f && payload[1] === 0x8b;
  const bytes = gzipped ? await decompress(payload) : payload;
  const middle = count >> 1;
  const parts = [
    [0, middle],
    [middle, count],
  ] as const;
  return Promise.all(
    parts.map(async ([from, to]) => {
      const part =
        bytes[0] === 0x7b ? jsonPart(signal, bytes, from, to) : protobufPart(signal, bytes, from, to);
      const packed = gzipped ? await compressed(part) : part;
      return { payload: packed, count: to - from, size: packed.length, plainSize: part.length };
    }),
  );
}

/** The items from `from` up to `to`, with their resources and scopes. */
function protobufPart(signal: Signal, bytes: Buffer, from: number, to: number): Buffer {
  let seen = 0;
  const reduce = (message: Buffer, path: Path): { bytes: Buffer; items: number } => {
    const [numbers = [], ...below] = path;
    const kept: Buffer[] = [];
    let items = 0;
    for (const { number, start, content, end } of fields(message)) {
      if (!numbers.includes(number)) {
        kept.push(message.subarray(start, end));
        continue;
      }
      if (below.length === 0) {
        if (seen >= from && seen < to) {
          kept.push(message.subarray(start, end));
          items++;
        }
        seen++;
        continue;
      }
      const inner = reduce(message.subarray(content, end), below);
      items += inner.items;
      if (inner.items > 0) kept.push(delimited(number, inner.bytes));
    }
    return { bytes: Buffer.concat(kept), items };
  };
  return reduce(bytes, PATHS[signal]).bytes;
}

function delimited(number: number, bytes: Buffer): Buffer {
  const writer = new Writer(Buffer.allocUnsafeSlow(bytes.length + 16));
  writer.varint(number * 8 + 2);
  writer.varint(bytes.length);
  writer.raw(bytes);
  return writer.bytes.subarray(0, writer.at);
}

interface Field {
  readonly number: number;
  /** The start of its tag, its content, and what follows. */
  readonly start: number;
  readonly content: number;
  readonly end: number;
}

/** The fields of a message of ours. */
function* fields(message: Buffer): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const start = at;
    const tag = varint();
    const wire = tag % 8;
    if (wire === 0) varint();
    const length = wire === 2 ? varint() : wire === 1 ? 8 : wire === 5 ? 4 : 0;
    const content = at;
    at += length;
    yield { number: tag >> 3, start, content, end: at };
  }
}

type Json = { [key: string]: unknown };

function jsonPart(signal: Signal, bytes: Buffer, from: number, to: number): Buffer {
  let seen = 0;
  const reduce = (message: Json, names: readonly (readonly string[])[]): { message: Json; items: number } => {
    const [keys = [], ...below] = names;
    const copy: Json = { ...message };
    let items = 0;
    for (const key of keys) {
      const value = message[key];
      if (value === undefined) continue;
      const list = Array.isArray(value) ? (value as Json[]) : [value as Json];
      const kept = list.flatMap((each) => {
        if (below.length === 0) {
          const within = seen >= from && seen < to;
          seen++;
          items += within ? 1 : 0;
          return within ? [each] : [];
        }
        const inner = reduce(each, below);
        items += inner.items;
        return inner.items > 0 ? [inner.message] : [];
      });
      copy[key] = Array.isArray(value) ? kept : kept[0];
    }
    return { message: copy, items };
  };
  return Buffer.from(JSON.stringify(reduce(JSON.parse(bytes.toString()) as Json, NAMES[signal]).message));
}
