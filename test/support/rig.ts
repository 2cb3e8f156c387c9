// Runs a plugin's mapping without the kernel or privileges: records in, signals out. Records are plain objects; missing
// fields are zero. Everything emitted is checked against the plugin's declarations.
import assert from "node:assert/strict";
import { type ConnRecord, ConnRecordCursor } from "../../bpf/include/wirespan/structs.skel.ts";
import { LinkedRecordCursor } from "../../bpf/tracker/tracker.skel.ts";
import { ConnectionSpans } from "../../core/engine/connection-spans.ts";
import { LargestValues } from "../../core/engine/exemplars.ts";
import { createInstruments } from "../../core/engine/instruments.ts";
import { Sampling } from "../../core/engine/sampling.ts";
import type { AnyEnrich, Exemplify, RequestedSpan, SpanRequests } from "../../core/plugin/connection.ts";
import type { Plugin } from "../../core/plugin/plugin.ts";
import { seriesFrom } from "../../core/plugin/series.ts";
import type { FoundLinks, Workload } from "../../core/plugin/services.ts";
import { services } from "../../core/plugin/services.ts";
import type {
  AnyAttributes,
  Event,
  Metric,
  Point,
  Resource,
  SignalSpec,
  Sink,
  Span,
} from "../../core/plugin/signals.ts";
import type { Cursor, TableRows } from "../../core/plugin/skeleton.ts";

/** The fields of a record that a test needs; others are zero, false, empty or the first of an enum. */
export type Given<R> = R extends Uint8Array | Float64Array | Uint32Array
  ? R
  : R extends object
    ? { readonly [K in keyof R]?: Given<R[K]> }
    : R;

/** The zero value of a class of records. */
function zero<R extends object>(make: new () => R & Cursor): R {
  return pointedAt(make, new Uint8Array(8192));
}

function pointedAt<R extends Cursor>(make: new () => R, bytes: Uint8Array<ArrayBuffer>): R {
  const record = new make();
  record.at(new Uint32Array(bytes.buffer), bytes, 0);
  return record;
}

/** A zero record with some of its fields. */
function overlaid<R extends object>(base: R, given: Given<R>): R {
  const fields = given as Readonly<Record<PropertyKey, unknown>>;
  const get = (_: R, key: PropertyKey): unknown => {
    const own = (base as Readonly<Record<PropertyKey, unknown>>)[key];
    if (!(key in fields)) return own;
    const value = fields[key];
    const isRecord = typeof value === "object" && value !== null && !ArrayBuffer.isView(value);
    return isRecord ? overlaid(own as object, value as never) : value;
  };
  return new Proxy(base, { get });
}

class Table implements TableRows<unknown, unknown> {
  /** Positions of the rows that the plugin removed. */
  readonly removed: number[] = [];
  readonly #rows: readonly (readonly [key: unknown, value: unknown, cpu: number])[];
  #at = -1;

  constructor(rows: readonly (readonly [key: unknown, value: unknown, cpu: number])[]) {
    this.#rows = rows;
  }

  *perCpu(): Generator<readonly [unknown, unknown, number]> {
    for (const [i, row] of this.#rows.entries()) {
      this.#at = i;
      yield row;
    }
  }

  *[Symbol.iterator](): Generator<readonly [unknown, unknown]> {
    for (const [key, value] of this.perCpu()) yield [key, value];
  }

  remove(): void {
    this.removed.push(this.#at);
  }
}

type RecordsOf<P extends Plugin> = P["skeleton"]["records"];
type Names<P extends Plugin, K extends string> = {
  [N in keyof RecordsOf<P>]: RecordsOf<P>[N] extends { readonly kind: K } ? N : never;
}[keyof RecordsOf<P>] &
  string;
type RecordOf<W> = W extends { readonly record: new () => infer R } ? Omit<R, "at"> : never;
type KeyOf<W> = W extends { readonly key: new () => infer K } ? Omit<K, "at"> : never;
type ValueOf<W> = W extends { readonly value: new () => infer V } ? Omit<V, "at"> : never;

export interface RigOptions {
  /** Settings that differ from the defaults. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Names in the kernel's enums: by enum, then by value. */
  readonly enums?: Readonly<Record<string, Readonly<Record<number, string>>>>;
  readonly links?: () => FoundLinks;
  /** Destination of signals; by default they are stored. */
  readonly sink?: Sink;
}

/** One series at a collection: `[name, attributes, value]`; histograms as their count, sum and exemplar's value. */
export type Shown = readonly [
  name: string,
  attributes: AnyAttributes,
  value: number | { count: number; sum: number; exemplar?: number },
];

/** The plugin's bit in the wanted_* masks. */
export const BIT = 1;

/** Now, nanoseconds since boot; the boot clock is the wall clock. */
export const NOW = 1_000e9;

const HOST: Resource = { attributes: { "service.name": "host" } };

const workloads = new Map<number, Workload>();

/** Workloads by number: 0 is unknown, 1 has no resource of its own, others are named for their number. */
function workload(number: number): Workload {
  const known = workloads.get(number) ?? named(number);
  workloads.set(number, known);
  return known;
}

function named(number: number): Workload {
  if (number === 0) return { number, resource: undefined, executable: undefined, series: {} };
  if (number === 1) {
    return { number, resource: undefined, executable: undefined, series: { "otel.metric.overflow": true } };
  }
  const executable = `app-${number}`;
  const resource = { attributes: { "service.name": executable } };
  return { number, resource, executable, series: { "process.executable.name": executable } };
}

function given(attributes: AnyAttributes): AnyAttributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
}

function assertDeclared(
  { name, attributes: specs }: Pick<SignalSpec, "name" | "attributes">,
  emitted: AnyAttributes,
) {
  const overflow = emitted["otel.metric.overflow"] === true;
  for (const [key, value] of Object.entries(given(emitted))) {
    if (overflow && (key === "otel.metric.overflow" || key === "network.io.direction")) continue;
    const spec = specs[key];
    assert(spec, `${name}: ${key} is not declared`);
    assert(!spec.enum || spec.enum.includes(String(value)), `${name}: ${key} = ${value} is not in its enum`);
  }
  if (overflow) return;
  for (const [key, { requirement }] of Object.entries(specs))
    assert(requirement !== "required" || emitted[key] !== undefined, `${name}: ${key} is missing`);
}

export class Rig<P extends Plugin> {
  readonly spans: Span[] = [];
  readonly events: Event[] = [];
  /** Log messages. */
  readonly logged: string[] = [];
  readonly #keeps: Sink = {
    span: (span) => void this.spans.push(span),
    event: (event) => void this.events.push(event),
    metrics() {},
  };
  readonly #plugin: P;
  readonly #handlers: Readonly<Record<string, (fed: unknown) => void>>;
  readonly #enrich: AnyEnrich;
  readonly #exemplify: Exemplify<SpanRequests>;
  readonly #connections: ConnectionSpans;
  readonly #collect: (nowNs: number) => Metric[];

  constructor(plugin: P, { settings = {}, enums = {}, links, sink = this.#keeps }: RigOptions = {}) {
    this.#plugin = plugin;
    const at = (ns: number) => ({ sec: Math.floor(ns / 1e9), nsec: ns % 1e9 });
    const clock = {
      bootNow: () => NOW,
      now: () => at(NOW),
      wall: at,
      instant: (ns: number) => ({ ...at(ns), bootNs: ns }),
      span(start: number, end: number, to: object) {
        Object.assign(to, { start: at(start), end: at(end) });
      },
    };
    const scope = { name: `wirespan.${plugin.name}`, version: "0" };
    const of = (task: { readonly workload: number }) => workload(task.workload);
    const identity = { of, waits: () => false, workload };
    const namespaces = {
      of: () => undefined,
      attributes: (cookie: number, inode: number) => ({
        "wirespan.netns.cookie": cookie || undefined,
        "wirespan.netns.inode": inode || undefined,
        "wirespan.netns.name": undefined,
      }),
    };
    const connections = new ConnectionSpans(sink, clock, identity, namespaces, {
      scope,
      host: HOST,
      peers: [],
      kind: "internal",
      inTraceRate: 200,
      sampling: new Sampling({ ratio: 1, slow: 0 }),
    });
    const line = (_: object, message: string) => void this.logged.push(message);
    const provided = new Map<unknown, unknown>([
      [services.clock, clock],
      [services.identity, identity],
      [services.series, seriesFrom(workload)],
      [services.namespaces, namespaces],
      [services.connections, connections],
      [services.pids, { inProc: () => undefined }],
      [
        services.kernel,
        { enumNames: (name: string) => numbered(enums[name] ?? {}), symbol: () => undefined },
      ],
      [services.exemplars, new LargestValues(clock, 0)],
      [services.interfaces, { read: links ?? (() => ({ namespaces: [], refused: undefined })) }],
      [services.log, { error: line, warn: line, info: line, debug: line }],
    ]);
    const emission = createInstruments(plugin.signals, {
      scope,
      sink,
      host: HOST,
      clock,
      startNs: 0,
      maxSeries: 1000,
    });
    this.#collect = emission.collect;
    const defaults = Object.entries(plugin.config).map(([key, setting]) => [key, setting.default]);
    const use = Object.entries(plugin.uses ?? {}).map(([key, token]) => [key, provided.get(token)]);
    const {
      enrich = {},
      exemplify = {},
      ...handlers
    } = plugin.start({
      config: { ...Object.fromEntries(defaults), ...settings },
      emit: emission.emit,
      use: Object.fromEntries(use),
    } as never);
    this.#handlers = handlers as never;
    this.#enrich = enrich;
    this.#exemplify = exemplify;
    this.#connections = connections;
    connections.request(BIT, { spans: plugin.spans ?? {}, enrich, exemplify });
  }

  /** Passes a record of a ring. */
  record<N extends Names<P, "ring">>(name: N, record: Given<RecordOf<RecordsOf<P>[N]>>): void {
    this.#handlers[name]!(this.#zeroOf(name, "record", record));
  }

  /** Passes a record of a ring, or the only row of an iterator, as bytes. */
  lying(name: string, bytes: Uint8Array<ArrayBuffer>): void {
    const records = this.#plugin.skeleton.records[name]!;
    if (records.kind === "table") throw new Error(`${name} is a table`);
    const record = pointedAt(records.record as new () => Cursor, bytes);
    this.#handlers[name]!(records.kind === "ring" ? record : [record]);
  }

  /** Passes a record of the tracker, as bytes. */
  lyingConnection(bytes: Uint8Array<ArrayBuffer>): void {
    this.#connections.take(pointedAt(LinkedRecordCursor, bytes));
  }

  /** Passes a record of the tracker that the plugin wants. */
  connection(record: Given<ConnRecord>): void {
    const connection = overlaid<ConnRecord>(zero(ConnRecordCursor), { wanted: BIT, ...record });
    this.#connections.take({ connection, contexts: new Uint8Array() });
  }

  /** Passes the rows that an iterator wrote. */
  rows<N extends Names<P, "rows">>(name: N, rows: readonly Given<RecordOf<RecordsOf<P>[N]>>[]): void {
    this.#handlers[name]!(rows.map((row) => this.#zeroOf(name, "record", row)));
  }

  /** Passes a table at a collection; returns the positions of the rows that the plugin removed. */
  table<N extends Names<P, "table">>(
    name: N,
    rows: readonly (readonly [
      key: Given<KeyOf<RecordsOf<P>[N]>>,
      value: Given<ValueOf<RecordsOf<P>[N]>>,
      cpu?: number,
    ])[],
  ): readonly number[] {
    const table = new Table(
      rows.map(([key, value, cpu = 0]) => [
        this.#zeroOf(name, "key", key),
        this.#zeroOf(name, "value", value),
        cpu,
      ]),
    );
    this.#handlers[name]!(table);
    return table.removed;
  }

  /** What the plugin adds to a connection's span. */
  enriched(span: RequestedSpan, connection: Given<ConnRecord>): AnyAttributes {
    const added = this.#enrich[span]?.object(overlaid<ConnRecord>(zero(ConnRecordCursor), connection)) ?? {};
    const attributes = this.#plugin.spans?.[span];
    assert(attributes !== undefined && attributes !== "plain", `no attributes are declared for ${span}`);
    assertDeclared({ name: span, attributes }, added);
    return given(added);
  }

  /** Exports a span of a connection. */
  leaves(span: RequestedSpan, connection: Given<ConnRecord>): void {
    const record = overlaid<ConnRecord>(zero(ConnRecordCursor), connection);
    this.#exemplify[span]?.(record, record);
  }

  /** Ends a collection. */
  metrics(): readonly Metric[] {
    this.#handlers.collected?.(undefined);
    return this.#collect(NOW);
  }

  /** Ends a collection; returns every series in the order in which it was emitted. */
  collect(): readonly Shown[] {
    return this.metrics().flatMap(({ spec, points }) =>
      points.map((point): Shown => {
        assertDeclared(spec, point.attributes);
        return [spec.name, given(point.attributes), shown(point.value)];
      }),
    );
  }

  /** Returns and clears the events so far, as `[name, attributes]`. */
  takeEvents(): readonly (readonly [name: string, attributes: AnyAttributes])[] {
    return this.events.splice(0).map(({ spec, attributes }) => {
      assertDeclared(spec, attributes);
      return [spec.name, given(attributes)];
    });
  }

  #zeroOf(name: string, part: "record" | "key" | "value", fields: unknown): object {
    const records = this.#plugin.skeleton.records[name] as unknown as Record<
      string,
      new () => object & Cursor
    >;
    return overlaid(zero(records[part]!), fields as never);
  }
}

const numbered = (names: Readonly<Record<number, string>>): ReadonlyMap<number, string> =>
  new Map(Object.entries(names).map(([value, name]) => [Number(value), name]));

const shown = (value: Point["value"]): Shown[2] =>
  typeof value === "number"
    ? value
    : {
        count: value.count,
        sum: value.sum,
        ...(value.exemplar && { exemplar: value.exemplar.value }),
      };
