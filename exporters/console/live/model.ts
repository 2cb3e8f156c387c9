// The data of the live view: updated by signals, read when a frame is drawn.
import type { Event, Metric, Span } from "../../../core/plugin/signals.ts";
import { Gauges } from "./gauges.ts";
import { Peers } from "./peers.ts";
import { Problems } from "./problems.ts";

export class Model {
  readonly peers = new Peers();
  readonly problems = new Problems();
  readonly gauges = new Gauges();
  readonly #name: string;

  /** `name`: the exporter's own, which is not shown among the exporters. */
  constructor(name: string) {
    this.#name = name;
  }

  span(span: Span): void {
    if (this.peers.span(span)) this.problems.span(span);
  }

  event(event: Event): void {
    if (event.spec.name === "wirespan.tcp.top") this.peers.top(event);
    else if (event.spec.severity === "WARN" || event.spec.severity === "ERROR") this.problems.event(event);
  }

  metrics(metrics: readonly Metric[]): void {
    this.peers.collected();
    this.gauges.take(metrics, this.#name);
  }

  /** Called once per interval of `elapsed` seconds. */
  tick(elapsed: number): void {
    this.peers.tick(elapsed);
  }
}
