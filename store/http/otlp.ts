// Reads the displayed parts of ExportTraceServiceRequest (opentelemetry/proto/trace/v1/trace.proto), as protobuf and as
// JSON. Tests: store/http/receive.test.ts.
import type { RowHead } from "../../exporters/local/columns.ts";
import { unhex } from "../hex.ts";

type Value = string | number | boolean | readonly unknown[];
export type Attributes = Record<string, Value>;

/** A span, its times in the units of RowHead. */
export interface ReceivedSpan extends Omit<RowHead, "resource"> {
  readonly name: string;
  readonly scope: string;
  readonly resource: Attributes;
  readonly attributes: Attributes;
}

/** SpanKind of OTLP as indexes of KINDS; producers and consumers count as clients and servers. */
const KIND = [0, 0, 2, 1, 1, 2];

const ERROR = 2;

/**
 * Limits of a request: spans, fields of one message, objects and arrays of JSON. What is read of it has to fit into the
 * store's small heap.
 */
const MOST = { spans: 8192, fields: 65_536, objects: 262_144 };

/** Fields of a protobuf message: the last one for numbers, all in order for bytes. */
class Message {
  readonly #numbers = new Map<number, bigint>();
  readonly #bytes = new Map<number, Uint8Array[]>();

  /** Throws RangeError for bytes that are not a message. */
  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    const varint = (): bigint => {
      let value = 0n;
      for (let shift = 0n; shift < 70n; shift += 7n) {
        const byte = bytes[at++];
        if (byte === undefined) break;
        value |= BigInt(byte & 0x7f) << shift;
        if (byte < 0x80) return value;
      }
      throw new RangeError("a number does not end");
    };
    for (let fields = 0; at < bytes.length; fields++) {
      if (fields === MOST.fields) throw new RangeError(`a message has more than ${MOST.fields} fields`);
      const key = Number(varint());
      const [field, wire] = [key >>> 3, key & 7];
      if (wire === 0) this.#numbers.set(field, varint());
      else if (wire === 1 || wire === 5) {
        const size = wire === 1 ? 8 : 4;
        if (at + size > bytes.length) throw new RangeError("a number lies beyond the end");
        this.#numbers.set(field, wire === 1 ? view.getBigUint64(at, true) : BigInt(view.getUint32(at, true)));
        at += size;
      } else if (wire === 2) {
        const size = Number(varint());
        if (at + size > bytes.length) throw new RangeError("a field lies beyond the end");
        const value = bytes.subarray(at, at + size);
        at += size;
        const all = this.#bytes.get(field);
        if (all) all.push(value);
        else this.#bytes.set(field, [value]);
      } else throw new RangeError(`unknown wire type ${wire}`);
    }
  }

  /** One after the other: at most one is in memory. */
  *messages(field: number): Generator<Message> {
    for (const bytes of this.#bytes.get(field) ?? []) yield new Message(bytes);
  }

  /** The first of a field. */
  message(field: number): Message | undefined {
    return this.messages(field).next().value;
  }

  bytes(field: number): Uint8Array {
    return this.#bytes.get(field)?.at(-1) ?? new Uint8Array(0);
  }

  text(field: number): string {
    return Buffer.from(this.bytes(field)).toString();
  }

  number(field: number): bigint {
    return this.#numbers.get(field) ?? 0n;
  }

  has(field: number): boolean {
    return this.#numbers.has(field) || this.#bytes.has(field);
  }
}

/** Throws RangeError if it is not such a request. */
export function fromProtobuf(body: Uint8Array): ReceivedSpan[] {
  const spans: ReceivedSpan[] = [];
  for (const resourceSpans of new Message(body).messages(1)) {
    const resource = resourceSpans.message(1);
    const described = resource ? attributesOf(resource, 1) : {};
    for (const scopeSpans of resourceSpans.messages(2)) {
      const scope = scopeSpans.message(1)?.text(1) ?? "";
      for (const span of scopeSpans.messages(2)) {
        requireRoom(spans);
        const status = span.message(15);
        spans.push(
          received({
            traceId: span.bytes(1),
            spanId: span.bytes(2),
            parentSpanId: span.bytes(4),
            name: span.text(5),
            kind: Number(span.number(6)),
            start: span.number(7),
            end: span.number(8),
            attributes: attributesOf(span, 9),
            error: status && Number(status.number(3)) === ERROR ? status.text(2) : undefined,
            scope,
            resource: described,
          }),
        );
      }
    }
  }
  return spans;
}

function attributesOf(message: Message, field: number): Attributes {
  return Object.fromEntries(
    message.messages(field).map((one) => [one.text(1), anyValueOf(one.message(2))] as const),
  );
}

function anyValueOf(value: Message | undefined): Value {
  if (value === undefined) return "";
  if (value.has(2)) return value.number(2) !== 0n;
  if (value.has(3)) return Number(BigInt.asIntN(64, value.number(3)));
  if (value.has(4)) {
    const bits = new DataView(new ArrayBuffer(8));
    bits.setBigUint64(0, value.number(4));
    return bits.getFloat64(0);
  }
  if (value.has(5)) return [...value.messages(5).flatMap((array) => array.messages(1).map(anyValueOf))];
  return value.text(1);
}

function requireRoom({ length }: readonly ReceivedSpan[]): void {
  if (length === MOST.spans) throw new RangeError(`a request holds at most ${MOST.spans} spans`);
}

/** The common content of both encodings of a span. */
interface Fields {
  readonly traceId: Uint8Array;
  readonly spanId: Uint8Array;
  readonly parentSpanId: Uint8Array;
  readonly name: string;
  readonly kind: number;
  /** Nanoseconds since the epoch. */
  readonly start: bigint;
  readonly end: bigint;
  readonly attributes: Attributes;
  readonly error: string | undefined;
  readonly scope: string;
  readonly resource: Attributes;
}

function received({ start, end, parentSpanId, kind, error, ...span }: Fields): ReceivedSpan {
  if (span.traceId.length !== 16 || span.spanId.length !== 8) throw new RangeError("a span has no ids");
  return {
    ...span,
    ...(parentSpanId.length === 8 && { parentSpanId }),
    kind: KIND[kind] ?? 0,
    start: Number(start / 1000n),
    duration: Number(end - start),
    error: error === "" ? "error" : error,
  };
}

interface JsonValue {
  readonly stringValue?: unknown;
  readonly boolValue?: unknown;
  readonly intValue?: unknown;
  readonly doubleValue?: unknown;
  readonly arrayValue?: { readonly values?: readonly JsonValue[] };
}
interface JsonAttribute {
  readonly key?: unknown;
  readonly value?: JsonValue;
}
interface JsonSpan {
  readonly traceId?: unknown;
  readonly spanId?: unknown;
  readonly parentSpanId?: unknown;
  readonly name?: unknown;
  readonly kind?: unknown;
  readonly startTimeUnixNano?: string | number;
  readonly endTimeUnixNano?: string | number;
  readonly attributes?: readonly JsonAttribute[];
  readonly status?: { readonly code?: unknown; readonly message?: unknown };
}
interface JsonRequest {
  readonly resourceSpans?: readonly {
    readonly resource?: { readonly attributes?: readonly JsonAttribute[] };
    readonly scopeSpans?: readonly {
      readonly scope?: { readonly name?: unknown };
      readonly spans?: readonly JsonSpan[];
    }[];
  }[];
}

/** Throws if it is not such a request. */
export function fromJson(text: string): ReceivedSpan[] {
  requireFewObjects(text);
  const request = JSON.parse(text) as JsonRequest;
  const all: ReceivedSpan[] = [];
  for (const { resource, scopeSpans } of request.resourceSpans ?? []) {
    const described = jsonAttributes(resource?.attributes);
    for (const { scope, spans } of scopeSpans ?? []) {
      for (const span of spans ?? []) {
        requireRoom(all);
        all.push(
          received({
            traceId: idOf(span.traceId, 16),
            spanId: idOf(span.spanId, 8),
            parentSpanId: span.parentSpanId ? idOf(span.parentSpanId, 8) : new Uint8Array(0),
            name: String(span.name ?? ""),
            kind: Number(span.kind ?? 0),
            start: nanosOf(span.startTimeUnixNano),
            end: nanosOf(span.endTimeUnixNano),
            attributes: jsonAttributes(span.attributes),
            error: Number(span.status?.code) === ERROR ? String(span.status?.message ?? "") : undefined,
            scope: String(scope?.name ?? ""),
            resource: described,
          }),
        );
      }
    }
  }
  return all;
}

/** Limits objects and arrays, because empty ones use forty times as much memory as their text. Brackets in strings count, too. */
function requireFewObjects(text: string): void {
  let objects = 0;
  const brackets = /[{[]/g;
  while (objects <= MOST.objects && brackets.test(text)) objects++;
  if (objects > MOST.objects) throw new RangeError(`a request holds at most ${MOST.objects} objects`);
}

/** A fixed64 as JSON: at most 20 digits. */
function nanosOf(time: string | number = 0): bigint {
  const text = String(time);
  if (!/^\d{1,20}$/.test(text)) throw new RangeError("a time is not a number of nanoseconds");
  return BigInt(text);
}

function idOf(text: unknown, length: number): Uint8Array {
  return unhex(String(text).toLowerCase(), length) ?? new Uint8Array(0);
}

function jsonAttributes(attributes: readonly JsonAttribute[] = []): Attributes {
  return Object.fromEntries(attributes.map(({ key, value }) => [String(key), jsonValue(value)]));
}

function jsonValue(value: JsonValue = {}): Value {
  if (value.boolValue !== undefined) return value.boolValue === true;
  if (value.intValue !== undefined) return Number(value.intValue);
  if (value.doubleValue !== undefined) return Number(value.doubleValue);
  if (value.arrayValue !== undefined) return (value.arrayValue.values ?? []).map(jsonValue);
  return String(value.stringValue ?? "");
}
