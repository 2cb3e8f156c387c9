// Encodes every signal once, as it comes, and hands closed batches to all OTLP exporters.
import type { Event, Metric, Resource, Scope, Sink, Span } from "../../core/signals.ts";
import { SIGNALS, type Signal } from "../config.ts";
import type { Kind } from "../exporter.ts";
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

/** A batch in the making. */
interface Open {
  readonly request: Request;
  count: number;
  timer: NodeJS.Timeout | undefined;
}

export class Encoder implements Sink {
  readonly #receivers: Receiver[] = [];
  readonly #open: Readonly<Record<Signal, Open>>;

  constructor() {
    const open = (): Open => ({ request: new Request(), count: 0, timer: undefined });
    this.#open = { traces: open(), metrics: open(), logs: open() };
  }

  add(receiver: Receiver): void {
    this.#receivers.push(receiver);
  }

  span(span: Span): void {
    this.#add("span", 1, span.resource, span.scope, writeSpan, span);
  }

  event(event: Event): void {
    this.#add("event", 1, event.resource, event.scope, writeEvent, event);
  }

  metrics(metrics: readonly Metric[]): void {
    for (const metric of metrics) {
      for (let first = 0; first < metric.points.length; first += MAX_ITEMS) {
        const end = Math.min(first + MAX_ITEMS, metric.points.length);
        const write = (writer: Writer) => writeMetric(writer, metric, first, end);
        this.#add("point", end - first, metric.resource, metric.scope, write, undefined);
      }
    }
    this.cut("metrics");
  }

  /** How many wait in batches that are not closed yet. */
  open(kind: Kind): number {
    return this.#open[SIGNAL_OF[kind]].count;
  }

  /** Closes the open batch of one signal, or of all. */
  cut(signal?: Signal): void {
    if (signal === undefined) {
      for (const each of SIGNALS) this.cut(each);
      return;
    }
    const open = this.#open[signal];
    clearTimeout(open.timer);
    open.timer = undefined;
    if (open.count === 0) return;
    const batch = new Batch(signal, open.count, open.request.take());
    open.count = 0;
    for (const receiver of this.#receivers) receiver.accept(batch);
  }

  #add<T>(
    kind: Kind,
    count: number,
    resource: Resource,
    scope: Scope,
    write: (writer: Writer, item: T) => void,
    item: T,
  ): void {
    const signal = SIGNAL_OF[kind];
    const open = this.#open[signal];
    try {
      open.request.add(resource, scope, write, item);
    } catch (error) {
      for (const receiver of this.#receivers) receiver.unencodable(kind, count, error);
      return;
    }
    open.count += count;
    if (open.count >= MAX_ITEMS || open.request.bytes >= MAX_BYTES) this.cut(signal);
    else open.timer ??= setTimeout(() => this.cut(signal), MAX_AGE_MS).unref();
  }
}
