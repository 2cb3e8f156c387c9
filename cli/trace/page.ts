// One tool's rows as a page of the live view.
import type { Plugin } from "../../core/plugin/plugin.ts";
import type { Event, Metric, Sink, Span } from "../../core/plugin/signals.ts";
import type { Flags } from "../../core/plugin/trace/view.ts";
import { TraceSink } from "./sink.ts";

/** Number of lines that are stored, and printed again when the page's size changes. */
const MOST = 500;

/** Receives every signal; stores the lines that `wirespan trace` would print for this plugin. */
export class TracePage implements Sink {
  readonly #sink: TraceSink;
  #lines: string[] = [];
  #header: string | undefined;
  readonly #isTable: boolean;

  constructor(plugin: Plugin) {
    const flags: Flags = {};
    const { rows, tables } = plugin.trace;
    this.#isTable = typeof rows === "function" || tables === true;
    const write = (text: string) => this.#keep(text);
    this.#sink = new TraceSink({ plugin, flags, format: "table", signals: false, write });
    this.#sink.start();
    this.#sink.flush();
    if (!this.#isTable) this.#header = this.#lines.shift();
  }

  span(span: Span): void {
    this.#sink.span(span);
  }

  event(event: Event): void {
    this.#sink.event(event);
  }

  metrics(metrics: readonly Metric[]): void {
    // A table replaces the previous one.
    this.#sink.flush();
    if (this.#isTable) this.#lines = [];
    this.#sink.metrics(metrics);
    this.#sink.flush();
  }

  /** The latest lines, header first; the first lines of a table. */
  lines(height: number): readonly string[] {
    if (this.#isTable) return this.#lines.slice(0, height);
    const header = this.#header === undefined ? [] : [this.#header];
    return [...header, ...this.#lines.slice(-(height - header.length))];
  }

  #keep(text: string): void {
    this.#lines.push(...text.replace(/\n$/, "").split("\n"));
    if (this.#lines.length > MOST) this.#lines = this.#lines.slice(-MOST);
  }
}
