// Emits the spans of connections: each span once, however many plugins request it; they add attributes.

import { BlockList } from "node:net";
import type { ConnRecord, Task } from "../../bpf/tracker/tracker.skel.ts";
import { formatAddress, parseCidr } from "../plugin/address.ts";
import {
  type AnyEnrich,
  type Connections,
  connectError,
  connectionId,
  type ErrorType,
  SPANS,
  type SpanKey,
  type SpanRequests,
  spansWith,
  UNREACHABLE,
} from "../plugin/connection.ts";
import type { CONNECTION } from "../plugin/semconv.ts";
import type { Clock, Identity, Namespaces } from "../plugin/services.ts";
import type { AnyAttributes, Attributes, Resource, Scope, Sink, SpanSpec, Time } from "../plugin/signals.ts";

export interface ConnectionOptions {
  readonly scope: Scope;
  readonly host: Resource;
  /** Networks whose hosts run this agent too. */
  readonly peers: readonly string[];
  readonly kind: "internal" | "client-server";
}

function errorOf(c: ConnRecord["conn"]): ErrorType | undefined {
  if (!(c.establishedAt > 0)) return connectError(c.closeReason, c.error);
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
    for (const cidr of options.peers.map(parseCidr)) {
      if (typeof cidr === "string") continue; // the configuration has refused it
      this.#peers.addSubnet(formatAddress(cidr.bytes, cidr.family), cidr.prefix, cidr.family);
    }
  }

  /** Spans handed to the sink so far. */
  get seen(): number {
    return this.#seen;
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

  take(record: ConnRecord): void {
    const { conn, span } = record;
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
    const reported = span === "connection" && isReportedByChild(conn);
    this.#seen++;
    this.#sink.span({
      spec: this.#specs[span],
      scope: this.#options.scope,
      resource: this.resource(conn.owner),
      traceId: record.traceId,
      spanId: record.spanId,
      parentSpanId: root ? undefined : parent,
      parentIsRemote: span === "connection",
      kind: this.#kind(span, conn, error !== undefined),
      start,
      end: endAfter(start, ended),
      attributes,
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
  #hasOpener({ conn: { peerIsHere, openerIsPromised, ends } }: ConnRecord): boolean {
    if (peerIsHere) return openerIsPromised;
    const family = ends.family === 4 ? "ipv4" : "ipv6";
    return this.#options.peers.length > 0 && this.#peers.check(formatAddress(ends.peer, family), family);
  }
}
