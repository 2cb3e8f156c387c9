// A metric as an item of ScopeMetrics.
import type { ExponentialHistogram, Metric, MetricSpec, Point } from "../../core/signals.ts";
import { AttributeWriter } from "./attributes.ts";
import { isInt64, varintSize, type Writer, written } from "./writer.ts";

const CUMULATIVE = 2;

interface Encoding {
  /** name, description and unit. */
  readonly fixed: Buffer;
  /** Tag of the data: gauge, sum or exponential histogram. */
  readonly data: number;
  /** What follows the points: temporality and monotonicity. */
  readonly trailer: Buffer;
  /** Things and bytes are counted in whole numbers; anything else is a double in every point. */
  readonly integer: boolean;
  readonly attributes: AttributeWriter;
}

const encodings = new WeakMap<MetricSpec, Encoding>();

function encodingOf(spec: MetricSpec): Encoding {
  let encoding = encodings.get(spec);
  if (encoding === undefined) {
    const fixed = written((w) => {
      w.byte(0x0a);
      w.string(spec.name);
      w.byte(0x12);
      w.string(spec.description);
      w.byte(0x1a);
      w.string(spec.unit);
    });
    const histogram = spec.instrument === "histogram";
    encoding = {
      fixed,
      data: { gauge: 0x2a, counter: 0x3a, updowncounter: 0x3a, histogram: 0x52 }[spec.instrument],
      trailer: Buffer.from(
        {
          gauge: [],
          counter: [0x10, CUMULATIVE, 0x18, 1],
          updowncounter: [0x10, CUMULATIVE],
          histogram: [0x10, CUMULATIVE],
        }[spec.instrument],
      ),
      integer: spec.unit.startsWith("{") || spec.unit === "By",
      attributes: new AttributeWriter(histogram ? 0x0a : 0x3a, spec.attributes),
    };
    encodings.set(spec, encoding);
  }
  return encoding;
}

/** Writes one metric with the points from `first` to before `end`. */
export function writeMetric(w: Writer, metric: Metric, first: number, end: number): void {
  const encoding = encodingOf(metric.spec);
  w.ensure(encoding.fixed.length + 64);
  w.byte(0x12);
  const mark = w.open();
  w.raw(encoding.fixed);
  w.byte(encoding.data);
  const data = w.open();
  for (let i = first; i < end; i++) {
    const point = metric.points[i]!;
    w.ensure(64);
    w.byte(0x0a);
    const start = w.open();
    if (typeof point.value === "number") writeNumberPoint(w, encoding, metric, point, point.value);
    else writeHistogramPoint(w, encoding, metric, point, point.value);
    w.close(start);
  }
  w.ensure(16);
  w.raw(encoding.trailer);
  w.close(data);
  w.close(mark);
}

function writeNumberPoint(w: Writer, encoding: Encoding, metric: Metric, point: Point, value: number): void {
  w.byte(0x11);
  w.time(point.start);
  w.byte(0x19);
  w.time(metric.time);
  if (encoding.integer && isInt64(value)) {
    w.byte(0x31);
    w.fixed64(value);
  } else {
    w.byte(0x21);
    w.double(value);
  }
  encoding.attributes.write(w, point.attributes);
}

function writeHistogramPoint(
  w: Writer,
  encoding: Encoding,
  metric: Metric,
  point: Point,
  histogram: ExponentialHistogram,
): void {
  encoding.attributes.write(w, point.attributes);
  w.ensure(96);
  w.byte(0x11);
  w.time(point.start);
  w.byte(0x19);
  w.time(metric.time);
  w.byte(0x21);
  w.fixed64(histogram.count);
  w.byte(0x29);
  w.double(histogram.sum);
  w.byte(0x30);
  w.varint(zigzag(histogram.scale));
  w.byte(0x39);
  w.fixed64(histogram.zeroCount);
  writeBuckets(w, histogram.offset, histogram.counts);
  w.ensure(32);
  if (histogram.min !== undefined) {
    w.byte(0x61);
    w.double(histogram.min);
  }
  if (histogram.max !== undefined) {
    w.byte(0x69);
    w.double(histogram.max);
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
