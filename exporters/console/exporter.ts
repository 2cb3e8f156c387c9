// Spans and events as lines, metrics as a summary, on a stream that may be slow or gone.
import type { Event, Metric, Sink, Span } from "../../core/signals.ts";
import type { ConsoleConfig, Signal } from "../config.ts";
import { type Balance, COMPONENTS, type Exporter, type Kind } from "../exporter.ts";
import { Ledger } from "../ledger.ts";
import { type Paint, paint } from "./format.ts";
import { eventLine, spanLine } from "./line.ts";
import { Summary } from "./summary.ts";

/** Text that may wait for a slow reader, in UTF-16 units. */
const LIMIT = 256 * 1024;

type Counts = Record<Kind, number>;

/** What lines are written to: a stream, or what never waits for its reader (core/output.ts). */
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
  readonly #paint: Paint;
  readonly #summary = new Summary();
  readonly #ledger = new Ledger();
  /** Gathers until the stream has taken what was written before. */
  #text = "";
  #waiting: Counts = { span: 0, point: 0, event: 0 };
  #writing: Counts = { span: 0, point: 0, event: 0 };
  #writingBytes = 0;
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
    this.#paint = paint(stream.isTTY === true && !process.env.NO_COLOR);
    // A closed pipe shows as a failed write; without a listener it would end the agent.
    stream.on?.("error", () => {});
  }

  get queue(): { readonly bytes: number; readonly limit: number } {
    return { bytes: this.#text.length + this.#writingBytes, limit: LIMIT };
  }

  span(span: Span): void {
    if (this.#signals.has("traces")) this.#add("span", 1, () => spanLine(span, this.#paint));
  }

  event(event: Event): void {
    if (this.#signals.has("logs")) this.#add("event", 1, () => eventLine(event, this.#paint));
  }

  metrics(metrics: readonly Metric[]): void {
    if (!this.#signals.has("metrics")) return;
    const points = metrics.reduce((sum, metric) => sum + metric.points.length, 0);
    this.#add("point", points, () => this.#summary.write(metrics, this.#paint));
  }

  componentType(kind: Kind): string {
    return `console_${COMPONENTS[kind]}_exporter`;
  }

  async refresh(): Promise<readonly string[]> {
    return [];
  }

  balance(kind: Kind): Balance {
    return { ...this.#ledger.of(kind), queued: this.#waiting[kind] + this.#writing[kind] };
  }

  async flush(deadlineMs: number): Promise<void> {
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
        this.#ledger.lost(kind, "shutdown_timeout", this.#waiting[kind] + this.#writing[kind]);
      }
      this.#text = "";
      this.#waiting = { span: 0, point: 0, event: 0 };
      this.#writing = { span: 0, point: 0, event: 0 };
    });
    return this.#shutdown;
  }

  #add(kind: Kind, count: number, text: () => string): void {
    this.#ledger.given(kind, count);
    if (this.#closed) {
      this.#ledger.lost(kind, "shutdown_timeout", count);
    } else if (this.queue.bytes > LIMIT) {
      this.#ledger.lost(kind, "queue_full", count);
    } else {
      this.#text += text();
      this.#waiting[kind] += count;
      this.#dirty = true;
      this.#schedule();
    }
  }

  /** One write for all lines of a turn of the event loop. */
  #schedule(): void {
    if (this.#busy) return;
    this.#busy = true;
    setImmediate(() => this.#write());
  }

  #write(): void {
    const counts = this.#waiting;
    const text = this.#text;
    this.#writing = counts;
    this.#writingBytes = text.length;
    this.#waiting = { span: 0, point: 0, event: 0 };
    this.#text = "";
    this.#dirty = false;
    this.#stream.write(text, (error) => this.#written(counts, error));
  }

  #written(counts: Counts, error: Error | null | undefined): void {
    this.#busy = false;
    this.#writingBytes = 0;
    if (this.#closed) return;
    for (const kind of ["span", "point", "event"] as const) {
      if (error) this.#ledger.lost(kind, "rejected", counts[kind]);
      else this.#ledger.acknowledged(kind, counts[kind]);
    }
    this.#writing = { span: 0, point: 0, event: 0 };
    if (this.#dirty) this.#schedule();
    else for (const done of this.#idle.splice(0)) done();
  }
}
