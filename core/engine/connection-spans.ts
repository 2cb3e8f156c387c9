// Emits the spans of connections: each span once, however many plugins request it; they add attributes.

import { BlockList } from "node:net";
import type { ConnRecord, LinkedRecord, Task } from "../../bpf/tracker/tracker.skel.ts";
import { formatAddress, parseCidr } from "../plugin/address.ts";
import {
  type AnyEnrich,
  type Connections,
  connectError,
  connectionId,
  type ErrorType,
  type InTrace,
  SPANS,
  type SpanKey,
  type SpanRequests,
  spansWith,
  UNREACHABLE,
} from "../plugin/connection.ts";
import type { CONNECTION } from "../plugin/semconv.ts";
import type { Clock, Identity, Namespaces } from "../plugin/services.ts";
import type {
  AnyAttributes,
  Attributes,
  Resource,
  Scope,
  Sink,
  SpanContext,
  SpanSpec,
  Time,
} from "../plugin/signals.ts";
import { Rate } from "./rate.ts";
import type { Sampling } from "./sampling.ts";

export interface ConnectionOptions {
  readonly scope: Scope;
  readonly host: Resource;
  /** Networks whose hosts run this agent too. */
  readonly peers: readonly string[];
  readonly kind: "internal" | "client-server";
  /** Spans a second in applications' traces. */
  readonly inTraceRate: number;
  readonly sampling: Sampling;
}

function errorOf(c: ConnRecord["conn"]): ErrorType | undefined {
  if (!(c.establishedAt > 0)) return connectError(c);
  switch (c.closeReason) {
    case "timeout":
      return "timed_out";
    case "unreachable":
      return UNREACHABLE[c.error] ?? "_OTHER";
    case "rst_received":
      return "connection_reset";
    default:
      return undefined;
  }
}

function acceptError(span: SpanKey, { acceptedAt }: ConnRecord["conn"]): "never_accepted" | undefined {
  return span === "accept" && !acceptedAt ? "never_accepted" : undefined;
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

function server(direction: ConnRecord["conn"]["direction"], to: Record<string, AnyAttributes[string]>): void {
  if (direction === "unknown") return;
  const opened = direction === "outbound";
  to["server.address"] = to[opened ? "network.peer.address" : "network.local.address"];
  to["server.port"] = to[opened ? "network.peer.port" : "network.local.port"];
}

/** An attempt that failed at once has no duration that was measured, and backends take such a span for a faulty one. */
function endAfter(start: Time, end: Time): Time {
  if (end.sec > start.sec || (end.sec === start.sec && end.nsec > start.nsec)) return end;
  const last = start.nsec === 999_999_999;
  return last ? { sec: start.sec + 1, nsec: 0 } : { sec: start.sec, nsec: start.nsec + 1 };
}

/** On the boot clock. */
function endOf(span: SpanKey, { establishedAt, acceptedAt, closedAt }: ConnRecord["conn"]): number {
  if (span === "connect" && establishedAt) return establishedAt;
  if (span === "accept" && acceptedAt) return acceptedAt;
  return closedAt;
}

function accept(conn: ConnRecord["conn"], end: number, to: Record<string, AnyAttributes[string]>): void {
  const { establishedAt, acceptFd, acceptedAt, beforeStart, begunUnseen } = conn;
  if (establishedAt && !beforeStart && !begunUnseen)
    to["wirespan.tcp.accept.queue_wait"] = (end - establishedAt) / 1e9;
  if (acceptedAt && acceptFd >= 0) to["wirespan.tcp.accept.fd"] = acceptFd;
}

/** The contexts behind a record, each once. */
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

export class ConnectionSpans implements Connections {
  readonly #sink: Sink;
  readonly #clock: Clock;
  readonly #identity: Identity;
  readonly #namespaces: Namespaces;
  readonly #options: ConnectionOptions;
  readonly #peers = new BlockList();
  /** By the plugin's bit in the wanted_* masks. */
  readonly #requests = new Map<number, { readonly spans: SpanRequests; readonly enrich: AnyEnrich }>();
  #specs: Record<SpanKey, SpanSpec> = SPANS;
  /** Whether any plugin requests the connection span. */
  #emitsConnections = false;
  #seen = 0;
  readonly #rate: Rate;

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
    this.#namespaces = namespaces;
    this.#options = options;
    this.#rate = new Rate(options.inTraceRate);
    for (const cidr of options.peers.map(parseCidr)) {
      if (typeof cidr === "string") continue; // the configuration has refused it
      this.#peers.addSubnet(formatAddress(cidr.bytes, cidr.family), cidr.prefix, cidr.family);
    }
  }

  /** Spans handed to the sink so far. */
  get seen(): number {
    return this.#seen;
  }

  /** Spans for applications' traces: those handed to the sink, and those beyond `correlate.rate`. */
  get inTraces(): { readonly emitted: number; readonly beyondRate: number } {
    return { emitted: this.#rate.admitted, beyondRate: this.#rate.refused };
  }

  /** Adds the requests of the plugin whose programs mark connections with `bit`. */
  request(bit: number, spans: SpanRequests, enrich: AnyEnrich = {}): void {
    this.#requests.set(bit, { spans, enrich });
    this.#declare();
  }

  /** Withdraws all requests of a plugin. */
  withdraw(bit: number): void {
    this.#requests.delete(bit);
    this.#declare();
  }

  #declare(): void {
    const requests = [...this.#requests.values()].map(({ spans }) => spans);
    this.#specs = spansWith(requests);
    this.#emitsConnections = requests.some(({ connection }) => connection !== undefined);
  }

  resource(task: Task): Resource {
    return (task.pid ? this.#identity.of(task).resource : undefined) ?? this.#options.host;
  }

  executable(task: Task): string | undefined {
    return task.pid ? this.#identity.of(task).executable : undefined;
  }

  take({ connection, contexts }: Pick<LinkedRecord, "connection" | "contexts">): void {
    const { span } = connection;
    const isInTrace = this.#takeInTrace(connection) || this.#failsInTrace(connection);
    // What no plugin requests is emitted in an application's trace alone.
    if (!connection.wanted || span === "reset") return;
    const links = connection.contexts ? linksIn(contexts, connection.contexts) : undefined;
    this.#takeOwn(connection, span, { isInTrace, links });
  }

  /** Whether the attempt's failure is reported by the record that follows, in an application's trace. */
  #failsInTrace({ span, contexts, conn }: ConnRecord): boolean {
    return span === "connection" && contexts > 0 && !(conn.establishedAt > 0) && this.#rate.hasRoom;
  }

  inTrace(connection: ConnRecord, at: number): InTrace | undefined {
    return this.#inTrace(connection, at, at);
  }

  #inTrace(connection: ConnRecord, startNs: number, endNs: number): InTrace | undefined {
    const { context, conn } = connection;
    if (context.source === "none" || !this.#rate.admits()) return undefined;
    const { start, end } = this.#clock.span(startNs, endNs);
    return {
      resource: this.resource(conn.owner),
      traceId: context.traceId,
      spanId: context.spanId,
      parentSpanId: context.parentSpanId,
      parentIsRemote: true,
      kind: "internal",
      start,
      end: endAfter(start, end),
      attributes: {
        ...this.attributes(connection),
        "wirespan.context.source": context.source,
        "wirespan.event.more": context.more || undefined,
      },
      links: [{ traceId: connection.traceId, spanId: connection.connectionSpanId }],
    };
  }

  /** Whether a span was emitted in an application's trace. */
  #takeInTrace(record: ConnRecord): boolean {
    const { conn, span, context } = record;
    if (context.source === "none") return false;
    const failed = span === "connect" && !(conn.establishedAt > 0);
    const end = endOf(span, conn);
    const common = this.#inTrace(record, span === "reset" ? end : conn.openedAt || end, end);
    if (!common) return false;
    const attributes: Record<string, AnyAttributes[string]> = { ...common.attributes };
    server(conn.direction, attributes);
    const error = failed || span === "reset" ? (errorOf(conn) ?? "connection_reset") : undefined;
    if (error) attributes["error.type"] = error;
    if (span === "accept") accept(conn, end, attributes);
    if (failed || span === "reset") attributes["wirespan.tcp.close.reason"] = conn.closeReason;
    if (failed && conn.error) attributes["wirespan.errno"] = conn.error;
    this.#sink.span({ ...common, spec: SPANS[span], scope: this.#options.scope, attributes, error });
    return true;
  }

  #takeOwn(
    record: ConnRecord,
    span: Exclude<SpanKey, "reset">,
    { isInTrace, links }: { readonly isInTrace: boolean; readonly links: readonly SpanContext[] | undefined },
  ): void {
    const { conn } = record;
    const failed = span === "connect" && !(conn.establishedAt > 0);
    const error = failed || span === "connection" ? errorOf(conn) : acceptError(span, conn);
    const end = endOf(span, conn);
    const attributes: Record<string, AnyAttributes[string]> = this.attributes(record);
    server(conn.direction, attributes);
    if (error) attributes["error.type"] = error;
    if (span === "connection") this.#close(record, attributes);
    if (span === "accept") accept(conn, end, attributes);
    if (failed) {
      attributes["wirespan.tcp.close.reason"] = conn.closeReason;
      if (conn.error) attributes["wirespan.errno"] = conn.error;
    }
    for (const [bit, { enrich }] of this.#requests) {
      if (!(record.wanted & bit)) continue;
      const added = enrich[span]?.(record);
      for (const key in added) attributes[key] = added[key];
    }
    const parent = record.parentSpanId;
    const { start, end: ended } = this.#clock.span(conn.openedAt || end, end);
    const root = isZero(parent) || (span === "connection" && !this.#hasOpener(record));
    const reported = isInTrace || (span === "connection" && isReportedByChild(conn));
    this.#seen++;
    this.#sink.span({
      spec: this.#specs[span],
      scope: this.#options.scope,
      resource: this.resource(conn.owner),
      traceId: record.traceId,
      spanId: record.spanId,
      parentSpanId: root ? undefined : parent,
      parentIsRemote: span === "connection",
      traceState: this.#options.sampling.traceState(conn),
      kind: this.#kind(span, conn, error !== undefined),
      start,
      end: endAfter(start, ended),
      attributes,
      ...(links && { links }),
      error: reported ? undefined : error,
    });
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

  attributes(record: Pick<ConnRecord, "conn">): Attributes<typeof CONNECTION> {
    const { conn } = record;
    const { ends, owner } = conn;
    const family = ends.family === 4 ? "ipv4" : "ipv6";
    const { localPort, peerPort } = ends;
    const { pid, comm } = owner;
    // One shape for all, without copies: absent values are undefined, and encoders leave them out.
    return {
      "network.transport": "tcp",
      "network.type": ends.family ? family : undefined,
      "network.local.address": ends.family ? formatAddress(ends.local, family) : undefined,
      // A port may never have been chosen, and a listener has no peer.
      "network.local.port": localPort || undefined,
      "network.peer.address": peerPort ? formatAddress(ends.peer, family) : undefined,
      "network.peer.port": peerPort || undefined,
      "wirespan.connection.direction": conn.direction,
      "wirespan.connection.id": connectionId(conn),
      "wirespan.connection.mapped": ends.mapped || undefined,
      "network.interface.name": (ends.ifindex && conn.interface) || undefined,
      "wirespan.interface.index": ends.ifindex || undefined,
      "wirespan.netns.cookie": conn.netnsCookie,
      "wirespan.netns.inode": conn.netns,
      "wirespan.netns.name": this.#namespaces.of(conn.netnsCookie, conn.netns),
      "process.pid": pid || undefined,
      "process.executable.name": this.executable(owner),
      "thread.name": pid ? comm : undefined,
      "wirespan.thread.tid": pid ? owner.tid : undefined,
      "wirespan.process.uid": pid ? owner.uid : undefined,
      "wirespan.process.source": conn.ownerSource,
    };
  }

  #close(record: ConnRecord, attributes: Record<string, AnyAttributes[string]>): void {
    const { conn, traffic } = record;
    const { owner, user, closer, acceptor } = conn;
    attributes["wirespan.tcp.close.reason"] = conn.closeReason;
    attributes["wirespan.tcp.bytes_sent"] = traffic.sentBytes;
    attributes["wirespan.tcp.bytes_received"] = traffic.receivedBytes;
    if (conn.beforeStart || conn.begunUnseen) attributes["wirespan.connection.start_unknown"] = true;
    if (conn.endedUnseen) attributes["wirespan.connection.end_unknown"] = true;
    if (user.pid && user.pid !== owner.pid) {
      attributes["wirespan.process.last_user.pid"] = user.pid;
      attributes["wirespan.process.last_user.name"] = user.comm;
    }
    if (closer.pid && closer.pid !== owner.pid) attributes["wirespan.process.closer.pid"] = closer.pid;
    if (closer.pid && (closer.pid !== owner.pid || closer.comm !== owner.comm))
      attributes["wirespan.process.closer.name"] = closer.comm;
    if (acceptor.pid && acceptor.pid !== owner.pid) {
      attributes["wirespan.process.acceptor.pid"] = acceptor.pid;
      attributes["wirespan.process.acceptor.name"] = acceptor.comm;
    }
  }

  /** Whether the opener's span is certain to be exported; for other hosts the configuration says so. */
  #hasOpener({ conn: { peerIsHere, openerIsPromised, ends }, traceId }: ConnRecord): boolean {
    if (peerIsHere) return openerIsPromised;
    const { peers, sampling } = this.#options;
    const family = ends.family === 4 ? "ipv4" : "ipv6";
    const isPeer = peers.length > 0 && this.#peers.check(formatAddress(ends.peer, family), family);
    return isPeer && sampling.keepsEverywhere(traceId);
  }
}
