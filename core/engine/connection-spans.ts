// Emits the spans of connections: each span once, however many plugins request it; they add attributes.

import { BlockList } from "node:net";
import { ConnRecordCursor } from "../../bpf/include/wirespan/structs.skel.ts";
import type { ConnRecord, LinkedRecord, Task } from "../../bpf/tracker/tracker.skel.ts";
import type { Config } from "../../config/config.ts";
import { formatAddress, parseCidr } from "../plugin/address.ts";
import {
  type AnyEnrich,
  type Connections,
  type Exemplify,
  type InTrace,
  type RequestedSpan,
  SPANS,
  type SpanKey,
  type SpanRequests,
  spansWith,
} from "../plugin/connection.ts";
import type { CONNECTION } from "../plugin/semconv.ts";
import type { Clock, Identity, Namespaces } from "../plugin/services.ts";
import type {
  Attributes,
  MutableTime,
  Resource,
  Scope,
  Sink,
  SpanContext,
  SpanSpec,
  Time,
} from "../plugin/signals.ts";
import { nested, Recorded, RecordedSpan, type Values } from "../plugin/values.ts";
import {
  connectionValues,
  endOf,
  errorIn,
  inTraceError,
  inTraceValues,
  OWN_VALUES,
} from "./connection-values.ts";
import { Rate } from "./rate.ts";
import { Sampling } from "./sampling.ts";

export interface ConnectionOptions {
  readonly scope: Scope;
  readonly host: Resource;
  /** Networks whose hosts run this agent too. */
  readonly peers: readonly string[];
  readonly kind: "internal" | "client-server";
  /** Maximum spans per second in applications' traces. */
  readonly inTraceRate: number;
  readonly sampling: Sampling;
}

/** Whether the connect or accept span of this connection reports its failure. */
function isReportedByChild({
  establishedAt,
  queued,
  wantedConnect,
  wantedAccept,
}: ConnRecord["conn"]): boolean {
  return queued ? wantedAccept !== 0 : !(establishedAt > 0) && wantedConnect !== 0;
}

/** An attempt that failed immediately has no measured duration, and backends consider such a span invalid. */
function endAfter(start: Time, end: MutableTime): void {
  if (end.sec > start.sec || (end.sec === start.sec && end.nsec > start.nsec)) return;
  const isLast = start.nsec === 999_999_999;
  end.sec = isLast ? start.sec + 1 : start.sec;
  end.nsec = isLast ? 0 : start.nsec + 1;
}

/** The contexts that follow a record, without duplicates. */
function linksIn(contexts: Uint8Array, count: number): readonly SpanContext[] {
  const links: SpanContext[] = [];
  for (let at = 0; at < 24 * count; at += 24) {
    const link = { traceId: contexts.subarray(at, at + 16), spanId: contexts.subarray(at + 16, at + 24) };
    if (!links.some((l) => isSame(l.traceId, link.traceId) && isSame(l.spanId, link.spanId)))
      links.push(link);
  }
  return links;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.every((byte, i) => byte === b[i]);
}

function isZero(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}

/** One plugin's requests. */
interface Request {
  readonly spans: SpanRequests;
  readonly enrich?: AnyEnrich | undefined;
  readonly exemplify?: Exemplify<SpanRequests> | undefined;
}

/** How to handle a span of a connection that certain plugins want. */
interface Plan {
  /** The bits of these plugins. */
  readonly wanted: number;
  readonly spec: SpanSpec;
  readonly values: Values<ConnRecord>;
  readonly exemplify: readonly NonNullable<Exemplify<SpanRequests>[RequestedSpan]>[];
}

/** The plans of one span, by bits, and the last one, which the next connection probably needs too. */
class Plans {
  readonly #made = new Map<number, Plan>();
  #last: Plan | undefined;

  get(wanted: number, make: (wanted: number) => Plan): Plan {
    if (this.#last?.wanted === wanted) return this.#last;
    const plan = this.#made.get(wanted) ?? make(wanted);
    this.#made.set(wanted, plan);
    this.#last = plan;
    return plan;
  }

  clear(): void {
    this.#made.clear();
    this.#last = undefined;
  }
}

export class ConnectionSpans implements Connections {
  readonly #sink: Sink;
  readonly #clock: Clock;
  readonly #identity: Identity;
  readonly #options: ConnectionOptions;
  readonly #peers = new BlockList();
  /** By the plugin's bit in the wanted_* masks. */
  readonly #requests = new Map<number, Request>();
  /** Whether any plugin requests the connection span. */
  #emitsConnections = false;
  #seen = 0;
  readonly #rate: Rate;
  #sampling: Sampling;
  readonly values: Connections["values"];
  readonly #connection: Values<ConnRecord, typeof CONNECTION>;
  /** The emitted span, reused each time. */
  readonly #span: RecordedSpan;
  /** Spans in applications' traces. */
  readonly #inTraces: ReturnType<typeof inTraceValues>;
  readonly #plans = { connection: new Plans(), connect: new Plans(), accept: new Plans() } as const;
  readonly #make: Readonly<Record<RequestedSpan, (wanted: number) => Plan>>;

  constructor(
    sink: Sink,
    clock: Clock,
    identity: Identity,
    namespaces: Namespaces,
    options: ConnectionOptions,
  ) {
    this.#sink = sink;
    this.#clock = clock;
    this.#identity = identity;
    this.#options = options;
    this.#rate = new Rate(options.inTraceRate);
    this.#sampling = options.sampling;
    this.values = connectionValues({
      executable: ({ owner }) => this.executable(owner),
      netns: ({ netnsCookie, netns }) => namespaces.of(netnsCookie, netns),
    });
    this.#connection = nested(ConnRecordCursor, "conn", this.values);
    this.#inTraces = inTraceValues(this.#connection);
    const make = (span: RequestedSpan) => (wanted: number) => this.#plan(span, wanted);
    this.#make = { connection: make("connection"), connect: make("connect"), accept: make("accept") };
    this.#span = new RecordedSpan(options.scope, SPANS.connection, new Recorded(this.#connection, undefined));
    for (const cidr of options.peers.map(parseCidr)) {
      if (typeof cidr === "string") continue; // the configuration rejects other values
      this.#peers.addSubnet(formatAddress(cidr.bytes, cidr.family), cidr.prefix, cidr.family);
    }
  }

  /** Applies what a reload can change. */
  configure({ correlate, sampling }: Pick<Config, "correlate" | "sampling">): void {
    this.#rate.limit(correlate.rate);
    this.#sampling = new Sampling(sampling);
  }

  /** Number of spans passed to the sink so far. */
  get seen(): number {
    return this.#seen;
  }

  /** Spans for applications' traces: those passed to the sink, and those beyond `correlate.rate`. */
  get inTraces(): { readonly emitted: number; readonly beyondRate: number } {
    return { emitted: this.#rate.admitted, beyondRate: this.#rate.refused };
  }

  /** Adds the requests of the plugin whose programs mark connections with `bit`. */
  request(bit: number, request: Request): void {
    this.#requests.set(bit, request);
    this.#declare();
  }

  /** Withdraws all requests of a plugin. */
  withdraw(bit: number): void {
    this.#requests.delete(bit);
    this.#declare();
  }

  #declare(): void {
    const requests = [...this.#requests.values()];
    this.#emitsConnections = requests.some(({ spans }) => spans.connection !== undefined);
    for (const plans of Object.values(this.#plans)) plans.clear();
  }

  #planOf(span: RequestedSpan, wanted: number): Plan {
    return this.#plans[span].get(wanted, this.#make[span]);
  }

  #plan(span: RequestedSpan, wanted: number): Plan {
    const requests = [...this.#requests.values()];
    const by = [...this.#requests].flatMap(([bit, request]) => (wanted & bit ? [request] : []));
    const own: Values<ConnRecord> = OWN_VALUES[span];
    const added = by.flatMap(({ enrich }) => enrich?.[span] ?? []);
    return {
      wanted,
      spec: spansWith(requests.map(({ spans }) => spans))[span],
      values: added.reduce<Values<ConnRecord>>((all, each) => all.and(each), this.#connection.and(own)),
      exemplify: by.flatMap(({ exemplify }) => exemplify?.[span] ?? []),
    };
  }

  resource(task: Task): Resource {
    return (task.pid ? this.#identity.of(task).resource : undefined) ?? this.#options.host;
  }

  waits(task: Task): boolean {
    return task.pid !== 0 && this.#identity.waits(task);
  }

  workload(task: Task): number {
    return task.pid ? this.#identity.of(task).number : task.workload;
  }

  executable(task: Task): string | undefined {
    return task.pid ? this.#identity.of(task).executable : undefined;
  }

  take(record: Pick<LinkedRecord, "connection" | "contexts">): void {
    const { connection } = record;
    const { span } = connection;
    const leftInTrace = this.#takeInTrace(connection);
    const isInTrace = leftInTrace || this.#failsInTrace(connection);
    // A span that no plugin requests is only emitted in an application's trace.
    if (connection.wanted && span !== "reset") {
      const links = connection.contexts ? linksIn(record.contexts, connection.contexts) : undefined;
      this.#takeOwn(connection, span, isInTrace, links);
    }
    this.#exemplify(connection, leftInTrace);
  }

  /** `isInTrace`: the span was sent in an application's trace, and maybe nowhere else. */
  #exemplify(record: ConnRecord, isInTrace: boolean): void {
    const { span, conn, context } = record;
    if (span === "reset") return;
    const wanted = record.wanted || (span === "connect" && isInTrace ? conn.wantedConnect : 0);
    if (wanted === 0) return;
    for (const exemplify of this.#planOf(span, wanted).exemplify)
      exemplify(record, isInTrace ? context : record);
  }

  /** Whether the attempt's failure is reported by the record that follows, in an application's trace. */
  #failsInTrace({ span, contexts, conn }: ConnRecord): boolean {
    return span === "connection" && contexts > 0 && !(conn.establishedAt > 0) && this.#rate.hasRoom;
  }

  get inTraceValues(): Connections["inTraceValues"] {
    return this.#inTraces.event;
  }

  inTrace(connection: ConnRecord, at: number): InTrace | undefined {
    return this.#inTrace(connection, at, at, { start: { sec: 0, nsec: 0 }, end: { sec: 0, nsec: 0 } });
  }

  /** Everything about a span in an application's trace except its attributes; `times` becomes its times. */
  #inTrace(
    { context, conn, traceId, connectionSpanId }: ConnRecord,
    startNs: number,
    endNs: number,
    times: { readonly start: MutableTime; readonly end: MutableTime },
  ): InTrace | undefined {
    if (context.source === "none" || !this.#rate.admits()) return undefined;
    this.#clock.span(startNs, endNs, times);
    endAfter(times.start, times.end);
    return {
      resource: this.resource(conn.owner),
      traceId: context.traceId,
      spanId: context.spanId,
      parentSpanId: context.parentSpanId,
      parentIsRemote: true,
      kind: "internal",
      start: times.start,
      end: times.end,
      links: [{ traceId, spanId: connectionSpanId }],
    };
  }

  /** Whether a span was emitted in an application's trace. */
  #takeInTrace(record: ConnRecord): boolean {
    const { conn, span, context } = record;
    if (context.source === "none" || span === "connection") return false;
    const endNs = endOf(span, conn);
    const made = this.#span;
    const head = this.#inTrace(record, span === "reset" ? endNs : conn.openedAt || endNs, endNs, made);
    if (!head) return false;
    const { start: _, end: __, ...others } = head;
    Object.assign(made, {
      ...others,
      spec: SPANS[span],
      error: inTraceError(span, conn),
      traceState: undefined,
    });
    made.recorded.set(this.#inTraces[span], record);
    this.#sink.span(made);
    return true;
  }

  #takeOwn(
    record: ConnRecord,
    span: RequestedSpan,
    isInTrace: boolean,
    links: readonly SpanContext[] | undefined,
  ): void {
    const { conn } = record;
    const error = errorIn(span, conn);
    const endNs = endOf(span, conn);
    const parent = record.parentSpanId;
    const root = isZero(parent) || (span === "connection" && !this.#hasOpener(record));
    const reported = isInTrace || (span === "connection" && isReportedByChild(conn));
    const made = this.#span;
    const { spec, values } = this.#planOf(span, record.wanted);
    made.spec = spec;
    made.resource = this.resource(conn.owner);
    made.traceId = record.traceId;
    made.spanId = record.spanId;
    made.parentSpanId = root ? undefined : parent;
    made.parentIsRemote = span === "connection";
    made.traceState = this.#sampling.traceState(conn);
    made.kind = this.#kind(span, conn, error !== undefined);
    made.links = links;
    made.error = reported ? undefined : error;
    made.recorded.set(values, record);
    this.#clock.span(conn.openedAt || endNs, endNs, made);
    endAfter(made.start, made.end);
    this.#seen++;
    this.#sink.span(made);
  }

  /**
   * One span of each end is of kind client or server, the one with the status: the connection span, except if the
   * attempt failed; the handshake's span if no plugin requests connection spans.
   */
  #kind(span: SpanKey, conn: ConnRecord["conn"], failed: boolean): "internal" | "client" | "server" {
    if (this.#options.kind === "internal") return "internal";
    const is = span === "connection" ? !isReportedByChild(conn) : failed || !this.#emitsConnections;
    if (!is) return "internal";
    return conn.direction === "outbound" ? "client" : "server";
  }

  attributes({ conn }: Pick<ConnRecord, "conn">): Attributes<typeof CONNECTION> {
    return this.values.object(conn) as Attributes<typeof CONNECTION>;
  }

  /** Whether the opener's span is certain to be exported; for other hosts the configuration determines it. */
  #hasOpener({ conn: { peerIsHere, openerIsPromised, ends }, traceId }: ConnRecord): boolean {
    if (peerIsHere) return openerIsPromised;
    const { peers } = this.#options;
    const family = ends.family === 4 ? "ipv4" : "ipv6";
    const isPeer = peers.length > 0 && this.#peers.check(formatAddress(ends.peer, family), family);
    return isPeer && this.#sampling.keepsEverywhere(traceId);
  }
}
