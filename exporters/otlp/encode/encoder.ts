// Encodes each signal once, as it arrives, and passes closed batches to all OTLP exporters; metrics once per set of
// preferences.
import type { Event, Metric, Resource, Scope, Sink, Span } from "../../../core/plugin/signals.ts";
import { type MetricPreferences, SIGNALS, type Signal } from "../../config.ts";
import type { Kind } from "../../exporter.ts";
import { type ExportMetric, MetricConverter } from "../../temporality.ts";
import { Batch, SIGNAL_OF } from "./batch.ts";
import { BufferPool } from "./buffer-pool.ts";
import { writeEvent } from "./event.ts";
import { ExportRequest } from "./export-request.ts";
import { writeEnds, writeMetric } from "./metric.ts";
import { writeSpan } from "./span.ts";
import type { Writer } from "./writer.ts";

/** Maximum items of a request: many share its cost at both ends, and a slow backend keeps up. */
const ITEMS = 2048;
/** Maximum bytes of a request; a Collector accepts 4 MiB, and one more item with its resource must fit. */
const MOST_BYTES = 3 * 1024 * 1024;
const MAX_AGE_MS = 1000;
/** Number of points of a metric that are written at once. */
const POINTS = 512;

const pool = new BufferPool();

/** Destination of batches. */
export interface Receiver {
  accept(batch: Batch): void;
  /** `count` of `kind` could not be encoded. */
  unencodable(kind: Kind, count: number, error: unknown): void;
  /** Maximum bytes of a batch. */
  mostBytes?(signal: Signal): number;
}

/** Collects items of one signal into batches. */
class SignalBatcher {
  readonly signal: Signal;
  readonly receivers: Receiver[] = [];
  readonly #kind: Kind;
  readonly #request = new ExportRequest();
  #count = 0;
  #mostBytes = MOST_BYTES;
  #timer: NodeJS.Timeout | undefined;

  constructor(kind: Kind) {
    this.#kind = kind;
    this.signal = SIGNAL_OF[kind];
  }

  /** Items in the batch that is not closed yet. */
  get open(): number {
    return this.#count;
  }

  add<T>(
    count: number,
    resource: Resource,
    scope: Scope,
    write: (writer: Writer, item: T) => void,
    item: T,
  ): void {
    try {
      this.#request.add(resource, scope, write, item);
    } catch (error) {
      for (const receiver of this.receivers) receiver.unencodable(this.#kind, count, error);
      return;
    }
    this.#count += count;
    if (this.#count >= ITEMS || this.#request.bytes >= this.#mostBytes) this.cut();
    else this.#timer ??= setTimeout(() => this.cut(), MAX_AGE_MS).unref();
  }

  /** Closes the open batch. */
  cut(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#count === 0) return;
    const { chunk, bytes } = this.#request.take(pool);
    const batch = new Batch(this.signal, this.#count, bytes, this.receivers.length, () => pool.give(chunk));
    this.#count = 0;
    for (const receiver of this.receivers) receiver.accept(batch);
    this.#mostBytes = Math.min(
      MOST_BYTES,
      ...this.receivers.map((receiver) => receiver.mostBytes?.(this.signal) ?? MOST_BYTES),
    );
  }
}

/** Metrics with the same preferences. */
class MetricBatcher extends SignalBatcher {
  readonly #converter: MetricConverter;

  constructor(form: MetricPreferences) {
    super("point");
    this.#converter = new MetricConverter(form);
  }

  metrics(metrics: readonly Metric[]): void {
    for (const metric of this.#converter.convert(metrics)) this.#metric(metric);
    this.cut();
  }

  #metric(metric: ExportMetric): void {
    for (let first = 0; first < metric.points.length; first += POINTS) {
      const end = Math.min(first + POINTS, metric.points.length);
      const write = (writer: Writer) => writeMetric(writer, metric, first, end);
      this.add(end - first, metric.resource, metric.scope, write, undefined);
    }
    const { length } = metric.ended;
    if (length > 0) this.add(length, metric.resource, metric.scope, writeEnds, metric);
  }
}

export class Encoder implements Sink {
  readonly #spans = new SignalBatcher("span");
  readonly #events = new SignalBatcher("event");
  readonly #metrics = new Map<string, MetricBatcher>();

  /** Adds a receiver of `signals`, with its preferences for metrics. */
  add(receiver: Receiver, signals: readonly Signal[] = SIGNALS, form: MetricPreferences = {}): void {
    if (signals.includes("traces")) this.#spans.receivers.push(receiver);
    if (signals.includes("logs")) this.#events.receivers.push(receiver);
    if (!signals.includes("metrics")) return;
    const key = JSON.stringify([form.temporality, form.histograms, form.boundaries]);
    const batcher = this.#metrics.get(key) ?? new MetricBatcher(form);
    this.#metrics.set(key, batcher);
    batcher.receivers.push(receiver);
  }

  span(span: Span): void {
    if (this.#spans.receivers.length > 0) this.#spans.add(1, span.resource, span.scope, writeSpan, span);
  }

  event(event: Event): void {
    if (this.#events.receivers.length > 0)
      this.#events.add(1, event.resource, event.scope, writeEvent, event);
  }

  metrics(metrics: readonly Metric[]): void {
    for (const batcher of this.#metrics.values()) batcher.metrics(metrics);
  }

  /** How many items are in batches that are still open; metrics never are. */
  open(kind: Kind): number {
    if (kind === "point") return 0;
    return (kind === "span" ? this.#spans : this.#events).open;
  }

  /** Closes all open batches. */
  cut(): void {
    this.#spans.cut();
    this.#events.cut();
  }
}
