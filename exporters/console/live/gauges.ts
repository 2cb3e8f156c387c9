// What the live view shows of metrics: listeners' queues, softirqs, interfaces, and the agent's own counters.
import type { AnyAttributes, Metric, Point } from "../../../core/plugin/signals.ts";
import { Deltas } from "../../deltas.ts";
import { isLoss, plain, serviceOf } from "../describe.ts";

export interface Listener {
  readonly name: string;
  readonly usage: number;
  readonly limit: number;
}

/** A share of one CPU, or bytes or events per second, since the previous collection. */
export interface Pace {
  readonly name: string;
  readonly perSecond: number;
}

export interface ExporterState {
  readonly name: string;
  readonly acknowledged: number;
  readonly lost: number;
  readonly queued: number;
  readonly limit: number;
}

export interface Loss {
  readonly cause: string;
  readonly count: number;
}

/** Counters whose growth is shown, and the attributes that name a row. */
const PACED: Readonly<Record<string, readonly string[]>> = {
  "wirespan.softirq.time": ["wirespan.softirq.vector"],
  "wirespan.netdev.queue.io": ["network.interface.name", "network.io.direction"],
  "wirespan.netdev.transmit.failures": ["network.interface.name"],
  "wirespan.tcp.retransmits": [],
  "wirespan.tcp.packet.dropped": [],
  "wirespan.tcp.accept_queue.overflows": [],
};

export class Gauges {
  listeners: readonly Listener[] = [];
  losses: readonly Loss[] = [];
  exporters: readonly ExporterState[] = [];
  /** Plugins that do not run as they should, with their state. */
  impaired: readonly string[] = [];
  running = 0;
  #paces = new Map<string, readonly Pace[]>();
  #totals = new Map<string, number>();
  readonly #deltas = new Deltas();

  /** How fast a metric's rows grew over the last collection, the fastest first. */
  paces(metric: string): readonly Pace[] {
    return this.#paces.get(metric) ?? [];
  }

  /** The sum of a counter over all its series. */
  total(metric: string): number {
    return this.#totals.get(metric) ?? 0;
  }

  /** Takes all results of one collection; `own` is the exporter that shows them. */
  take(metrics: readonly Metric[], own: string): void {
    const byName = Map.groupBy(metrics, ({ spec }) => spec.name);
    this.#takeListeners(byName);
    this.#takeAgent(byName, own);
    const paced = metrics.filter(({ spec }) => Object.hasOwn(PACED, spec.name));
    const added = Map.groupBy(this.#deltas.next(paced), ({ spec }) => spec.name);
    for (const [name, labels] of Object.entries(PACED)) {
      const found = byName.get(name);
      if (!found) continue;
      this.#totals.set(
        name,
        pointsOf(found).reduce((sum, { value }) => sum + (value as number), 0),
      );
      this.#paces.set(name, pacesOf(labels, added.get(name) ?? []));
    }
  }

  #takeListeners(byName: ReadonlyMap<string, readonly Metric[]>): void {
    const limits = new Map(listenersOf(byName.get("wirespan.tcp.accept_queue.limit")));
    this.listeners = listenersOf(byName.get("wirespan.tcp.accept_queue.usage"))
      .map(([name, usage]) => ({ name, usage, limit: limits.get(name) ?? 0 }))
      .sort((a, b) => b.usage / (b.limit || 1) - a.usage / (a.limit || 1) || (a.name < b.name ? -1 : 1));
  }

  #takeAgent(byName: ReadonlyMap<string, readonly Metric[]>, own: string): void {
    const states = pointsOf(byName.get("wirespan.agent.plugin.state")).filter(({ value }) => value === 1);
    const stateOf = ({ attributes }: Point) => String(attributes["wirespan.agent.plugin.state"]);
    this.running = states.filter((point) => stateOf(point) !== "failed").length;
    this.impaired = states
      .filter((point) => stateOf(point) !== "running")
      .map((point) => `${String(point.attributes["wirespan.plugin.name"])} ${stateOf(point)}`);
    const exporters = new Map<string, Record<"acknowledged" | "lost" | "queued" | "limit", number>>();
    const of = (a: AnyAttributes) => {
      const name = String(a["otel.component.name"]);
      const known = exporters.get(name) ?? { acknowledged: 0, lost: 0, queued: 0, limit: 0 };
      exporters.set(name, known);
      return known;
    };
    for (const kind of ["span", "metric_data_point", "log"]) {
      for (const { attributes, value } of pointsOf(byName.get(`otel.sdk.exporter.${kind}.exported`))) {
        of(attributes)[attributes["error.type"] === undefined ? "acknowledged" : "lost"] += value as number;
      }
    }
    for (const { attributes, value } of pointsOf(byName.get("wirespan.agent.queue.usage")))
      of(attributes).queued = value as number;
    for (const { attributes, value } of pointsOf(byName.get("wirespan.agent.queue.limit")))
      of(attributes).limit = value as number;
    this.exporters = [...exporters]
      .filter(([name]) => name !== own)
      .map(([name, state]) => ({ name, ...state }));
    this.losses = lossesOf(byName);
  }
}

/** How fast the rows that `labels` name grew, the fastest first: several series may have the same label. */
function pacesOf(labels: readonly string[], added: readonly Metric[]): readonly Pace[] {
  const rows = new Map<string, number>();
  for (const { time, points } of added) {
    for (const { attributes, start, value } of points) {
      const elapsed = (time.bootNs - start.bootNs) / 1e9;
      if (elapsed <= 0 || value === 0) continue;
      const label = labels.map((key) => plain(attributes[key] ?? "")).join(" ");
      rows.set(label, (rows.get(label) ?? 0) + (value as number) / elapsed);
    }
  }
  return [...rows]
    .map(([name, perSecond]) => ({ name, perSecond }))
    .sort((a, b) => b.perSecond - a.perSecond);
}

const LOSSES = ["wirespan.agent.connection.lost", "wirespan.agent.event.unseen", "wirespan.agent.events"];

/** Sums of the programs' counters of losses. */
function lossesOf(byName: ReadonlyMap<string, readonly Metric[]>): readonly Loss[] {
  const sums = new Map<string, number>();
  for (const metric of LOSSES) {
    for (const { attributes, value } of pointsOf(byName.get(metric))) {
      if (!isLoss(metric, attributes) || value === 0) continue;
      const cause = causeOf(metric, attributes);
      sums.set(cause, (sums.get(cause) ?? 0) + (value as number));
    }
  }
  return [...sums].map(([cause, count]) => ({ cause, count })).sort((a, b) => b.count - a.count);
}

/** What was lost: `connections (no memory)`, `unseen events`, `drops`. */
function causeOf(metric: string, attributes: AnyAttributes): string {
  if (metric === "wirespan.agent.event.unseen") return "unseen events";
  const error = attributes["error.type"];
  if (error !== undefined) return `connections (${String(error).replaceAll("_", " ")})`;
  return String(attributes["wirespan.agent.event.kind"])
    .replace(/^lost_/, "")
    .replaceAll("_", " ");
}

function pointsOf(metrics: readonly Metric[] = []): readonly Point[] {
  return metrics.flatMap(({ points }) => points);
}

function listenersOf(metrics: readonly Metric[] = []): [name: string, value: number][] {
  return metrics.flatMap(({ resource, points }) =>
    points.map(({ attributes: a, value }): [string, number] => {
      const six = a["network.type"] === "ipv6" ? " (IPv6)" : "";
      return [`${serviceOf(a, resource)}:${String(a["server.port"] ?? "?")}${six}`, value as number];
    }),
  );
}
