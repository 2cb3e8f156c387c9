// The fields of OTLP's messages, by number.
export type Scalar =
  | "uint"
  | "int64"
  | "sint"
  | "bool"
  | "fixed32"
  | "fixed64"
  | "sfixed64"
  | "double"
  | "string"
  | "hex";

export interface Field {
  readonly name: string;
  readonly type: Scalar | "any" | "attributes" | "packed" | "fixed64s" | "doubles" | Schema;
  readonly repeated?: boolean;
  /** Optional fields, undefined if absent; for all others, absent means the zero value. */
  readonly optional?: boolean;
}

export type Schema = Readonly<Record<number, Field>>;

const one = (name: string, type: Field["type"]): Field => ({ name, type });
const many = (name: string, type: Field["type"]): Field => ({ name, type, repeated: true });
const maybe = (name: string, type: Field["type"]): Field => ({ name, type, optional: true });

const ATTRIBUTES = one("attributes", "attributes");
const DROPPED = one("droppedAttributesCount", "uint");
const RESOURCE: Schema = { 1: ATTRIBUTES, 2: DROPPED };
const SCOPE: Schema = { 1: one("name", "string"), 2: one("version", "string"), 3: ATTRIBUTES, 4: DROPPED };
const LINK: Schema = {
  1: one("traceId", "hex"),
  2: one("spanId", "hex"),
  3: one("traceState", "string"),
  4: ATTRIBUTES,
  5: DROPPED,
  6: one("flags", "fixed32"),
};
const SPAN_EVENT: Schema = {
  1: one("timeUnixNano", "fixed64"),
  2: one("name", "string"),
  3: ATTRIBUTES,
  4: DROPPED,
};
export const SPAN: Schema = {
  1: one("traceId", "hex"),
  2: one("spanId", "hex"),
  3: one("traceState", "string"),
  4: one("parentSpanId", "hex"),
  5: one("name", "string"),
  6: one("kind", "uint"),
  7: one("startTimeUnixNano", "fixed64"),
  8: one("endTimeUnixNano", "fixed64"),
  9: ATTRIBUTES,
  10: DROPPED,
  11: many("events", SPAN_EVENT),
  12: one("droppedEventsCount", "uint"),
  13: many("links", LINK),
  14: one("droppedLinksCount", "uint"),
  15: maybe("status", { 2: one("message", "string"), 3: one("code", "uint") }),
  16: one("flags", "fixed32"),
};
const NUMBER_POINT: Schema = {
  2: one("startTimeUnixNano", "fixed64"),
  3: one("timeUnixNano", "fixed64"),
  4: maybe("asDouble", "double"),
  6: maybe("asInt", "sfixed64"),
  7: ATTRIBUTES,
  8: one("flags", "uint"),
};
const BUCKETS: Schema = { 1: one("offset", "sint"), 2: one("bucketCounts", "packed") };
const EXEMPLAR: Schema = {
  2: one("timeUnixNano", "fixed64"),
  3: maybe("asDouble", "double"),
  4: one("spanId", "hex"),
  5: one("traceId", "hex"),
  6: maybe("asInt", "sfixed64"),
  7: { ...ATTRIBUTES, name: "filteredAttributes" },
};
const HISTOGRAM_POINT: Schema = {
  1: ATTRIBUTES,
  2: one("startTimeUnixNano", "fixed64"),
  3: one("timeUnixNano", "fixed64"),
  4: one("count", "fixed64"),
  5: maybe("sum", "double"),
  6: one("scale", "sint"),
  7: one("zeroCount", "fixed64"),
  8: maybe("positive", BUCKETS),
  9: maybe("negative", BUCKETS),
  10: one("flags", "uint"),
  11: many("exemplars", EXEMPLAR),
  12: maybe("min", "double"),
  13: maybe("max", "double"),
  14: one("zeroThreshold", "double"),
};
const EXPLICIT_POINT: Schema = {
  2: one("startTimeUnixNano", "fixed64"),
  3: one("timeUnixNano", "fixed64"),
  4: one("count", "fixed64"),
  5: maybe("sum", "double"),
  6: one("bucketCounts", "fixed64s"),
  7: one("explicitBounds", "doubles"),
  8: many("exemplars", EXEMPLAR),
  9: ATTRIBUTES,
  10: one("flags", "uint"),
  11: maybe("min", "double"),
  12: maybe("max", "double"),
};
const TEMPORALITY = one("aggregationTemporality", "uint");
export const METRIC: Schema = {
  1: one("name", "string"),
  2: one("description", "string"),
  3: one("unit", "string"),
  5: maybe("gauge", { 1: many("dataPoints", NUMBER_POINT) }),
  7: maybe("sum", { 1: many("dataPoints", NUMBER_POINT), 2: TEMPORALITY, 3: one("isMonotonic", "bool") }),
  9: maybe("histogram", { 1: many("dataPoints", EXPLICIT_POINT), 2: TEMPORALITY }),
  10: maybe("exponentialHistogram", { 1: many("dataPoints", HISTOGRAM_POINT), 2: TEMPORALITY }),
};
export const LOG: Schema = {
  1: one("timeUnixNano", "fixed64"),
  2: one("severityNumber", "uint"),
  3: one("severityText", "string"),
  5: maybe("body", "any"),
  6: ATTRIBUTES,
  7: DROPPED,
  8: one("flags", "fixed32"),
  9: one("traceId", "hex"),
  10: one("spanId", "hex"),
  11: one("observedTimeUnixNano", "fixed64"),
  12: one("eventName", "string"),
};

export function requestOf(signal: string, items: string, item: Schema): Schema {
  const schemaUrl = one("schemaUrl", "string");
  const scope: Schema = { 1: one("scope", SCOPE), 2: many(items, item), 3: schemaUrl };
  const resource: Schema = { 1: one("resource", RESOURCE), 2: many(`scope${signal}`, scope), 3: schemaUrl };
  return { 1: many(`resource${signal}`, resource) };
}
