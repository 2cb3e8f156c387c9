// Losses, listeners, CPUs and queues, from metrics. Tests: store/query/queries.test.ts.

import type { Heat, Host, Line, Listener, Listeners, Losses } from "../answers.ts";
import { dropAdvice } from "../findings/drop-advice.ts";
import type { Histogram } from "../histogram.ts";
import type { Series } from "../points.ts";
import { heat } from "./heat.ts";
import type { Resources } from "./resources.ts";
import type { Interval } from "./scan.ts";
import { groupTotals, type SeriesQuery, type SeriesTotal } from "./series.ts";

const text = (series: Series, key: string): string => String(series.attributes[key] ?? "");

function line({ values }: SeriesTotal): Line {
  return [...values].sort(([a], [b]) => a - b);
}

/** Causes of TCP retransmissions, and their meaning. */
const RETRANSMITS: Readonly<Record<string, string>> = {
  rto: "A timeout: nothing was acknowledged for at least 200 ms, so that the request waited.",
  tlp: "A tail loss probe: the last segments were not acknowledged in time; harmless if it is rare.",
  fast: "Selective acknowledgements showed a gap: packets are lost on the way.",
  slow_start: "More of what was in flight at a timeout.",
  syn: "A SYN without an answer: the handshake took a second or more longer.",
  synack: "The answer to a SYN was not acknowledged: it, or the ACK, was lost.",
};

/** Packets dropped by reason, segments retransmitted by type, and their owners. */
export function losses(query: SeriesQuery, interval: Interval, now: number, resources: Resources): Losses {
  const found = query.between(interval, now, [
    "wirespan.tcp.packet.dropped",
    "wirespan.tcp.listener.dropped",
    "wirespan.tcp.retransmits",
    "wirespan.tcp.retransmit.failures",
  ]);
  const by = (metric: string, key: (series: Series) => string) =>
    [...groupTotals(found.of(metric), key)]
      .filter(([, { total }]) => total > 0)
      .map(([name, total]) => ({ name, count: total.total, line: line(total) }))
      .sort((a, b) => b.count - a.count);
  const service = (series: Series) => resources.service(series.resource);
  const whose = (metric: string, key: (series: Series) => string) => {
    const owners = Map.groupBy(
      by(metric, (series) => `${key(series)}\n${service(series)}`),
      ({ name }) => name.split("\n", 1)[0]!,
    );
    return by(metric, key).map((part) => ({
      ...part,
      whose: owners
        .get(part.name)
        ?.map(({ name, count }) => [name.slice(part.name.length + 1), count] as const),
    }));
  };
  return {
    dropped: whose("wirespan.tcp.packet.dropped", (series) =>
      text(series, "wirespan.packet.drop.reason"),
    ).map((part) => ({ ...part, means: dropAdvice(part.name) })),
    droppedOf: by("wirespan.tcp.packet.dropped", service),
    retransmitted: whose("wirespan.tcp.retransmits", (series) =>
      text(series, "wirespan.tcp.retransmit.type"),
    ).map((part) => ({ ...part, means: RETRANSMITS[part.name] ?? "" })),
    retransmittedOf: by("wirespan.tcp.retransmits", service),
    failures: by("wirespan.tcp.retransmit.failures", (series) => text(series, "error.type")),
    rejected: by(
      "wirespan.tcp.listener.dropped",
      (series) => `${service(series)}:${text(series, "server.port")}`,
    ),
  };
}

/** `waits`: how long connections waited, by service and port. */
export function listeners(
  query: SeriesQuery,
  interval: Interval,
  now: number,
  resources: Resources,
  waits: ReadonlyMap<string, Histogram>,
): Listeners {
  const usage = "wirespan.tcp.accept_queue.usage";
  const limit = "wirespan.tcp.accept_queue.limit";
  const dropped = "wirespan.tcp.listener.dropped";
  const accepted = "wirespan.tcp.connection.accepted";
  const errors = "wirespan.tcp.accept.errors";
  const found = query.between(interval, now, [usage, limit, dropped, accepted, errors]);
  const key = (series: Series) => `${series.resource} ${text(series, "server.port")}`;
  const of = (metric: string) => groupTotals(found.of(metric), key);
  const [limits, drops] = [of(limit), of(dropped)];
  const byResource = (metric: string) => groupTotals(found.of(metric), ({ resource }) => String(resource));
  const [accepts, failed] = [byResource(accepted), byResource(errors)];
  const all = [...of(usage)].map(([name, total]): Listener => {
    const { resource, attributes } = total.series;
    const service = resources.service(resource);
    const port = Number(attributes["server.port"] ?? 0);
    const wait = waits.get(`${service} ${port}`);
    return {
      isOpen: total.values.has(found.begins.at(-1)!),
      service,
      resource,
      port,
      process: String(attributes["process.executable.name"] ?? ""),
      waiting: total.total,
      mostWaiting: total.most,
      limit: limits.get(name)?.total ?? 0,
      line: line(total),
      accepted: accepts.get(String(resource))?.total ?? 0,
      rejected: drops.get(name)?.total ?? 0,
      errors: failed.get(String(resource))?.total ?? 0,
      waitP50: wait?.quantile(0.5),
      waitP99: wait?.quantile(0.99),
    };
  });
  const fullness = ({ mostWaiting, limit: most }: Listener) => mostWaiting / (most + 1);
  return {
    seconds: found.seconds,
    listeners: all.sort((a, b) => b.rejected - a.rejected || fullness(b) - fullness(a)),
  };
}

/** Histograms that are metrics: their names, and by which attribute they can be limited. */
export const METRIC_HEATS = {
  state: { metric: "wirespan.tcp.state.duration", part: "network.connection.state" },
  softirq: { metric: "wirespan.softirq.latency", part: "wirespan.softirq.vector" },
  qdisc: { metric: "wirespan.netdev.queue.wait", part: "network.interface.name" },
} as const;
export type MetricHeat = keyof typeof METRIC_HEATS;

/**
 * `only`: a value of its part, or empty; `cpu`: `3`, `not 3` or empty; `service`: whether those of services are
 * included.
 */
export function metricHeat(
  query: SeriesQuery,
  interval: Interval,
  now: number,
  of: MetricHeat,
  limits: { readonly only: string; readonly cpu: string; readonly isWanted: (resource: number) => boolean },
): Heat {
  const { metric, part } = METRIC_HEATS[of];
  const parts = new Map<string, number>();
  for (const { series, histogram } of query.between(interval, now, [metric]).of(metric)) {
    const name = text(series, part);
    parts.set(name, (parts.get(name) ?? 0) + histogram.count);
  }
  const isOfCpu = (series: Series) => {
    const cpu = text(series, "cpu.logical_number");
    return limits.cpu.startsWith("not ") ? cpu !== limits.cpu.slice(4) : cpu === limits.cpu;
  };
  const { seconds, all } = query.histograms(
    interval,
    now,
    metric,
    (series) =>
      (limits.only === "" || text(series, part) === limits.only) &&
      (limits.cpu === "" || isOfCpu(series)) &&
      limits.isWanted(series.resource),
  );
  const names = [...parts].sort(([, a], [, b]) => b - a).map(([name]) => name);
  return { ...heat(all, seconds, interval), parts: names };
}

/** Softirqs by vector and CPU, NAPI, and the queues of interfaces. */
export function host(query: SeriesQuery, interval: Interval, now: number): Host {
  const found = query.between(interval, now, [
    "wirespan.softirq.time",
    "wirespan.softirq.latency",
    "wirespan.softirq.napi.polls",
    "wirespan.softirq.napi.packets",
    "wirespan.softirq.napi.exhausted",
    "wirespan.netdev.queue.packets",
    "wirespan.netdev.queue.io",
    "wirespan.netdev.transmit.failures",
  ]);
  const latency = groupTotals(found.of("wirespan.softirq.latency"), (series) =>
    text(series, "wirespan.softirq.vector"),
  );
  const napi = (what: string) =>
    groupTotals(found.of(`wirespan.softirq.napi.${what}`), (series) => text(series, "cpu.logical_number"));
  const sum = (metric: string) => found.of(metric).reduce((total, one) => total + one.total, 0);
  const queue = (series: Series) =>
    ["wirespan.netns.cookie", "network.interface.name", "wirespan.netdev.queue.id", "network.io.direction"]
      .map((key) => text(series, key))
      .join("\n");
  const bytes = groupTotals(found.of("wirespan.netdev.queue.io"), queue);
  return {
    seconds: found.seconds,
    step: found.step,
    softirqs: [...groupTotals(found.of("wirespan.softirq.time"), cpuAndVector)].map(([name, total]) => {
      const [vector = "", cpu = ""] = name.split("\n");
      return { vector, cpu: cpu === "" ? undefined : Number(cpu), seconds: total.total, line: line(total) };
    }),
    latency: [...latency].map(([vector, { histogram }]) => {
      return { vector, p50: histogram.quantile(0.5), p99: histogram.quantile(0.99), count: histogram.count };
    }),
    napi: [...napi("polls")].map(([cpu, { total }]) => ({
      cpu: cpu === "" ? undefined : Number(cpu),
      polls: total,
      packets: napi("packets").get(cpu)?.total ?? 0,
      exhausted: napi("exhausted").get(cpu)?.total ?? 0,
    })),
    transmitFailures: sum("wirespan.netdev.transmit.failures"),
    queues: [...groupTotals(found.of("wirespan.netdev.queue.packets"), queue)].map(([name, total]) => {
      const [netns = "", device = "", id = "", direction = ""] = name.split("\n");
      return {
        netns: String(total.series.attributes["wirespan.netns.name"] ?? netns),
        interface: device,
        queue: Number(id),
        direction,
        packets: total.total,
        bytes: bytes.get(name)?.total ?? 0,
        line: line(total),
      };
    }),
  };
}

function cpuAndVector(series: Series): string {
  return `${text(series, "wirespan.softirq.vector")}\n${text(series, "cpu.logical_number")}`;
}
