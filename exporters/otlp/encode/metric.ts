// A metric as an item of ScopeMetrics.
import type { Exemplar, ExponentialHistogram, MetricSpec } from "../../../core/plugin/signals.ts";
import { type ExplicitHistogram, type ExportMetric, type ExportPoint, isWhole } from "../../temporality.ts";
import { AttributeWriter } from "./attributes.ts";
import { isInt64, varintSize, type Writer, written } from "./writer.ts";

const DELTA = 1;
const CUMULATIVE = 2;

/** Of DataPointFlags. */
const NO_RECORDED_VALUE = 1;

/** Tags of a Metric's data, and of its points' attributes and flags. */
const TAGS = {
  gauge: { data: 0x2a, attributes: 0x3a, flags: 0x40 },
  sum: { data: 0x3a, attributes: 0x3a, flags: 0x40 },
  explicit: { data: 0x4a, attributes: 0x4a, flags: 0x50 },
  exponential: { data: 0x52, attributes: 0x0a, flags: 0x50 },
} as const satisfies Record<ExportMetric["data"], object>;

interface Prepared {
  /** name, description and unit. */
  readonly fixed: Buffer;
  readonly integer: boolean;
  readonly attributes: AttributeWriter;
}

const prepared: Readonly<Record<ExportMetric["data"], WeakMap<MetricSpec, Prepared>>> = {
  gauge: new WeakMap(),
  sum: new WeakMap(),
  explicit: new WeakMap(),
  exponential: new WeakMap(),
};

function preparedFor({ spec, data }: ExportMetric): Prepared {
  let encoding = prepared[data].get(spec);
  if (encoding === undefined) {
    const fixed = written((w) => {
      w.byte(0x0a);
      w.string(spec.name);
      w.byte(0x12);
      w.string(spec.description);
      w.byte(0x1a);
      w.string(spec.unit);
    });
    const attributes = new AttributeWriter(TAGS[data].attributes, spec.attributes);
    encoding = { fixed, integer: isWhole(spec), attributes };
    prepared[data].set(spec, encoding);
  }
  return encoding;
}

/** Writes one metric with the points from `first` to before `end`. */
export function writeMetric(w: Writer, metric: ExportMetric, first: number, end: number): void {
  writeData(w, metric, (encoding) => {
    for (let i = first; i < end; i++) writePoint(w, encoding, metric, metric.points[i]!);
  });
}

/** Writes one metric with a point without a value for each series that has ended, so that stores stop showing it. */
export function writeEnds(w: Writer, metric: ExportMetric): void {
  writeData(w, metric, ({ attributes }) => {
    for (const ended of metric.ended) {
      w.ensure(96);
      w.byte(0x0a);
      const mark = w.open();
      w.byte(0x19);
      w.time(metric.time);
      w.byte(TAGS[metric.data].flags);
      w.byte(NO_RECORDED_VALUE);
      attributes.write(w, ended);
      w.close(mark);
    }
  });
}

function writeData(w: Writer, metric: ExportMetric, writePoints: (encoding: Prepared) => void): void {
  const encoding = preparedFor(metric);
  const { data, delta, spec } = metric;
  w.ensure(encoding.fixed.length + 64);
  w.byte(0x12);
  const mark = w.open();
  w.raw(encoding.fixed);
  w.byte(TAGS[data].data);
  const inner = w.open();
  writePoints(encoding);
  w.ensure(16);
  if (data !== "gauge") {
    w.byte(0x10);
    w.byte(delta ? DELTA : CUMULATIVE);
  }
  if (spec.instrument === "counter") {
    w.byte(0x18);
    w.byte(1);
  }
  w.close(inner);
  w.close(mark);
}

function writePoint(w: Writer, encoding: Prepared, metric: ExportMetric, point: ExportPoint): void {
  const { value } = point;
  w.ensure(96);
  w.byte(0x0a);
  const mark = w.open();
  w.byte(0x11);
  w.time(point.start);
  w.byte(0x19);
  w.time(metric.time);
  if (typeof value === "number") writeNumber(w, encoding, value);
  else {
    w.byte(0x21);
    w.fixed64(value.count);
    w.byte(0x29);
    w.double(value.sum);
    if ("bounds" in value) writeExplicit(w, value);
    else writeExponential(w, value);
  }
  encoding.attributes.write(w, point.attributes);
  w.close(mark);
}

function writeNumber(w: Writer, { integer }: Prepared, value: number): void {
  if (integer && isInt64(value)) {
    w.byte(0x31);
    w.fixed64(value);
  } else {
    w.byte(0x21);
    w.double(value);
  }
}

function writeExplicit(w: Writer, { counts, bounds, min, max, exemplar }: ExplicitHistogram): void {
  w.ensure((counts.length + bounds.length) * 8 + 128);
  w.byte(0x32);
  w.varint(counts.length * 8);
  for (const count of counts) w.fixed64(count);
  w.byte(0x3a);
  w.varint(bounds.length * 8);
  for (const bound of bounds) w.double(bound);
  writeExtremes(w, 0x59, min, max);
  if (exemplar) writeExemplar(w, 0x42, exemplar);
}

function writeExponential(w: Writer, histogram: ExponentialHistogram): void {
  w.byte(0x30);
  w.varint(zigzag(histogram.scale));
  w.byte(0x39);
  w.fixed64(histogram.zeroCount);
  writeBuckets(w, histogram.offset, histogram.counts);
  w.ensure(128);
  writeExtremes(w, 0x61, histogram.min, histogram.max);
  if (histogram.zeroThreshold !== undefined) {
    w.byte(0x71);
    w.double(histogram.zeroThreshold);
  }
  if (histogram.exemplar) writeExemplar(w, 0x5a, histogram.exemplar);
}

/** `tag`: that of the point's field. */
function writeExemplar(w: Writer, tag: number, { value, time, traceId, spanId }: Exemplar): void {
  w.byte(tag);
  const mark = w.open();
  w.byte(0x11);
  w.time(time);
  w.byte(0x19);
  w.double(value);
  w.id(0x22, spanId);
  w.id(0x2a, traceId);
  w.close(mark);
}

/** `tag` is the minimum's; the maximum has the next field. */
function writeExtremes(w: Writer, tag: number, min: number | undefined, max: number | undefined): void {
  if (min !== undefined) {
    w.byte(tag);
    w.double(min);
  }
  if (max !== undefined) {
    w.byte(tag + 8);
    w.double(max);
  }
}

function writeBuckets(w: Writer, offset: number, counts: ArrayLike<number>): void {
  let size = 0;
  for (let i = 0; i < counts.length; i++) size += varintSize(counts[i]!);
  w.ensure(size + 32);
  w.byte(0x42);
  const mark = w.open();
  w.byte(0x08);
  w.varint(zigzag(offset));
  w.byte(0x12);
  w.varint(size);
  for (let i = 0; i < counts.length; i++) w.varint(counts[i]!);
  w.close(mark);
}

function zigzag(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}
