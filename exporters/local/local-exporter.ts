// Passes spans, events and metrics to the store, in columns: the agent's side of the page without a backend. Tests:
// exporters/local/local-exporter.test.ts.
import type { LivingList } from "../../core/plugin/living.ts";
import type { Log } from "../../core/plugin/log.ts";
import type {
  Event,
  EventSpec,
  Metric,
  MetricSpec,
  Resource,
  Scope,
  Sink,
  Span,
  SpanSpec,
  Time,
} from "../../core/plugin/signals.ts";
import { Deltas } from "../deltas.ts";
import { ExportCounter } from "../export-counts.ts";
import { COMPONENTS, type ExportCounts, type Exporter, type Kind, type LossCause } from "../exporter.ts";
import { type Declaration, KINDS, RowBuilder } from "./columns.ts";
import { bytesOf, columnsOf, encodeFrame, type Head, type MetricHead } from "./frame.ts";
import { RecordedRows } from "./recorded.ts";
import { type Report, type StoreOptions, StoreProcess } from "./store-process.ts";

/** Rows of a frame, and milliseconds after which fewer are sent. */
const BATCH = { rows: 1024, ms: 1000 };

/** Maximum bytes that wait for the store. */
const QUEUE_BYTES = 8 * 1024 * 1024;

/** Resources that the store has to know at once. */
const MOST_RESOURCES = 4096;

/** A frame that the store has not committed. */
interface Waiting {
  readonly kind: Kind;
  readonly count: number;
  readonly bytes: number;
}

/** The rows of one declared signal that are not in a frame yet. */
interface Open {
  readonly id: number;
  readonly declaration: Declaration;
  readonly kind: Kind;
  readonly rows: RowBuilder;
  readonly recorded: RecordedRows;
}

export class LocalExporter implements Exporter, Sink {
  readonly name: string;
  readonly type = "local";
  readonly #counter = new ExportCounter();
  readonly #store: StoreProcess;
  readonly #deltas = new Deltas();
  readonly #open = new Map<SpanSpec | EventSpec, Open>();
  readonly #metrics = new Map<MetricSpec, number>();
  readonly #waiting = new Map<number, Waiting>();
  readonly #timer: NodeJS.Timeout;
  #resources = new WeakMap<Resource, number>();
  #declaredResources = 0;
  /** Ids that the running store has received. */
  #declared = new Set<SpanSpec | EventSpec | MetricSpec>();
  #nextId = 1;
  #seq = 0;
  #bytes = 0;
  #settled: (() => void)[] = [];
  #state: (() => unknown) | undefined;
  #living: (() => Promise<LivingList>) | undefined;
  /** When metrics came last, nanoseconds since boot. */
  #collected: number | undefined;
  #closed = false;
  #url: string | undefined;

  constructor(name: string, options: StoreOptions, log: Log, onReport: (report: Report) => void) {
    this.name = name;
    this.#store = new StoreProcess(
      options,
      log,
      (report) => {
        if ("committed" in report) this.#committed(report.committed);
        else if ("wanted" in report) void this.#list();
        else {
          if ("ready" in report) this.#url = report.ready.url;
          onReport(report);
        }
      },
      () => this.#ended(),
    );
    this.#timer = setInterval(() => {
      this.#ship();
      this.#forget();
    }, BATCH.ms);
    this.#timer.unref();
  }

  get queue() {
    return { bytes: this.#bytes, limit: QUEUE_BYTES };
  }

  /** Provides the agent's own state, which is sent with each collection. */
  set state(of: () => unknown) {
    this.#state = of;
  }

  /** Provides the currently open connections, if the page requests them. */
  set living(of: () => Promise<LivingList>) {
    this.#living = of;
  }

  /** The store's process; undefined while none runs. */
  get pid(): number | undefined {
    return this.#store.pid;
  }

  /** The page's address; undefined: it is disabled, or not ready yet. */
  get url(): string | undefined {
    return this.#url;
  }

  /** Creates a single-use address for a user who may not see the page otherwise. */
  invite(token: string): string | undefined {
    if (this.#url === undefined) return undefined;
    this.#write(encodeFrame({ type: "token", token }));
    return `${this.#url}#token=${token}`;
  }

  componentType(kind: Kind): string {
    return `wirespan_local_${COMPONENTS[kind]}_exporter`;
  }

  counts(kind: Kind): ExportCounts {
    let queued = 0;
    for (const waiting of this.#waiting.values()) if (waiting.kind === kind) queued += waiting.count;
    for (const open of this.#open.values()) if (open.kind === kind) queued += open.rows.n;
    return { ...this.#counter.of(kind), queued };
  }

  span(span: Span): void {
    if (!this.#take("span", 1)) return;
    const { rows, recorded } = this.#openFor(span.spec, span.scope, "span");
    const { start, end } = span;
    const head = {
      traceId: span.traceId,
      spanId: span.spanId,
      parentSpanId: span.parentSpanId,
      start: micros(start),
      duration: (end.sec - start.sec) * 1e9 + (end.nsec - start.nsec),
      resource: this.#resource(span.resource),
      kind: KINDS.indexOf(span.kind),
      error: span.error,
      links: span.links,
    };
    if (span.recorded) recorded.add(head, span.recorded);
    else rows.add(head, span.attributes);
    if (rows.isFull) this.#ship();
  }

  event(event: Event): void {
    if (!this.#take("event", 1)) return;
    const { rows, recorded } = this.#openFor(event.spec, event.scope, "event");
    const head = {
      traceId: event.context?.traceId,
      spanId: event.context?.spanId,
      start: micros(event.time),
      duration: -1,
      resource: this.#resource(event.resource),
      kind: 0,
      error: event.body,
    };
    if (event.recorded) recorded.add(head, event.recorded);
    else rows.add(head, event.attributes);
    if (rows.isFull) this.#ship();
  }

  metrics(metrics: readonly Metric[]): void {
    const added = this.#deltas.next(metrics);
    const count = added.reduce((sum, { points }) => sum + points.length, 0);
    const [first] = added;
    if (first === undefined || !this.#take("point", count)) return;
    const numbers: number[] = [];
    const heads = added.map((metric) => this.#metric(metric, numbers));
    const { time } = first;
    const seconds = (time.bootNs - (this.#collected ?? time.bootNs)) / 1e9;
    this.#collected = time.bootNs;
    const head = {
      type: "metrics",
      seq: ++this.#seq,
      time: micros(time),
      seconds,
      metrics: heads,
    } as const;
    this.#send(head, [bytesOf(Float64Array.from(numbers))], { kind: "point", count });
    if (this.#state) this.#write(encodeFrame({ type: "state", time: head.time, state: this.#state() }));
  }

  async refresh(): Promise<readonly string[]> {
    return [];
  }

  async flush(deadlineMs: number): Promise<void> {
    this.#ship();
    this.#write(encodeFrame({ type: "flush", seq: ++this.#seq }));
    if (this.#waiting.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#settled.push(resolve);
    const timer = setTimeout(resolve, deadlineMs);
    await promise;
    clearTimeout(timer);
  }

  async shutdown(deadlineMs: number): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    const deadline = performance.now() + deadlineMs;
    await this.flush(deadlineMs);
    await this.#store.close(Math.max(100, deadline - performance.now()));
    this.#lose("shutdown_timeout");
  }

  async #list(): Promise<void> {
    const time = Date.now() * 1000;
    try {
      const { total, connections } = (await this.#living?.()) ?? { total: 0, connections: [] };
      const rows = connections.map(({ traceId, resource, ...row }) => ({
        ...row,
        trace: Buffer.from(traceId).toString("hex"),
        resource: this.#resource(resource),
      }));
      this.#write(encodeFrame({ type: "living", time, total, rows }));
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      this.#write(encodeFrame({ type: "living", time, total: 0, rows: [], error: text }));
    }
  }

  /** Counts received items; false: no store runs, and they are lost. */
  #take(kind: Kind, count: number): boolean {
    this.#counter.given(kind, count);
    if (this.#store.input !== undefined) return true;
    this.#counter.lost(kind, "unconfirmed", count);
    return false;
  }

  #metric(metric: Metric, numbers: number[]): MetricHead {
    let id = this.#metrics.get(metric.spec);
    if (id === undefined) {
      id = this.#nextId++;
      this.#metrics.set(metric.spec, id);
    }
    this.#declare(metric.spec, { type: "metric", id, scope: metric.scope.name, spec: metric.spec });
    for (const { value } of metric.points) {
      if (typeof value === "number") numbers.push(value);
      else {
        const { count, sum, scale, zeroCount, offset, counts } = value;
        numbers.push(count, sum, scale, zeroCount, offset, counts.length);
        for (let i = 0; i < counts.length; i++) numbers.push(counts[i]!);
      }
    }
    return {
      metric: id,
      resource: this.#resource(metric.resource),
      points: metric.points.map(({ attributes }) => attributes),
    };
  }

  #openFor(spec: SpanSpec | EventSpec, scope: Scope, kind: Kind): Open {
    const known = this.#open.get(spec);
    if (known) return known;
    const { signal, name, description, attributes } = spec;
    const rows = new RowBuilder(attributes, BATCH.rows);
    const open: Open = {
      id: this.#nextId++,
      kind,
      declaration: {
        signal,
        name,
        scope: scope.name,
        description,
        attributes,
        ...(spec.signal === "event" && { severity: spec.severity }),
      },
      rows,
      recorded: new RecordedRows(rows),
    };
    this.#open.set(spec, open);
    return open;
  }

  #resource(resource: Resource): number {
    const known = this.#resources.get(resource);
    if (known !== undefined) return known;
    const id = this.#nextId++;
    this.#resources.set(resource, id);
    this.#declaredResources++;
    this.#write(encodeFrame({ type: "resource", id, attributes: resource.attributes }));
    return id;
  }

  /** Of processes that come and go most have gone: those that are still there are declared again. */
  #forget(): void {
    if (this.#declaredResources < MOST_RESOURCES) return;
    this.#resources = new WeakMap();
    this.#declaredResources = 0;
    this.#write(encodeFrame({ type: "forget" }));
  }

  #declare(spec: SpanSpec | EventSpec | MetricSpec, head: Head): void {
    if (this.#declared.has(spec)) return;
    this.#declared.add(spec);
    this.#write(encodeFrame(head));
  }

  #ship(): void {
    for (const [spec, { id, declaration, kind, rows }] of this.#open) {
      if (rows.n === 0) continue;
      this.#declare(spec, { type: "signal", id, declaration });
      const { n, words } = rows;
      const head: Head = { type: "rows", seq: ++this.#seq, signal: id, n, links: rows.linkBytes, words };
      this.#send(head, columnsOf(rows), { kind, count: n });
      rows.clear();
    }
  }

  #send(
    head: Head & { readonly seq: number },
    columns: readonly Uint8Array[],
    given: Omit<Waiting, "bytes">,
  ): void {
    const frame = encodeFrame(head, columns);
    if (this.#bytes + frame.length > QUEUE_BYTES) {
      this.#counter.lost(given.kind, "queue_full", given.count);
      return;
    }
    this.#bytes += frame.length;
    this.#waiting.set(head.seq, { ...given, bytes: frame.length });
    this.#write(frame);
  }

  #write(frame: Buffer): void {
    this.#store.input?.write(frame);
  }

  /** All frames up to `seq` are in the database. */
  #committed(seq: number): void {
    for (const [each, { kind, count, bytes }] of this.#waiting) {
      if (each > seq) break;
      this.#waiting.delete(each);
      this.#bytes -= bytes;
      this.#counter.acknowledged(kind, count);
    }
    if (this.#waiting.size === 0) for (const settled of this.#settled.splice(0)) settled();
  }

  /** The next store does not have this one's declarations. */
  #ended(): void {
    this.#lose("unconfirmed");
    this.#declared = new Set();
    this.#resources = new WeakMap();
    this.#declaredResources = 0;
    // Their resources were numbered for the previous store.
    for (const { kind, rows } of this.#open.values()) {
      this.#counter.lost(kind, "unconfirmed", rows.n);
      rows.clear();
    }
  }

  #lose(cause: LossCause): void {
    for (const { kind, count } of this.#waiting.values()) this.#counter.lost(kind, cause, count);
    this.#waiting.clear();
    this.#bytes = 0;
    for (const settled of this.#settled.splice(0)) settled();
  }
}

function micros({ sec, nsec }: Time): number {
  return sec * 1e6 + nsec / 1000;
}
