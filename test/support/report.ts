// A plugin's report about a namespace, without what differs between runs: ids, times, values that the kernel chooses.
import { spansWith } from "../../core/plugin/connection.ts";
import type { Plugin } from "../../core/plugin/plugin.ts";
import type { AnyAttributes, AttributeSpecs, Metric, Point } from "../../core/plugin/signals.ts";
import type { Kept } from "./engine.ts";

/** Spans and events as sorted texts, by name; metrics by series: the sum, or the count of a histogram. */
export interface Report {
  readonly spans: Readonly<Record<string, readonly string[]>>;
  readonly events: readonly string[];
  readonly metrics: Readonly<Record<string, number>>;
}

const NETNS = "wirespan.netns.inode";
const varying: ReadonlySet<string> = new Set([
  NETNS,
  "wirespan.netns.cookie",
  "wirespan.netns.name",
  "wirespan.process.acceptor.pid",
  "process.pid",
  "wirespan.thread.tid",
  "wirespan.process.last_user.pid",
  "wirespan.process.closer.pid",
  "wirespan.process.context.pid",
  "wirespan.process.context.name",
  "wirespan.connection.id",
  "wirespan.socket.id",
  "wirespan.tcp.sequence",
  // The source of an event's owner depends on whether accept() has returned by then.
  "wirespan.process.source",
  // Whether an acknowledgement is sent separately depends on microseconds.
  "wirespan.tcp.segments_sent",
  "wirespan.tcp.segments_received",
]);
const firstEphemeral = 32_768;

/** Only declared attributes that are neither times (double) nor chosen by the kernel. */
function reported(attributes: AnyAttributes, declared: AttributeSpecs): string {
  const kept = Object.entries(attributes).filter(
    ([key, value]) =>
      value !== undefined && !varying.has(key) && declared[key] && declared[key].type !== "double",
  );
  const plain = kept.map(([key, value]) =>
    key.endsWith(".port") && Number(value) >= firstEphemeral ? [key, "ephemeral"] : [key, value],
  );
  return JSON.stringify(Object.fromEntries(plain.sort()));
}

export interface Said {
  readonly spans: readonly Kept[];
  readonly events: readonly Kept[];
  readonly metrics: readonly Metric[];
}

/** The part of everything that `plugin` reports about the namespace with that number. */
export function reportOf({ name, signals, spans: asked = {} }: Plugin, said: Said, netns: number): Report {
  const isHere = ({ attributes }: { readonly attributes: AnyAttributes }) =>
    (attributes[NETNS] ?? netns) === netns;
  const spans = Object.entries(spansWith([asked]))
    .filter(([key]) => key in asked)
    .map(([, spec]) => {
      const own = said.spans.filter((span) => span.name === spec.name && isHere(span));
      return [spec.name, own.map(({ attributes }) => reported(attributes, spec.attributes)).sort()] as const;
    });
  const events = Object.values(signals)
    .filter(({ signal }) => signal === "event")
    .flatMap((spec) => {
      const own = said.events.filter((event) => event.name === spec.name && isHere(event));
      return own.map(({ attributes }) => `${spec.name} ${reported(attributes, spec.attributes)}`);
    });
  const metrics: Record<string, number> = {};
  for (const { spec, points } of said.metrics.filter(({ scope }) => scope.name === `wirespan.${name}`)) {
    for (const point of points.filter(isHere)) {
      const key = `${spec.name} ${reported(point.attributes, spec.attributes)}`;
      metrics[key] = (metrics[key] ?? 0) + amount(point);
    }
  }
  return { spans: Object.fromEntries(spans), events: events.sort(), metrics };
}

const amount = ({ value }: Point): number => (typeof value === "number" ? value : value.count);
