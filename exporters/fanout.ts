// The sink that all plugins feed: every signal goes to every exporter.
import type { Event, Metric, Sink, Span } from "../core/plugin/signals.ts";
import type { Exporter } from "./exporter.ts";

export class Fanout implements Sink {
  readonly exporters: readonly Exporter[];
  readonly #sinks: readonly Sink[];

  /** `sinks` receive the signals: exporters themselves, or an encoder that several of them share. */
  constructor(exporters: readonly Exporter[], sinks: readonly Sink[]) {
    this.exporters = exporters;
    this.#sinks = sinks;
  }

  span(span: Span): void {
    for (const sink of this.#sinks) sink.span(span);
  }

  event(event: Event): void {
    for (const sink of this.#sinks) sink.event(event);
  }

  metrics(metrics: readonly Metric[]): void {
    for (const sink of this.#sinks) sink.metrics(metrics);
  }

  /** Sends what waits everywhere; resolves when everything is settled or `deadlineMs` have passed. */
  async flush(deadlineMs: number): Promise<void> {
    await Promise.all(this.exporters.map((exporter) => exporter.flush(deadlineMs)));
  }

  /** Reloads changed certificates and tokens; returns a sentence for each. */
  async refresh(): Promise<readonly string[]> {
    return (await Promise.all(this.exporters.map((exporter) => exporter.refresh()))).flat();
  }

  /** Flushes, then counts what remains as lost. Idempotent. */
  async shutdown(deadlineMs: number): Promise<void> {
    await Promise.all(this.exporters.map((exporter) => exporter.shutdown(deadlineMs)));
  }
}
