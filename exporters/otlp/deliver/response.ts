// Parses the few messages that backends respond with, in any encoding.

/** Partial success of an Export*ServiceResponse: how many items were rejected, and why. */
export interface PartialSuccess {
  readonly rejected: number;
  readonly message: string;
}

/** The rest of a response is not stored. */
export const RESPONSE_BYTES = 256 * 1024;

const JSON_COUNTS = ["rejectedSpans", "rejectedDataPoints", "rejectedLogRecords"] as const;
const SNAKE_COUNTS = ["rejected_spans", "rejected_data_points", "rejected_log_records"] as const;

/**
 * Parses an export response to a request of `sent` items, whether it is protobuf or JSON; all three signals' have
 * the same shape. `whole` is false for the beginning of a longer one. undefined: it is neither, or has an impossible
 * number.
 */
export function readAnswer(body: Uint8Array, sent: number, whole = true): PartialSuccess | undefined {
  try {
    const said = looksLikeJson(body) ? readJson(body, whole) : readProtobuf(body, whole);
    const { rejected } = said;
    return Number.isSafeInteger(rejected) && rejected >= 0 && rejected <= sent ? said : undefined;
  } catch {
    return undefined;
  }
}

/** `{` is not the tag of any field in current protobuf. */
function looksLikeJson(body: Uint8Array): boolean {
  return body.find((byte) => byte > 0x20) === 0x7b;
}

function readJson(body: Uint8Array, whole: boolean): PartialSuccess {
  const text = Buffer.from(body).toString();
  if (!whole) return readJsonBeginning(text);
  const answer = JSON.parse(text) as Record<string, unknown>;
  const partial = own(answer, "partialSuccess") ?? own(answer, "partial_success");
  if (partial === undefined || partial === null) {
    if (Object.keys(answer).some((key) => /^errors?$/i.test(key))) throw new RangeError("an error");
    return { rejected: 0, message: "" };
  }
  if (typeof partial !== "object") throw new RangeError("partialSuccess is not an object");
  const fields = partial as Record<string, unknown>;
  const counts = [...JSON_COUNTS, ...SNAKE_COUNTS].map((key) => countOf(own(fields, key) ?? 0));
  const message = own(fields, "errorMessage") ?? own(fields, "error_message") ?? "";
  // At most one of them is present, and garbage in any makes the response invalid.
  return { rejected: counts.find((count) => count !== 0) ?? 0, message: String(message) };
}

/** protobuf's JSON form writes an int64 as text; some write a number. */
function countOf(value: unknown): number {
  if (typeof value === "number") return value;
  return typeof value === "string" && /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
}

function readJsonBeginning(text: string): PartialSuccess {
  const count = /^\s*\{\s*"partial_?[sS]uccess"\s*:\s*\{\s*"rejected_?\w+"\s*:\s*"?(\d{1,15})"?\s*[,}]/.exec(
    text,
  )?.[1];
  if (count === undefined) throw new RangeError("no count among the first bytes");
  return { rejected: Number(count), message: /"error_?[mM]essage"\s*:\s*"([^"\\]*)/.exec(text)?.[1] ?? "" };
}

function own(of: Record<string, unknown>, key: string): unknown {
  return Object.hasOwn(of, key) ? of[key] : undefined;
}

function readProtobuf(body: Uint8Array, whole: boolean): PartialSuccess {
  // Every partial success has a tag that no text contains.
  if (whole && body.length > 2 && body.every(isPrintable)) throw new RangeError("text");
  let [rejected, message, complete] = [0, "", true];
  const inner = (field: number, value: Value, cut: boolean): void => {
    if (field === 1) {
      if (typeof value !== "number") throw new RangeError("a count that is not a number");
      rejected = value;
    }
    if (field === 2) message = textOf(value);
    if (cut && field !== 2) complete = false;
    // The count may have been truncated after a long message.
    if (cut && field === 2 && rejected === 0) complete = false;
  };
  const cut = eachField(body, !whole, (field, value, isCut) => {
    if (field !== 1) return;
    if (typeof value === "number") throw new RangeError("a partial success that is a number");
    eachField(value, isCut, inner);
  });
  if (cut && !complete) throw new RangeError("no count among the first bytes");
  return { rejected, message };
}

const isPrintable = (byte: number): boolean =>
  (byte >= 0x20 && byte < 0x7f) || (byte >= 0x09 && byte <= 0x0d);

/** `message` of a google.rpc.Status. Throws RangeError on garbage. */
export function readStatusMessage(bytes: Uint8Array): string {
  return textOf(readFields(bytes).get(2) ?? EMPTY);
}

/** Milliseconds of the RetryInfo among a google.rpc.Status' details; undefined if there is none. */
export function readRetryDelay(status: Uint8Array): number | undefined {
  let delay: number | undefined;
  eachField(status, false, (field, detail) => {
    if (field !== 3 || typeof detail === "number") return;
    const any = readFields(detail);
    if (!textOf(any.get(1) ?? EMPTY).endsWith("/google.rpc.RetryInfo")) return;
    const duration = readFields(bytesOf(readFields(bytesOf(any.get(2))).get(1)));
    const seconds = duration.get(1) ?? 0;
    const nanos = duration.get(2) ?? 0;
    if (typeof seconds !== "number" || typeof nanos !== "number") return;
    const pause = seconds * 1000 + nanos / 1e6;
    // A negative number reads as a huge one.
    if (seconds < 2 ** 53 && nanos < 1e9) delay = pause;
  });
  return delay;
}

type Value = number | Uint8Array;

const EMPTY = new Uint8Array(0);

function bytesOf(value: Value | undefined): Uint8Array {
  return value instanceof Uint8Array ? value : EMPTY;
}

function textOf(value: Value): string {
  return Buffer.from(bytesOf(value)).toString();
}

/** The last value of each field. */
function readFields(bytes: Uint8Array): ReadonlyMap<number, Value> {
  const fields = new Map<number, Value>();
  eachField(bytes, false, (field, value) => fields.set(field, value));
  return fields;
}

/**
 * Calls `visit` for every field; returns whether the last one is cut off, which is allowed only for a `beginning`.
 * Throws RangeError on garbage.
 */
function eachField(
  bytes: Uint8Array,
  beginning: boolean,
  visit: (field: number, value: Value, cut: boolean) => void,
): boolean {
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
    if (field === 0) throw new RangeError("malformed protobuf message");
    if (wire === 0) {
      visit(field, varint(), false);
      continue;
    }
    const length = wire === 2 ? varint() : wire === 1 ? 8 : wire === 5 ? 4 : Number.NaN;
    const fits = at + length <= bytes.length;
    if (Number.isNaN(length) || (!fits && !beginning)) throw new RangeError("malformed protobuf message");
    if (wire === 2) visit(field, bytes.subarray(at, at + length), !fits);
    if (!fits) return true;
    at += length;
  }
  return false;
}
