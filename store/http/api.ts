// The responses of the paths of /api/v1. Tests: store/http/server.test.ts, store/query/queries.test.ts.
import type { Agent, AgentState, AgentSummary } from "../agent-answers.ts";
import type { Finding, Heat, Listeners, Meta, Living as Open, Trace, TraceRow, Vitals } from "../answers.ts";
import type { Copier } from "../copier.ts";
import type { Database } from "../database.ts";
import { RULES } from "../findings/finding.ts";
import type { Findings } from "../findings/findings.ts";
import { Histogram } from "../histogram.ts";
import type { Ingest } from "../ingest.ts";
import type { Living } from "../living.ts";
import { Edges, type EdgeWindow, edgeField, histograms, SPLIT, totals } from "../query/edges.ts";
import { FilterError, parseFilter } from "../query/filter.ts";
import { GROUPED, groups } from "../query/groups.ts";
import { heat, split, synTimes } from "../query/heat.ts";
import { host, listeners, losses, METRIC_HEATS, type MetricHeat, metricHeat } from "../query/host.ts";
import { differences, LISTS, type ListOf, list, ORDERS } from "../query/lists.ts";
import { LIVING_ORDERS, livingList } from "../query/living.ts";
import { strip } from "../query/overview.ts";
import { type Interval, Progress, type Scan } from "../query/scan.ts";
import { SeriesQuery } from "../query/series.ts";
import { stacks } from "../query/stacks.ts";
import { term } from "../query/term.ts";
import { NODE_KINDS, topology } from "../query/topology.ts";
import { eventsBefore, traceOf } from "../query/trace.ts";
import { traceRow } from "../query/trace-row.ts";
import { LINE, steps, VITAL_METRICS, vitalLines, vitals } from "../query/vitals.ts";
import { HISTOGRAMS, type Measured } from "../sums/edge.ts";
import { BadRequest, Parameters } from "./parameters.ts";

export interface Store {
  readonly db: Database;
  /** Makes recordings. */
  copier(): Copier;
  readonly ingest: Ingest;
  readonly scan: Scan;
  readonly findings: Pick<Findings, "raised">;
  /** Absent for a recording. */
  readonly living?: Pick<Living, "ask"> | undefined;
  /** `host`, `version`, `boot` and so on: what the agent reports about itself. */
  about(): Readonly<Record<string, unknown>>;
  readonly isRecording: boolean;
  /** Seconds since the epoch; for a recording, its end. */
  now(): number;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

type Handler = (parameters: Parameters, progress: Progress, rest: string) => unknown;

interface Route {
  readonly parameters: readonly string[];
  readonly handle: Handler;
}

/** Parameters of what can be filtered. */
export const FILTERED = ["from", "to", "last", "q"];

export class Api {
  readonly #store: Store;
  readonly #edges: Edges;
  readonly #series: SeriesQuery;
  readonly #routes: Readonly<Record<string, Route>>;
  /** The last vitals of the time before an interval. */
  #before: { readonly key: string; readonly vitals: Vitals } | undefined;

  constructor(store: Store) {
    this.#store = store;
    this.#edges = new Edges(store.ingest.windows, store.scan);
    this.#series = new SeriesQuery(store.ingest.points);
    const { scan, findings } = store;
    const range = (of: (interval: Interval) => unknown): Route => ({
      parameters: FILTERED,
      handle: (parameters) => of(parameters.interval),
    });
    this.#routes = {
      meta: { parameters: [], handle: () => this.#meta() },
      findings: {
        parameters: [],
        handle: () => ({ findings: findings.raised satisfies readonly Finding[], checks: RULES.length }),
      },
      strip: {
        parameters: FILTERED,
        handle: async (parameters, progress) =>
          strip(await this.#windows(parameters, progress), parameters.interval),
      },
      vitals: {
        parameters: FILTERED,
        handle: async (parameters, progress) => this.#vitals(parameters, progress),
      },
      heat: {
        parameters: [...FILTERED, "of", "only", "cpu", "by"],
        handle: (parameters, progress) => this.#heat(parameters, progress),
      },
      diff: {
        parameters: [...FILTERED, "of", "t0", "t1", "least", "most"],
        handle: (parameters, progress) => {
          const box = {
            from: parameters.number("t0", 0) * 1e6,
            to: parameters.number("t1", 0) * 1e6,
            least: parameters.number("least", 0),
            most: parameters.number("most", 1e9),
          };
          return differences(scan, listOf(parameters), parameters.interval, box, parameters.filter, progress);
        },
      },
      connections: {
        parameters: [...FILTERED, "of", "order", "after"],
        handle: (parameters, progress) =>
          list(
            scan,
            listOf(parameters),
            parameters.interval,
            parameters.filter,
            parameters.oneOf("order", ORDERS, "time"),
            Math.floor(parameters.number("after", 0)),
            progress,
          ),
      },
      groups: {
        parameters: [...FILTERED, "of", "by"],
        handle: (parameters, progress) =>
          groups(
            scan,
            listOf(parameters),
            parameters.oneOf("by", GROUPED, "service"),
            parameters.interval,
            parameters.filter,
            progress,
          ),
      },
      living: {
        parameters: ["q", "order"],
        handle: (parameters) => this.#living(parameters),
      },
      topology: {
        parameters: [...FILTERED, "by"],
        handle: (parameters, progress) => {
          const by = parameters.oneOf("by", NODE_KINDS, "service");
          const asked = { interval: parameters.interval, filter: parameters.filter, now: store.now() };
          const from = { edges: this.#edges, scan, series: this.#series, own: store.ingest };
          return topology(from, by, asked, progress);
        },
      },
      losses: range((interval) => losses(this.#series, interval, store.now(), scan.resources)),
      stacks: {
        parameters: [...FILTERED, "reason"],
        handle: (parameters, progress) =>
          stacks(scan, parameters.interval, parameters.filter, parameters.text("reason"), progress),
      },
      listeners: {
        parameters: FILTERED,
        handle: (parameters, progress) => this.#listeners(parameters, progress),
      },
      host: range((interval) => host(this.#series, interval, store.now())),
      agent: { parameters: [], handle: () => this.#agent() },
      trace: { parameters: [], handle: (_, progress, id) => this.#trace(id, progress) },
      events: {
        parameters: FILTERED,
        handle: (parameters, progress) => this.#events(parameters, progress),
      },
    };
  }

  /** Answers a path without `/api/v1/`. Never throws. */
  async answer(path: string, query: URLSearchParams): Promise<Answer> {
    const [name = "", rest = ""] = path.split("/");
    const route = Object.hasOwn(this.#routes, name) ? this.#routes[name] : undefined;
    if (route === undefined) return { status: 404, body: { error: `there is no ${name}` } };
    const progress = new Progress();
    try {
      const parameters = new Parameters(query, route.parameters, this.#store.now());
      const data = await route.handle(parameters, progress, rest);
      if (data === undefined) return { status: 404, body: { error: "there is nothing of this id" } };
      const { partial, scanned, oneIn } = progress;
      return { status: 200, body: { asOf: this.#store.now(), partial, scanned, oneIn, ...data } };
    } catch (error) {
      if (error instanceof BadRequest || error instanceof FilterError)
        return { status: 400, body: { error: error.message } };
      return { status: 500, body: { error: error instanceof Error ? error.message : String(error) } };
    }
  }

  #windows(parameters: Parameters, progress: Progress) {
    return this.#edges.between(parameters.interval, parameters.filter, progress, this.#store.now());
  }

  /** A heatmap of the sums by edge, or of a metric. */
  async #heat(parameters: Parameters, progress: Progress): Promise<Heat> {
    const metrics = Object.keys(METRIC_HEATS) as MetricHeat[];
    const of = parameters.oneOf("of", [...HISTOGRAMS, ...metrics], "connect");
    const { interval, filter } = parameters;
    const { now, scan } = this.#store;
    const metric = metrics.find((one) => one === of);
    if (metric !== undefined) {
      const isWanted = (resource: number) =>
        filter.matches({
          text: (field) => (field === "service" ? scan.resources.service(resource) : undefined),
          number: () => undefined,
        });
      const limits = { only: parameters.text("only"), cpu: parameters.text("cpu"), isWanted };
      return metricHeat(this.#series, interval, now(), metric, limits);
    }
    const { all, seconds } = await this.#windows(parameters, progress);
    const drawn = (some: readonly EdgeWindow[]) => heat(histograms(some, of as Measured), seconds, interval);
    const by = parameters.oneOf("by", ["", ...SPLIT], "");
    return {
      ...drawn(all),
      ...(of === "connect" && { synTimes: synTimes(Number(this.#store.about().synLinearTimeouts ?? 0)) }),
      ...(by !== "" && { split: split(all, (edge) => edgeField(edge, by, scan.resources), drawn) }),
    };
  }

  async #living(parameters: Parameters): Promise<Open> {
    const { living, ingest, scan } = this.#store;
    if (living === undefined) throw new BadRequest("a recording has no open connections");
    const order = parameters.oneOf("order", LIVING_ORDERS, "age");
    const head = await living.ask();
    if (head.error !== undefined) throw new Error(`the agent cannot list open connections: ${head.error}`);
    return livingList(head, parameters.filter, order, (id) => ingest.resourceOf(id), scan.resources);
  }

  async #listeners(parameters: Parameters, progress: Progress): Promise<Listeners> {
    const { resources } = this.#store.scan;
    const waits = new Map<string, Histogram>();
    for (const { edge, sums } of totals((await this.#windows(parameters, progress)).all).values()) {
      if (edge.direction !== "inbound") continue;
      const name = `${resources.service(edge.resource)} ${edge.port}`;
      const wait = waits.get(name) ?? new Histogram();
      wait.merge(sums.histograms.queue);
      waits.set(name, wait);
    }
    return listeners(this.#series, parameters.interval, this.#store.now(), resources, waits);
  }

  /** For the interval, and for an interval of the same length, at most an hour, before it. */
  async #vitals(parameters: Parameters, progress: Progress) {
    const { interval, filter } = parameters;
    const length = Math.min(3600e6, interval.to - interval.from);
    const before = { from: interval.from - length, to: interval.from };
    const now = this.#store.now();
    const windows = (of: Interval) => this.#edges.between(of, filter, progress, now);
    // Metrics of the host are of no service or peer.
    const host = (of: Interval) =>
      filter.text === "" ? this.#series.between(of, now, VITAL_METRICS, LINE) : undefined;
    const [all, metrics] = [steps(await windows(interval), interval), host(interval)];
    // The same as long as no window enters or leaves it.
    const key = [before.from, before.to].map((time) => Math.floor(time / 1e7)).join() + filter.text;
    let earlier = this.#before?.key === key ? this.#before.vitals : undefined;
    if (earlier === undefined) {
      earlier = vitals(steps(await windows(before), before), before, host(before));
      if (!progress.partial) this.#before = { key, vitals: earlier };
    }
    return {
      now: vitals(all, interval, metrics),
      lines: vitalLines(all, interval, metrics),
      before: earlier,
    };
  }

  #meta(): Meta {
    const { db, ingest, isRecording } = this.#store;
    const { calm, notable, application } = db.kept();
    const sums = db.get("SELECT min(t) t FROM sum")?.t as number | null | undefined;
    return {
      ...(this.#store.about() as Pick<Meta, "started">),
      isRecording,
      agent: summaryOf(ingest.state),
      file: db.file,
      bytes: db.bytes,
      used: calm.bytes + notable.bytes + application.bytes,
      keptFrom: { calm: seconds(calm.from), notable: seconds(notable.from), sums: sums ?? undefined },
      keepsOneIn: ingest.oneIn,
      isEmpty: ingest.signals.length === 0,
    };
  }

  #agent(): Agent {
    const { db, ingest } = this.#store;
    return {
      state: ingest.state?.state as AgentState | undefined,
      stateAt: ingest.state && ingest.state.time / 1e6,
      store: {
        file: db.file,
        bound: db.bytes,
        kept: db.kept(),
        evicted: db.evicted,
        oneIn: ingest.oneIn,
        edgesOverflow: ingest.windows.overflow,
        memory: process.memoryUsage().rss,
      },
    };
  }

  async #trace(id: string, progress: Progress): Promise<Trace | undefined> {
    const { db, ingest, scan } = this.#store;
    const spans = traceOf(db, ingest, scan.resources, id);
    if (spans === undefined) throw new BadRequest(`${id} is not a trace's id: 32 hexadecimal digits`);
    if (spans.length === 0) return undefined;
    const before = await eventsBefore(scan, spans, progress);
    const rows = [...spans, ...before].sort((a, b) => a.start - b.start);
    const resources: Record<number, Trace["resources"][string]> = {};
    for (const { resource } of rows) resources[resource] ??= scan.resources.of(resource);
    return { rows, resources, ranks: await this.#ranks(rows, progress) };
  }

  /**
   * How each handshake, wait and lifetime compares with those of its edge in the hour before: the fraction that was
   * shorter.
   */
  async #ranks(rows: readonly TraceRow[], progress: Progress): Promise<Record<string, number>> {
    const ranks: Record<string, number> = {};
    for (const row of rows) {
      const measured = measuredOf(row);
      const edge = edgeOf(row);
      if (measured.length === 0 || edge === undefined) continue;
      const end = (row.start + row.duration!) * 1e6;
      const filter = parseFilter(
        `${term("service", row.service)} ${term("peer", String(edge.peer))} port:${edge.port} direction:${edge.direction}`,
      );
      const interval = { from: end - 3600e6, to: end };
      const { all } = await this.#edges.between(interval, filter, progress, this.#store.now(), 60);
      for (const [key, of, took] of measured) {
        const histogram = new Histogram();
        for (const { sums } of all) sums.addHistogram(of, histogram);
        const rank = histogram.count >= 10 ? histogram.rank(took) : undefined;
        if (rank !== undefined) ranks[key] = rank;
      }
    }
    return ranks;
  }

  /** The newest events, at most 500. */
  async #events(parameters: Parameters, progress: Progress) {
    const { scan } = this.#store;
    const names = scan.signals
      .filter(({ declaration }) => declaration.signal === "event")
      .map(({ name }) => name);
    const found: TraceRow[] = [];
    await scan.rows(names, parameters.interval, parameters.filter, progress, ({ signal, rows }, row) => {
      found.push(traceRow(signal, rows, row, 0, scan.resources));
      if (found.length >= 2000) found.sort((a, b) => b.start - a.start).splice(500);
    });
    return { events: found.sort((a, b) => b.start - a.start).slice(0, 500) };
  }
}

/** Undefined: the agent has not reported. */
function summaryOf(reported: Ingest["state"]): AgentSummary | undefined {
  if (reported === undefined) return undefined;
  const { plugins, exporters, connections } = reported.state as AgentState;
  const losses = exporters.flatMap(({ balance }) => Object.values(balance).map(({ lost }) => lost));
  const sum = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((a, b) => a + b, 0);
  return {
    at: reported.time / 1e6,
    plugins,
    lost: losses.reduce((total, lost) => total + sum(lost), 0),
    living: connections.living,
  };
}

function listOf(parameters: Parameters): ListOf {
  return parameters.oneOf("of", Object.keys(LISTS) as ListOf[], "connection");
}

/** The durations of a span that are compared with the sums, and their keys. */
function measuredOf({ name, span, duration, attributes }: TraceRow) {
  const wait = attributes["wirespan.tcp.accept.queue_wait"];
  const all: (readonly [key: string, of: Measured, took: number])[] = [];
  if (name === "tcp connection") all.push([span, "life", duration!]);
  if (name === "tcp connect") all.push([span, "connect", duration!]);
  if (name === "tcp accept") all.push([span, "accept", duration!]);
  if (name === "tcp accept" && typeof wait === "number") all.push([`${span} queue`, "queue", wait]);
  return all;
}

function edgeOf({ attributes }: TraceRow) {
  const direction = attributes["wirespan.connection.direction"];
  const port = attributes[direction === "inbound" ? "network.local.port" : "network.peer.port"];
  const peer = attributes["network.peer.address"];
  return port === undefined || peer === undefined || direction === undefined
    ? undefined
    : { direction, port, peer };
}

function seconds(micros: number | undefined): number | undefined {
  return micros === undefined ? undefined : micros / 1e6;
}
