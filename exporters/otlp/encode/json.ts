// OTLP's JSON form, converted from the protobuf bytes: one encoder serves all, and JSON is for backends that accept
// nothing else. Ids are hex, 64-bit integers decimal text, enums numbers, as OTLP requires.
import type { Signal } from "../../config.ts";

type Scalar =
  | "text"
  | "hex"
  | "fixed64"
  | "sfixed64"
  | "fixed32"
  | "double"
  | "uint"
  | "int64"
  | "sint"
  | "bool";
type Packed = "fixed64s" | "doubles" | "uint64s";
type Field = readonly [name: string, type: Scalar | Packed | Schema, repeated?: "repeated"];
/** Fields by number: those that our writers write. */
interface Schema {
  readonly [field: number]: Field;
}

const ANY: { [field: number]: Field } = {
  1: ["stringValue", "text"],
  2: ["boolValue", "bool"],
  3: ["intValue", "int64"],
  4: ["doubleValue", "double"],
};
ANY[5] = ["arrayValue", { 1: ["values", ANY, "repeated"] }];
const ATTRIBUTES: Field = ["attributes", { 1: ["key", "text"], 2: ["value", ANY] }, "repeated"];
const SPAN: Schema = {
  1: ["traceId", "hex"],
  2: ["spanId", "hex"],
  3: ["traceState", "text"],
  4: ["parentSpanId", "hex"],
  5: ["name", "text"],
  6: ["kind", "uint"],
  7: ["startTimeUnixNano", "fixed64"],
  8: ["endTimeUnixNano", "fixed64"],
  9: ATTRIBUTES,
  13: ["links", { 1: ["traceId", "hex"], 2: ["spanId", "hex"], 6: ["flags", "fixed32"] }, "repeated"],
  15: ["status", { 2: ["message", "text"], 3: ["code", "uint"] }],
  16: ["flags", "fixed32"],
};
const LOG: Schema = {
  1: ["timeUnixNano", "fixed64"],
  2: ["severityNumber", "uint"],
  5: ["body", ANY],
  6: ATTRIBUTES,
  8: ["flags", "fixed32"],
  9: ["traceId", "hex"],
  10: ["spanId", "hex"],
  11: ["observedTimeUnixNano", "fixed64"],
  12: ["eventName", "text"],
};
const TIMES: Schema = { 2: ["startTimeUnixNano", "fixed64"], 3: ["timeUnixNano", "fixed64"] };
const NUMBERS: Field = [
  "dataPoints",
  { ...TIMES, 4: ["asDouble", "double"], 6: ["asInt", "sfixed64"], 7: ATTRIBUTES, 8: ["flags", "uint"] },
  "repeated",
];
const EXEMPLARS: Field = [
  "exemplars",
  {
    2: ["timeUnixNano", "fixed64"],
    3: ["asDouble", "double"],
    4: ["spanId", "hex"],
    5: ["traceId", "hex"],
  },
  "repeated",
];
const EXPLICIT: Schema = {
  ...TIMES,
  4: ["count", "fixed64"],
  5: ["sum", "double"],
  6: ["bucketCounts", "fixed64s"],
  7: ["explicitBounds", "doubles"],
  8: EXEMPLARS,
  9: ATTRIBUTES,
  10: ["flags", "uint"],
  11: ["min", "double"],
  12: ["max", "double"],
};
const EXPONENTIAL: Schema = {
  ...TIMES,
  1: ATTRIBUTES,
  4: ["count", "fixed64"],
  5: ["sum", "double"],
  6: ["scale", "sint"],
  7: ["zeroCount", "fixed64"],
  10: ["flags", "uint"],
  8: ["positive", { 1: ["offset", "sint"], 2: ["bucketCounts", "uint64s"] }],
  11: EXEMPLARS,
  12: ["min", "double"],
  13: ["max", "double"],
  14: ["zeroThreshold", "double"],
};
const TEMPORALITY: Field = ["aggregationTemporality", "uint"];
const METRIC: Schema = {
  1: ["name", "text"],
  2: ["description", "text"],
  3: ["unit", "text"],
  5: ["gauge", { 1: NUMBERS }],
  7: ["sum", { 1: NUMBERS, 2: TEMPORALITY, 3: ["isMonotonic", "bool"] }],
  9: ["histogram", { 1: ["dataPoints", EXPLICIT, "repeated"], 2: TEMPORALITY }],
  10: ["exponentialHistogram", { 1: ["dataPoints", EXPONENTIAL, "repeated"], 2: TEMPORALITY }],
};

function requestOf(signal: string, items: string, item: Schema): Schema {
  const url: Field = ["schemaUrl", "text"];
  const scope: Schema = {
    1: ["scope", { 1: ["name", "text"], 2: ["version", "text"] }],
    2: [items, item, "repeated"],
    3: url,
  };
  const resource: Schema = {
    1: ["resource", { 1: ATTRIBUTES }],
    2: [`scope${signal}`, scope, "repeated"],
    3: url,
  };
  return { 1: [`resource${signal}`, resource, "repeated"] };
}

const REQUESTS: Readonly<Record<Signal, Schema>> = {
  traces: requestOf("Spans", "spans", SPAN),
  metrics: requestOf("Metrics", "metrics", METRIC),
  logs: requestOf("Logs", "logRecords", LOG),
};

/** An export request of ours as JSON text. Throws RangeError for bytes that our writers do not write. */
export function toJson(signal: Signal, bytes: Buffer): Buffer {
  return Buffer.from(JSON.stringify(new Reader(bytes).message(REQUESTS[signal])));
}

class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  message(schema: Schema): object {
    const result: Record<string, unknown> = {};
    while (this.#at < this.#bytes.length) {
      const number = Number(this.#varint() >> 3n);
      const field = schema[number];
      if (field === undefined) throw new RangeError(`field ${number} is unknown`);
      const [name, type, repeated] = field;
      const value =
        typeof type === "object" ? new Reader(this.#delimited()).message(type) : this.#value(type);
      if (!repeated) result[name] = value;
      else if (Array.isArray(result[name])) result[name].push(value);
      else result[name] = [value];
    }
    return result;
  }

  #value(type: Scalar | Packed): unknown {
    switch (type) {
      case "text":
        return this.#delimited().toString();
      case "hex":
        return this.#delimited().toString("hex");
      case "uint":
        return Number(this.#varint());
      case "bool":
        return this.#varint() !== 0n;
      case "sint": {
        const value = this.#varint();
        return Number((value >> 1n) ^ -(value & 1n));
      }
      case "int64":
        return BigInt.asIntN(64, this.#varint()).toString();
      case "fixed32":
        return this.#skip(4, this.#bytes.readUInt32LE(this.#at));
      case "fixed64":
        return this.#skip(8, this.#bytes.readBigUInt64LE(this.#at).toString());
      case "sfixed64":
        return this.#skip(8, this.#bytes.readBigInt64LE(this.#at).toString());
      case "double":
        return this.#skip(8, inJson(this.#bytes.readDoubleLE(this.#at)));
      default:
        return new Reader(this.#delimited()).#items(type);
    }
  }

  #items(type: Packed): readonly unknown[] {
    const items: unknown[] = [];
    while (this.#at < this.#bytes.length) {
      if (type === "uint64s") items.push(this.#varint().toString());
      else items.push(this.#value(type === "doubles" ? "double" : "fixed64"));
    }
    return items;
  }

  #skip<T>(width: number, value: T): T {
    this.#at += width;
    return value;
  }

  #varint(): bigint {
    const bytes = this.#bytes;
    // Nearly all fit into a number: up to seven bytes, 49 bits.
    let value = 0;
    for (let scale = 1; scale <= 2 ** 42; scale *= 128) {
      const byte = bytes[this.#at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return BigInt(value);
    }
    let rest = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[this.#at++]!;
      rest |= BigInt(byte & 127) << shift;
      if (byte < 128) return (BigInt(value) | (rest << 49n)) & 0xffff_ffff_ffff_ffffn;
    }
  }

  #delimited(): Buffer {
    const length = Number(this.#varint());
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}

/** Protobuf's JSON form uses words for numbers that JSON cannot express. */
function inJson(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}
