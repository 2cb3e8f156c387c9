// The few protobuf messages that backends answer with.

/** Partial success of an Export*ServiceResponse: how many items were refused, and why. */
export interface PartialSuccess {
  readonly rejected: number;
  readonly message: string;
}

/** Reads an Export*ServiceResponse; the three signals' have one shape. Throws RangeError on nonsense. */
export function readPartialSuccess(bytes: Uint8Array): PartialSuccess {
  const inner = bytesOf(readFields(bytes).get(1));
  const fields = readFields(inner);
  const rejected = fields.get(1);
  return {
    rejected: typeof rejected === "number" ? rejected : 0,
    message: Buffer.from(bytesOf(fields.get(2))).toString(),
  };
}

/** The same of OTLP's JSON form. Throws SyntaxError or TypeError on nonsense. */
export function readJsonPartialSuccess(body: Buffer): PartialSuccess {
  const partial = JSON.parse(body.toString()).partialSuccess ?? {};
  const rejected = partial.rejectedSpans ?? partial.rejectedDataPoints ?? partial.rejectedLogRecords ?? 0;
  return { rejected: Number(rejected), message: String(partial.errorMessage ?? "") };
}

/** `message` of a google.rpc.Status. */
export function readStatusMessage(bytes: Uint8Array): string {
  return Buffer.from(bytesOf(readFields(bytes).get(2))).toString();
}

/** Milliseconds of the RetryInfo among a google.rpc.Status' details; undefined where there is none. */
export function readRetryDelay(status: Uint8Array): number | undefined {
  let delay: number | undefined;
  eachField(status, (field, detail) => {
    if (field !== 3 || typeof detail === "number") return;
    const any = readFields(detail);
    const type = Buffer.from(bytesOf(any.get(1))).toString();
    if (!type.endsWith("/google.rpc.RetryInfo")) return;
    const duration = readFields(bytesOf(readFields(bytesOf(any.get(2))).get(1)));
    const seconds = duration.get(1) ?? 0;
    const nanos = duration.get(2) ?? 0;
    if (typeof seconds === "number" && typeof nanos === "number") delay = seconds * 1000 + nanos / 1e6;
  });
  return delay;
}

type Value = number | Uint8Array;

const EMPTY = new Uint8Array(0);

function bytesOf(value: Value | undefined): Uint8Array {
  return value instanceof Uint8Array ? value : EMPTY;
}

/** The last value of each field. */
function readFields(bytes: Uint8Array): ReadonlyMap<number, Value> {
  const fields = new Map<number, Value>();
  eachField(bytes, (field, value) => fields.set(field, value));
  return fields;
}

function eachField(bytes: Uint8Array, visit: (field: number, value: Value) => void): void {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++];
      if (byte === undefined || scale > 2 ** 63) throw new RangeError("truncated protobuf message");
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const field = Math.floor(tag / 8);
    const wire = tag % 8;
    if (wire === 0) {
      visit(field, varint());
      continue;
    }
    const length = wire === 2 ? varint() : wire === 1 ? 8 : wire === 5 ? 4 : Number.NaN;
    if (!(at + length <= bytes.length)) throw new RangeError("malformed protobuf message");
    if (wire === 2) visit(field, bytes.subarray(at, at + length));
    at += length;
  }
}
