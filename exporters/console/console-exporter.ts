// Connections, failures and events as lines, metrics as a summary, on a stream that may be slow or closed.
import type { Event, Metric, Sink, Span } from "../../core/plugin/signals.ts";
import type { ConsoleConfig, Signal } from "../config.ts";
import { ExportCounter } from "../export-counts.ts";
import { COMPONENTS, type ExportCounts, type Exporter, type Kind } from "../exporter.ts";
import { paint } from "./format.ts";
import {
  JsonFormatter,
  type LineFormatter,
  type LineKind,
  LineSelector,
  TextFormatter,
} from "./formatters.ts";
import { LineLimiter } from "./line-limiter.ts";

/** Text that may wait for a slow reader, in UTF-16 units. */
const LIMIT = 256 * 1024;
/** Milliseconds for which lines are collected; `rate` applies to each such interval. */
const SECOND = 1000;

type Counts = Record<Kind, number>;

/** Destination of lines: a stream, or an output that never waits for its reader (core/base/output.ts). */
export interface LineStream {
  readonly isTTY?: boolean;
  write(text: string, done: (error?: Error | null) => void): unknown;
  on?(event: "error", listener: () => void): unknown;
}

export class ConsoleExporter implements Exporter, Sink {
  readonly name: string;
  readonly type: string;
  readonly #signals: ReadonlySet<Signal>;
  readonly #stream: LineStream;
  readonly #formatter: LineFormatter;
  readonly #selector = new LineSelector();
  readonly #limiter: LineLimiter;
  #second: NodeJS.Timeout | undefined;
  readonly #counter = new ExportCounter();
  /** Collects text until the stream has taken the previous write. */
  #text = "";
  #waiting: Counts = { span: 0, point: 0, event: 0 };
  #inWrite: Counts = { span: 0, point: 0, event: 0 };
  #inWriteBytes = 0;
  /** A write is in progress or about to start. */
  #busy = false;
  /** Something waits, even if only an empty summary. */
  #dirty = false;
  #idle: (() => void)[] = [];
  #shutdown: Promise<void> | undefined;
  #closed = false;

  /** Colours are used on a terminal, unless NO_COLOR is set. The stream is not ended. */
  constructor(name: string, config: ConsoleConfig, stream: LineStream) {
    this.name = name;
    this.type = config.type;
    this.#signals = new Set(config.signals);
    this.#stream = stream;
    this.#limiter = new LineLimiter(config.rate);
    this.#formatter =
      config.format === "json"
        ? new JsonFormatter()
        : new TextFormatter(paint(stream.isTTY === true && !process.env.NO_COLOR));
    // A closed pipe shows as a failed write; without a listener it would end the agent.
    stream.on?.("error", () => {});
  }

  get queue(): { readonly bytes: number; readonly limit: number } {
    return { bytes: this.#text.length + this.#inWriteBytes, limit: LIMIT };
  }

  span(span: Span): void {
    if (this.#signals.has("traces"))
      this.#print("span", this.#selector.span(span), () => this.#formatter.span(span));
  }

  event(event: Event): void {
    if (this.#signals.has("logs"))
      this.#print("event", this.#selector.event(event), () => this.#formatter.event(event));
  }

  metrics(metrics: readonly Metric[]): void {
    if (!this.#signals.has("metrics")) return;
    const points = metrics.reduce((sum, metric) => sum + metric.points.length, 0);
    if (!this.#accepts("point", points)) return;
    this.#text += this.#formatter.metrics(metrics);
    this.#schedule();
  }

  componentType(kind: Kind): string {
    return `console_${COMPONENTS[kind]}_exporter`;
  }

  async refresh(): Promise<readonly string[]> {
    return [];
  }

  counts(kind: Kind): ExportCounts {
    return { ...this.#counter.of(kind), queued: this.#waiting[kind] + this.#inWrite[kind] };
  }

  async flush(deadlineMs: number): Promise<void> {
    this.#endSecond();
    if (!this.#busy) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, deadlineMs);
      this.#idle.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  shutdown(deadlineMs: number): Promise<void> {
    this.#shutdown ??= this.flush(deadlineMs).then(() => {
      this.#closed = true;
      for (const kind of ["span", "point", "event"] as const) {
        this.#counter.lost(kind, "shutdown_timeout", this.#waiting[kind] + this.#inWrite[kind]);
      }
      this.#text = "";
      this.#waiting = { span: 0, point: 0, event: 0 };
      this.#inWrite = { span: 0, point: 0, event: 0 };
    });
    return this.#shutdown;
  }

  /** A signal without its own line is covered by another line, or by the number of omitted ones. */
  #print(kind: Kind, kindOfLine: LineKind | undefined, text: () => string): void {
    if (!this.#accepts(kind, 1)) return;
    if (kindOfLine) this.#limiter.add(kindOfLine.isNotable, kindOfLine.what, text);
    this.#second ??= setTimeout(() => this.#endSecond(), SECOND).unref();
  }

  #endSecond(): void {
    if (this.#second === undefined) return;
    clearTimeout(this.#second);
    this.#second = undefined;
    const { lines, leftOut } = this.#limiter.take();
    const isWhole = Object.keys(leftOut).length === 0;
    this.#text += lines.join("") + (isWhole ? "" : this.#formatter.leftOut(leftOut));
    this.#schedule();
  }

  /** Counts what was given; false if it is lost at once. */
  #accepts(kind: Kind, count: number): boolean {
    this.#counter.given(kind, count);
    const isFull = this.queue.bytes > LIMIT;
    if (this.#closed || isFull) {
      this.#counter.lost(kind, this.#closed ? "shutdown_timeout" : "queue_full", count);
      return false;
    }
    this.#waiting[kind] += count;
    return true;
  }

  /** One write for all lines of a turn of the event loop. */
  #schedule(): void {
    this.#dirty = true;
    if (this.#busy) return;
    this.#busy = true;
    setImmediate(() => this.#write());
  }

  #write(): void {
    const counts = this.#waiting;
    const text = this.#text;
    this.#inWrite = counts;
    this.#inWriteBytes = text.length;
    this.#waiting = { span: 0, point: 0, event: 0 };
    this.#text = "";
    this.#dirty = false;
    this.#stream.write(text, (error) => this.#written(counts, error));
  }

  #written(counts: Counts, error: Error | null | undefined): void {
    this.#busy = false;
    this.#inWriteBytes = 0;
    if (this.#closed) return;
    for (const kind of ["span", "point", "event"] as const) {
      if (error) this.#counter.lost(kind, "rejected", counts[kind]);
      else this.#counter.acknowledged(kind, counts[kind]);
    }
    this.#inWrite = { span: 0, point: 0, event: 0 };
    if (this.#dirty) this.#schedule();
    else for (const done of this.#idle.splice(0)) done();
  }
}
