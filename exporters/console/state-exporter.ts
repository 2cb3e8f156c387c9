// Without a terminal and a configured exporter: logs the agent's own state once per collection.
import type { Log } from "../../core/plugin/log.ts";
import type { Event, Metric, Sink, Span } from "../../core/plugin/signals.ts";
import { ImmediateExporter } from "./immediate-exporter.ts";
import { Model } from "./live/model.ts";

export class StateExporter extends ImmediateExporter implements Sink {
  readonly #log: Log;
  readonly #model: Model;

  constructor(name: string, log: Log) {
    super(name);
    this.#log = log;
    this.#model = new Model(name);
    log.info(
      {},
      "no exporter configured, telemetry stays on this host. Set OTEL_EXPORTER_OTLP_ENDPOINT, or configure exporters in a file (--config); --format text prints connections here",
    );
  }

  span(span: Span): void {
    this.count("span", 1);
    this.#model.span(span);
  }

  event(event: Event): void {
    this.count("event", 1);
    this.#model.event(event);
  }

  metrics(metrics: readonly Metric[]): void {
    this.count(
      "point",
      metrics.reduce((sum, metric) => sum + metric.points.length, 0),
    );
    this.#model.metrics(metrics);
    const { peers, gauges } = this.#model;
    const { connections, failures, sent, received } = peers.sums;
    const state = {
      connections: connections.total,
      failed: failures.total,
      bytesSent: sent.total,
      bytesReceived: received.total,
      retransmitted: gauges.total("wirespan.tcp.retransmits"),
      dropped: gauges.total("wirespan.tcp.packet.dropped"),
      plugins: gauges.running,
      ...(gauges.impaired.length > 0 && { impaired: gauges.impaired }),
      lost: Object.fromEntries(gauges.losses.map(({ cause, count }) => [cause, count])),
    };
    this.#log.info(state, "state");
  }
}
