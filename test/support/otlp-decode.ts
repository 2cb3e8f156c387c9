// Decodes OTLP protobuf to plain objects, from a table of fields and independently of our writer. It is strict: fields that
// are not in the table and lengths that do not fit are errors.
import { type Field, LOG, METRIC, requestOf, type Scalar, type Schema, SPAN } from "./otlp-fields.ts";
import { Reader, text } from "./protobuf-reader.ts";

export type AttributeKind =
  | "string"
  | "int"
  | "double"
  | "boolean"
  | "bytes"
  | "kvlist"
  | "empty"
  | `${string}[]`;
export type Decoded =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly Decoded[]
  | { [key: string]: Decoded };

export interface Attributed {
  readonly attributes: Readonly<Record<string, Decoded>>;
  /** Wire types by attribute, since 1 as an int and 1 as a double look alike in JavaScript. */
  readonly types: Readonly<Record<string, AttributeKind>>;
  /** Keys that occurred more than once. */
  readonly repeated: readonly string[];
}

export interface DecodedResource extends Attributed {}

export interface DecodedScope extends Attributed {
  readonly name: string;
  readonly version: string;
}

export interface DecodedLink extends Attributed {
  readonly traceId: string;
  readonly spanId: string;
  readonly flags: number;
}

export interface DecodedSpan extends Attributed {
  /** Lower-case hex, "" if absent. */
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: bigint;
  readonly endTimeUnixNano: bigint;
  readonly links: readonly DecodedLink[];
  readonly status: { readonly code: number; readonly message: string } | undefined;
  readonly flags: number;
}

export interface DecodedNumberPoint extends Attributed {
  readonly startTimeUnixNano: bigint;
  readonly timeUnixNano: bigint;
  readonly asInt: bigint | undefined;
  readonly asDouble: number | undefined;
}

export interface DecodedExemplar extends Attributed {
  readonly timeUnixNano: bigint;
  readonly asDouble: number | undefined;
  readonly spanId: string;
  readonly traceId: string;
}

export interface DecodedHistogramPoint extends Attributed {
  readonly startTimeUnixNano: bigint;
  readonly timeUnixNano: bigint;
  readonly count: bigint;
  readonly sum: number | undefined;
  readonly scale: number;
  readonly zeroCount: bigint;
  readonly zeroThreshold: number;
  readonly positive: { readonly offset: number; readonly bucketCounts: readonly bigint[] } | undefined;
  readonly exemplars: readonly DecodedExemplar[];
  readonly min: number | undefined;
  readonly max: number | undefined;
}

export interface DecodedExplicitPoint extends Attributed {
  readonly startTimeUnixNano: bigint;
  readonly timeUnixNano: bigint;
  readonly count: bigint;
  readonly sum: number | undefined;
  readonly bucketCounts: readonly bigint[];
  readonly explicitBounds: readonly number[];
  readonly exemplars: readonly DecodedExemplar[];
  readonly min: number | undefined;
  readonly max: number | undefined;
}

export interface DecodedMetric {
  readonly name: string;
  readonly description: string;
  readonly unit: string;
  /** Points without a value, which mark the end of their series. */
  readonly ended: readonly (Attributed & { readonly timeUnixNano: bigint })[];
  readonly gauge?: { readonly dataPoints: readonly DecodedNumberPoint[] };
  readonly sum?: {
    readonly dataPoints: readonly DecodedNumberPoint[];
    readonly aggregationTemporality: number;
    readonly isMonotonic: boolean;
  };
  readonly histogram?: {
    readonly dataPoints: readonly DecodedExplicitPoint[];
    readonly aggregationTemporality: number;
  };
  readonly exponentialHistogram?: {
    readonly dataPoints: readonly DecodedHistogramPoint[];
    readonly aggregationTemporality: number;
  };
}

export interface DecodedLog extends Attributed {
  readonly timeUnixNano: bigint;
  readonly observedTimeUnixNano: bigint;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly body: Decoded | undefined;
  readonly eventName: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly flags: number;
}

interface OfScope {
  readonly scope: DecodedScope;
  readonly schemaUrl: string;
}

interface OfResource {
  readonly resource: DecodedResource;
  readonly schemaUrl: string;
}

export interface DecodedTraces {
  readonly resourceSpans: readonly (OfResource & {
    readonly scopeSpans: readonly (OfScope & { readonly spans: readonly DecodedSpan[] })[];
  })[];
}

export interface DecodedMetrics {
  readonly resourceMetrics: readonly (OfResource & {
    readonly scopeMetrics: readonly (OfScope & { readonly metrics: readonly DecodedMetric[] })[];
  })[];
}

export interface DecodedLogs {
  readonly resourceLogs: readonly (OfResource & {
    readonly scopeLogs: readonly (OfScope & { readonly logRecords: readonly DecodedLog[] })[];
  })[];
}

/** Decodes an ExportTraceServiceRequest; throws on anything malformed or unknown. */
export function decodeTraces(bytes: Uint8Array): DecodedTraces {
  return message(bytes, requestOf("Spans", "spans", SPAN)) as unknown as DecodedTraces;
}

/** Of DataPointFlags. */
const NO_RECORDED_VALUE = 1;

/** Decodes an ExportMetricsServiceRequest; throws on anything malformed or unknown. */
export function decodeMetrics(bytes: Uint8Array): DecodedMetrics {
  const request = message(bytes, requestOf("Metrics", "metrics", METRIC)) as unknown as DecodedMetrics;
  const all = request.resourceMetrics.flatMap(({ scopeMetrics }) =>
    scopeMetrics.flatMap(({ metrics }) => metrics),
  );
  for (const metric of all) setEndsApart(metric as unknown as Message);
  return request;
}

/** Moves points with NO_RECORDED_VALUE from a metric's data to `ended`; throws if one has a value. */
function setEndsApart(metric: Message): void {
  const ended: Message[] = [];
  for (const data of [metric.gauge, metric.sum, metric.histogram, metric.exponentialHistogram]) {
    const { dataPoints = [] } = (data ?? {}) as { dataPoints?: Message[] };
    const ends = dataPoints.filter(({ flags }) => flags === NO_RECORDED_VALUE);
    for (const { asInt, asDouble, count, sum } of ends)
      if (asInt !== undefined || asDouble !== undefined || count || sum)
        throw new Error("an end with a value");
    ended.push(...ends);
    if (data) Object.assign(data, { dataPoints: dataPoints.filter((point) => !ends.includes(point)) });
  }
  metric.ended = ended;
}

/** Decodes an ExportLogsServiceRequest; throws on anything malformed or unknown. */
export function decodeLogs(bytes: Uint8Array): DecodedLogs {
  return message(bytes, requestOf("Logs", "logRecords", LOG)) as unknown as DecodedLogs;
}

type Message = Record<string, unknown>;

const ZERO: Readonly<Record<Exclude<Field["type"], Schema>, unknown>> = {
  uint: 0,
  int64: 0n,
  sint: 0,
  bool: false,
  fixed32: 0,
  fixed64: 0n,
  sfixed64: 0n,
  double: 0,
  string: "",
  hex: "",
  any: undefined,
  attributes: undefined,
  packed: [],
  fixed64s: [],
  doubles: [],
};

function message(bytes: Uint8Array, schema: Schema): Message {
  const reader = new Reader(bytes);
  const result: Message = {};
  const pairs: (readonly [string, AttributeKind, Decoded])[] = [];
  for (const field of Object.values(schema)) {
    if (field.repeated) result[field.name] = [];
    else if (!field.optional && typeof field.type === "string") result[field.name] = ZERO[field.type];
    else if (!field.optional) result[field.name] = undefined;
  }
  while (!reader.done) {
    const [number, wire] = reader.tag();
    const field = schema[number];
    if (field === undefined) throw new Error(`unknown field ${number}`);
    if (field.type === "attributes") {
      pairs.push(keyValue(reader.delimited(wire, field.name)));
      continue;
    }
    const value = decodeField(reader, field, wire);
    if (field.repeated) (result[field.name] as unknown[]).push(value);
    else result[field.name] = value;
  }
  if ("attributes" in result) Object.assign(result, attributed(pairs));
  return result;
}

function attributed(pairs: readonly (readonly [string, AttributeKind, Decoded])[]): Attributed {
  const attributes: Record<string, Decoded> = {};
  const types: Record<string, AttributeKind> = {};
  const repeated: string[] = [];
  for (const [key, type, value] of pairs) {
    if (Object.hasOwn(attributes, key)) repeated.push(key);
    attributes[key] = value;
    types[key] = type;
  }
  return { attributes, types, repeated };
}

const WIRE_OF: Readonly<Partial<Record<Scalar, number>>> = {
  uint: 0,
  int64: 0,
  sint: 0,
  bool: 0,
  fixed64: 1,
  sfixed64: 1,
  double: 1,
  fixed32: 5,
};

function decodeField(reader: Reader, { name, type }: Field, wire: number): unknown {
  if (typeof type === "object") return message(reader.delimited(wire, name), type);
  if (type === "any") return anyValue(reader.delimited(wire, name))[1];
  if (type === "string") return text(reader.delimited(wire, name));
  if (type === "hex") return Buffer.from(reader.delimited(wire, name)).toString("hex");
  if (type === "packed") {
    const inner = new Reader(reader.delimited(wire, name));
    const values: bigint[] = [];
    while (!inner.done) values.push(inner.varint());
    return values;
  }
  if (type === "fixed64s" || type === "doubles") {
    const inner = new Reader(reader.delimited(wire, name));
    const values: unknown[] = [];
    while (!inner.done) values.push(scalar(inner, type === "doubles" ? "double" : "fixed64"));
    return values;
  }
  if (type === "attributes" || WIRE_OF[type] !== wire) throw new Error(`${name}: wire type ${wire}`);
  return scalar(reader, type);
}

function scalar(reader: Reader, type: Scalar): unknown {
  switch (type) {
    case "uint":
      return Number(reader.varint());
    case "int64":
      return BigInt.asIntN(64, reader.varint());
    case "sint": {
      const value = reader.varint();
      return Number((value >> 1n) ^ -(value & 1n));
    }
    case "bool":
      return reader.varint() !== 0n;
    case "fixed32":
      return reader.view(4).getUint32(0, true);
    case "fixed64":
      return reader.view(8).getBigUint64(0, true);
    case "sfixed64":
      return reader.view(8).getBigInt64(0, true);
    case "double":
      return reader.view(8).getFloat64(0, true);
    default:
      throw new Error(`${type} is no scalar of fixed width`);
  }
}

function keyValue(bytes: Uint8Array): readonly [string, AttributeKind, Decoded] {
  const reader = new Reader(bytes);
  let key = "";
  let value: readonly [AttributeKind, Decoded] = ["empty", null];
  while (!reader.done) {
    const [number, wire] = reader.tag();
    const inner = reader.delimited(wire, "KeyValue");
    if (number === 1) key = text(inner);
    else if (number === 2) value = anyValue(inner);
    else throw new Error(`unknown field ${number} of KeyValue`);
  }
  return [key, ...value];
}

function anyValue(bytes: Uint8Array): readonly [AttributeKind, Decoded] {
  const reader = new Reader(bytes);
  let result: readonly [AttributeKind, Decoded] = ["empty", null];
  while (!reader.done) {
    const [number, wire] = reader.tag();
    if (number === 1) result = ["string", text(reader.delimited(wire, "string"))];
    else if (number === 2 && wire === 0) result = ["boolean", reader.varint() !== 0n];
    else if (number === 3 && wire === 0) result = ["int", integer(BigInt.asIntN(64, reader.varint()))];
    else if (number === 4 && wire === 1) result = ["double", reader.view(8).getFloat64(0, true)];
    else if (number === 5) result = arrayValue(reader.delimited(wire, "array"));
    else if (number === 6) result = kvlist(reader.delimited(wire, "kvlist"));
    else if (number === 7) result = ["bytes", Buffer.from(reader.delimited(wire, "bytes")).toString("hex")];
    else throw new Error(`unknown field ${number} (wire type ${wire}) of AnyValue`);
  }
  return result;
}

function arrayValue(bytes: Uint8Array): readonly [AttributeKind, Decoded] {
  const reader = new Reader(bytes);
  const values: Decoded[] = [];
  const types = new Set<string>();
  while (!reader.done) {
    const [number, wire] = reader.tag();
    if (number !== 1) throw new Error(`unknown field ${number} of ArrayValue`);
    const [type, value] = anyValue(reader.delimited(wire, "values"));
    types.add(type);
    values.push(value);
  }
  return [`${[...types].join("|") || "string"}[]`, values];
}

function kvlist(bytes: Uint8Array): readonly [AttributeKind, Decoded] {
  const reader = new Reader(bytes);
  const result: Record<string, Decoded> = {};
  while (!reader.done) {
    const [key, , value] = keyValue(reader.delimited(reader.tag()[1], "values"));
    result[key] = value;
  }
  return ["kvlist", result];
}

function integer(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
