// Formats signals as lines of the console: one per connection, failure and event.

import { LruCache } from "../../core/plugin/lru.ts";
import type { Event, Metric, Scope, Span } from "../../core/plugin/signals.ts";
import type { Paint } from "./format.ts";
import { collectionJson, eventJson, jsonLine, spanJson } from "./json-lines.ts";
import { MetricSummary } from "./metric-summary.ts";
import { eventLine, spanLine } from "./text-lines.ts";

/** How signals are written. */
export interface LineFormatter {
  span(span: Span): string;
  event(event: Event): string;
  /** The metrics of one collection; "" if nothing changed. */
  metrics(metrics: readonly Metric[]): string;
  /** The numbers of omitted lines of one second; never empty. */
  leftOut(counts: Readonly<Record<string, number>>): string;
}

export class TextFormatter implements LineFormatter {
  readonly #paint: Paint;
  readonly #summary = new MetricSummary();

  constructor(paint: Paint) {
    this.#paint = paint;
  }

  span(span: Span): string {
    return spanLine(span, this.#paint);
  }

  event(event: Event): string {
    return eventLine(event, this.#paint);
  }

  metrics(metrics: readonly Metric[]): string {
    return this.#summary.write(metrics, this.#paint);
  }

  leftOut(counts: Readonly<Record<string, number>>): string {
    const parts = Object.entries(counts).map(
      ([what, count]) => `${count.toLocaleString("en-US")} more ${what}`,
    );
    return `${this.#paint.dim(`and ${parts.join(", ")}`)}\n`;
  }
}

export class JsonFormatter implements LineFormatter {
  span(span: Span): string {
    return spanJson(pluginOf(span.scope), span);
  }

  event(event: Event): string {
    return eventJson(pluginOf(event.scope), event);
  }

  metrics(metrics: readonly Metric[]): string {
    return collectionJson(metrics);
  }

  leftOut(counts: Readonly<Record<string, number>>): string {
    return jsonLine({ signal: "left_out", ...counts });
  }
}

/** The line for a signal, if any. */
export interface LineKind {
  readonly isNotable: boolean;
  readonly what: "connections" | "failures" | "events";
}

/** Decides which spans and events have a line, so that each connection and each failure has one. */
export class LineSelector {
  /** Ids of connections whose failure has been printed. */
  readonly #failed = new LruCache<string, true>(4096);
  #seesEnds = false;

  /** A connection has up to three spans: its line is printed at its end, or at its failure if that comes first. */
  span({ spec, attributes: a }: Span): LineKind | undefined {
    const isEnd = spec.name === "tcp connection";
    this.#seesEnds ||= isEnd;
    if (a["error.type"] === undefined)
      return isEnd || !this.#seesEnds ? { isNotable: false, what: "connections" } : undefined;
    const id = String(a["wirespan.connection.id"]);
    if (this.#failed.get(id)) return undefined;
    this.#failed.set(id, true);
    return { isNotable: true, what: "failures" };
  }

  event({ spec: { name, severity } }: Event): LineKind | undefined {
    // A table of open connections, not something that happened.
    if (name === "wirespan.tcp.top") return undefined;
    return { isNotable: severity === "WARN" || severity === "ERROR", what: "events" };
  }
}

const pluginOf = ({ name }: Scope): string => name.replace(/^wirespan\./, "");
