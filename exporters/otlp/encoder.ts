// Encodes every signal once, as it comes, and hands closed batches to all OTLP exporters; metrics once for
// each form that some exporter wants.
import type { Event, Metric, Resource, Scope, Sink, Span } from "../../core/signals.ts";
import { type MetricForm, SIGNALS, type Signal } from "../config.ts";
import type { Kind } from "../exporter.ts";
import { type FormedMetric, Former } from "../form.ts";
import { Batch, SIGNAL_OF } from "./batch.ts";
import { writeEvent } from "./event.ts";
import { writeMetric } from "./metric.ts";
import { Request } from "./request.ts";
import { writeSpan } from "./span.ts";
import type { Writer } from "./writer.ts";

const MAX_ITEMS = 512;
const MAX_BYTES = 512 * 1024;
const MAX_AGE_MS = 1000;

/** Where batches go. */
export interface Receiver {
  accept(batch: Batch): void;
  /** `count` of `kind` could not be encoded. */
  unencodable(kind: Kind, count: number, error: unknown): void;
}

/** Batches of one signal, one of them in the making. */
class Lane {
  readonly signal: Signal;
  readonly receivers: Receiver[] = [];
  readonly #kind: Kind;
  readonly #request = new Request();
  #count = 0;
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
    if (this.#count >= MAX_ITEMS || this.#request.bytes >= MAX_BYTES) this.cut();
    else this.#timer ??= setTimeout(() => this.cut(), MAX_AGE_MS).unref();
  }

  /** Closes the open batch. */
  cut(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#count === 0) return;
    const batch = new Batch(this.signal, this.#count, this.#request.take());
    this.#count = 0;
    for (const receiver of this.receivers) receiver.accept(batch);
  }
}

/** The metrics in one form. */
class MetricLane extends Lane {
  readonly #former: Former;

  constructor(form: MetricForm) {
    super("point");
    this.#former = new Former(form);
  }

  metrics(metrics: readonly Metric[]): void {
    for (const metric of this.#former.form(metrics)) this.#metric(metric);
    this.cut();
  }

  #metric(metric: FormedMetric): void {
    for (let first = 0; first < metric.points.length; first += MAX_ITEMS) {
      const end = Math.min(first + MAX_ITEMS, metric.points.length);
      const write = (writer: Writer) => writeMetric(writer, metric, first, end);
      this.add(end - first, metric.resource, metric.scope, write, undefined);
    }
  }
}

export class Encoder implements Sink {
  readonly #spans = new Lane("span");
  readonly #events = new Lane("event");
  readonly #metrics = new Map<string, MetricLane>();

  /** Who gets the batches of `signals`, the metrics in the form `form`. */
  add(receiver: Receiver, signals: readonly Signal[] = SIGNALS, form: MetricForm = {}): void {
    if (signals.includes("traces")) this.#spans.receivers.push(receiver);
    if (signals.includes("logs")) this.#events.receivers.push(receiver);
    if (!signals.includes("metrics")) return;
    const key = JSON.stringify([form.temporality, form.histograms, form.boundaries]);
    const lane = this.#metrics.get(key) ?? new MetricLane(form);
    this.#metrics.set(key, lane);
    lane.receivers.push(receiver);
  }

  span(span: Span): void {
    if (this.#spans.receivers.length > 0) this.#spans.add(1, span.resource, span.scope, writeSpan, span);
  }

  event(event: Event): void {
    if (this.#events.receivers.length > 0)
      this.#events.add(1, event.resource, event.scope, writeEvent, event);
  }

  metrics(metrics: readonly Metric[]): void {
    for (const lane of this.#metrics.values()) lane.metrics(metrics);
  }

  /** How many wait in batches that are not closed yet; metrics never do. */
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
