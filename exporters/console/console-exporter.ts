// Connections, failures and events as lines, metrics as a summary, on a stream that may be slow or gone.
import type { Event, Metric, Sink, Span } from "../../core/plugin/signals.ts";
import type { ConsoleConfig, Signal } from "../config.ts";
import { Ledger } from "../export-counts.ts";
import { type Balance, COMPONENTS, type Exporter, type Kind } from "../exporter.ts";
import { paint } from "./format.ts";
import { Choice, JsonWriting, TextWriting, type Verdict, type Writing } from "./formatters.ts";
import { Selection } from "./line-limiter.ts";

/** Text that may wait for a slow reader, in UTF-16 units. */
const LIMIT = 256 * 1024;
/** Milliseconds for which lines are gathered: `rate` holds for each of them. */
const SECOND = 1000;

type Counts = Record<Kind, number>;

/** What lines are written to: a stream, or what never waits for its reader (core/base/output.ts). */
export interface Lines {
  readonly isTTY?: boolean;
  write(text: string, done: (error?: Error | null) => void): unknown;
  on?(event: "error", listener: () => void): unknown;
}

export class ConsoleExporter implements Exporter, Sink {
  readonly name: string;
  readonly type: string;
  readonly #signals: ReadonlySet<Signal>;
  readonly #stream: Lines;
  readonly #writing: Writing;
  readonly #choice = new Choice();
  readonly #selection: Selection;
  #second: NodeJS.Timeout | undefined;
  readonly #ledger = new Ledger();
  /** Gathers until the stream has taken what was written before. */
  #text = "";
  #waiting: Counts = { span: 0, point: 0, event: 0 };
  #inWrite: Counts = { span: 0, point: 0, event: 0 };
  #inWriteBytes = 0;
  /** A write is under way or about to be. */
  #busy = false;
  /** Something waits, be it only a summary without a line. */
  #dirty = false;
  #idle: (() => void)[] = [];
  #shutdown: Promise<void> | undefined;
  #closed = false;

  /** Colours are used on a terminal, unless NO_COLOR is set. The stream is not ended. */
  constructor(name: string, config: ConsoleConfig, stream: Lines) {
    this.name = name;
    this.type = config.type;
    this.#signals = new Set(config.signals);
    this.#stream = stream;
    this.#selection = new Selection(config.rate);
    this.#writing =
      config.format === "json"
        ? new JsonWriting()
        : new TextWriting(paint(stream.isTTY === true && !process.env.NO_COLOR));
    // A closed pipe shows as a failed write; without a listener it would end the agent.
    stream.on?.("error", () => {});
  }

  get queue(): { readonly bytes: number; readonly limit: number } {
    return { bytes: this.#text.length + this.#inWriteBytes, limit: LIMIT };
  }

  span(span: Span): void {
    if (this.#signals.has("traces"))
      this.#choose("span", this.#choice.span(span), () => this.#writing.span(span));
  }

  event(event: Event): void {
    if (this.#signals.has("logs"))
      this.#choose("event", this.#choice.event(event), () => this.#writing.event(event));
  }

  metrics(metrics: readonly Metric[]): void {
    if (!this.#signals.has("metrics")) return;
    const points = metrics.reduce((sum, metric) => sum + metric.points.length, 0);
    if (!this.#accepts("point", points)) return;
    this.#text += this.#writing.metrics(metrics);
    this.#schedule();
  }

  componentType(kind: Kind): string {
    return `console_${COMPONENTS[kind]}_exporter`;
  }

  async refresh(): Promise<readonly string[]> {
    return [];
  }

  balance(kind: Kind): Balance {
    return { ...this.#ledger.of(kind), queued: this.#waiting[kind] + this.#inWrite[kind] };
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
        this.#ledger.lost(kind, "shutdown_timeout", this.#waiting[kind] + this.#inWrite[kind]);
      }
      this.#text = "";
      this.#waiting = { span: 0, point: 0, event: 0 };
      this.#inWrite = { span: 0, point: 0, event: 0 };
    });
    return this.#shutdown;
  }

  /** What has no line of its own is reported by another, or in the number of those left out. */
  #choose(kind: Kind, verdict: Verdict | undefined, text: () => string): void {
    if (!this.#accepts(kind, 1)) return;
    if (verdict) this.#selection.add(verdict.isNotable, verdict.what, text);
    this.#second ??= setTimeout(() => this.#endSecond(), SECOND).unref();
  }

  #endSecond(): void {
    if (this.#second === undefined) return;
    clearTimeout(this.#second);
    this.#second = undefined;
    const { lines, leftOut } = this.#selection.take();
    const isWhole = Object.keys(leftOut).length === 0;
    this.#text += lines.join("") + (isWhole ? "" : this.#writing.leftOut(leftOut));
    this.#schedule();
  }

  /** Counts what was given; false if it is lost at once. */
  #accepts(kind: Kind, count: number): boolean {
    this.#ledger.given(kind, count);
    const isFull = this.queue.bytes > LIMIT;
    if (this.#closed || isFull) {
      this.#ledger.lost(kind, this.#closed ? "shutdown_timeout" : "queue_full", count);
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
      if (error) this.#ledger.lost(kind, "rejected", counts[kind]);
      else this.#ledger.acknowledged(kind, counts[kind]);
    }
    this.#inWrite = { span: 0, point: 0, event: 0 };
    if (this.#dirty) this.#schedule();
    else for (const done of this.#idle.splice(0)) done();
  }
}
