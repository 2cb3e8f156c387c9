// The core's own program: the state of every connection, and the spans that tell of them. Each span is
// declared and emitted here, once, however many plugins ask for it; they add attributes.
import { constants } from "node:os";
import type { CloseReason, Connection, Task } from "../../bpf/tracker/tracker.skel.ts";
import type { Clock } from "../bridge/clock.ts";
import type { Identity } from "../identity/identity.ts";
import type { NetnsNames } from "../identity/netns-names.ts";
import { formatAddress, parseCidr } from "../plugin/address.ts";
import { CLOSE_REASON, CONNECTION, ERROR_TYPE, type ERROR_TYPES } from "../plugin/semconv.ts";
import type {
  AnyAttributes,
  AttributeSpec,
  AttributeSpecs,
  Resource,
  Scope,
  Sink,
  SpanSpec,
  Time,
} from "../plugin/signals.ts";

const { errno } = constants;

type ErrorType = (typeof ERROR_TYPES)[number];

const WHO: Record<"last_user" | "closer" | "acceptor", string> = {
  last_user: "was the last to send or receive",
  closer: "closed this end",
  acceptor: "accepted it",
};

const process = (role: keyof typeof WHO) => ({
  [`wirespan.process.${role}.pid`]: {
    type: "int",
    requirement: "conditional",
    description: `The process that ${WHO[role]}, if it is not the owner.`,
  },
  [`wirespan.process.${role}.name`]: {
    type: "string",
    requirement: "conditional",
    description: `The name of the thread that ${WHO[role]} (comm), if it is not the owner's.`,
  },
});

/** The acceptor's end, whichever end the span is of: what a list of traces is told apart by. */
const SERVER = {
  "server.address": {
    type: "string",
    requirement: "conditional",
    description: "The address that was connected to; absent if it is not known which end opened.",
  },
  "server.port": {
    type: "int",
    requirement: "conditional",
    description: "The port that was connected to; absent if it is not known which end opened.",
  },
} as const satisfies AttributeSpecs;

/** The connection spans, as they are without any plugin. */
export const SPANS = {
  connection: {
    signal: "span",
    name: "tcp connection",
    description: "One end of a TCP connection, from the SYN to the close.",
    attributes: {
      ...CONNECTION,
      ...SERVER,
      ...CLOSE_REASON,
      ...ERROR_TYPE,
      ...(process("last_user") as Record<string, AttributeSpec>),
      ...(process("closer") as Record<string, AttributeSpec>),
      ...(process("acceptor") as Record<string, AttributeSpec>),
      "wirespan.tcp.bytes_sent": {
        type: "int",
        requirement: "required",
        description: "Payload that the peer acknowledged, bytes.",
      },
      "wirespan.tcp.bytes_received": {
        type: "int",
        requirement: "required",
        description: "Payload received in order, bytes.",
      },
      "wirespan.connection.start_unknown": {
        type: "boolean",
        requirement: "conditional",
        description:
          "The connection is older than the agent, or the kernel did not show its beginning to any program: the span begins when the agent first saw it.",
      },
      "wirespan.connection.end_unknown": {
        type: "boolean",
        requirement: "conditional",
        description:
          "The kernel did not show the close to any program: the span ends when a sweep found the socket closed.",
      },
    },
  },
  connect: {
    signal: "span",
    name: "tcp connect",
    description: "A handshake, from the first SYN to its outcome.",
    attributes: {
      ...CONNECTION,
      ...SERVER,
      ...ERROR_TYPE,
      "wirespan.tcp.close.reason": {
        ...CLOSE_REASON["wirespan.tcp.close.reason"],
        requirement: "conditional",
        description: "What ended an attempt that failed.",
      },
      "wirespan.errno": {
        type: "int",
        requirement: "conditional",
        description:
          "The error of an attempt that failed, as the kernel numbers it; absent if the attempt was given up.",
      },
    },
  },
  accept: {
    signal: "span",
    name: "tcp accept",
    description: "A connection on its way to its acceptor, from the SYN to the return of accept().",
    attributes: {
      ...CONNECTION,
      ...SERVER,
      "error.type": {
        type: "string",
        requirement: "conditional",
        enum: ["never_accepted"],
        description: "It ended before accept() had returned it.",
      },
      "wirespan.tcp.accept.queue_wait": {
        type: "double",
        requirement: "conditional",
        description: "Time that it waited in the accept queue after its handshake, seconds.",
      },
      "wirespan.tcp.accept.fd": {
        type: "int",
        requirement: "conditional",
        description: "Its file descriptor in the process that accepted it, if the hook provides it.",
      },
    },
  },
} as const satisfies Record<string, SpanSpec>;

export type SpanKey = keyof typeof SPANS;

/** What a plugin adds to a span that it asks for. */
export interface Addition {
  readonly attributes: AttributeSpecs;
  /** Absent: the plugin says it when it has started (`adds`). */
  readonly of?: Adder;
}

export type Adder = (connection: Connection) => AnyAttributes;

/**
 * The spans that a plugin asks for, of the connections that its program marks (wanted_connection,
 * wanted_connect, wanted_accept in bpf/include/wirespan/conn.h); `plain`: as they are.
 */
export type AskedSpans = Readonly<Partial<Record<SpanKey, Addition | "plain">>>;

/** The connection spans with what these plugins add. */
export function spansWith(asked: readonly AskedSpans[]): Record<SpanKey, SpanSpec> {
  const specs: Record<SpanKey, SpanSpec> = { ...SPANS };
  for (const [key, addition] of asked.flatMap((spans) => Object.entries(spans))) {
    if (addition === "plain") continue;
    const spec = specs[key as SpanKey];
    specs[key as SpanKey] = { ...spec, attributes: { ...spec.attributes, ...addition.attributes } };
  }
  return specs;
}

/** The connections, as one plugin sees them. */
export interface Connections {
  /** The attributes and the resource that any signal about a connection has. Valid at once, keeps nothing. */
  attributes(connection: Pick<Connection, "conn">): AnyAttributes;
  resource(task: Task): Resource;
  /** The name of its program. */
  executable(task: Task): string | undefined;
}

export interface ConnectionOptions {
  readonly scope: Scope;
  readonly host: Resource;
  /** Networks whose hosts run this agent too. */
  readonly peers: readonly string[];
  readonly kind: "internal" | "client-server";
}

const UNREACHABLE: Readonly<Record<number, ErrorType>> = {
  [errno.EPERM]: "permission_denied",
  [errno.EACCES]: "permission_denied",
  [errno.EADDRNOTAVAIL]: "address_not_available",
  [errno.ENETUNREACH]: "network_unreachable",
  [errno.EHOSTUNREACH]: "host_unreachable",
};

function errorOf(c: Connection["conn"]): ErrorType | undefined {
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

/** The outcome of an attempt to connect, from what closed it (`none`: it succeeded) and the kernel's error. */
export function connectError(reason: CloseReason, error: number): ErrorType | undefined {
  switch (reason) {
    case "none":
      return undefined;
    case "refused":
      return "connection_refused";
    case "timeout":
      return "timed_out";
    case "unreachable":
      return UNREACHABLE[error] ?? "_OTHER";
    case "rst_received":
      return "connection_reset";
    default:
      return "aborted";
  }
}

function acceptError(span: SpanKey, { acceptedAt }: Connection["conn"]): "never_accepted" | undefined {
  return span === "accept" && !acceptedAt ? "never_accepted" : undefined;
}

/** What failed before it was a connection, or before it was accepted, is told by the span of just that. */
function isToldByChild({ establishedAt, queued, wantedConnect, wantedAccept }: Connection["conn"]): boolean {
  return queued ? wantedAccept !== 0 : !(establishedAt > 0) && wantedConnect !== 0;
}

function server(direction: Connection["conn"]["direction"], to: Record<string, AnyAttributes[string]>): void {
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
function endOf(span: SpanKey, { establishedAt, acceptedAt, closedAt }: Connection["conn"]): number {
  if (span === "connect" && establishedAt) return establishedAt;
  if (span === "accept" && acceptedAt) return acceptedAt;
  return closedAt;
}

function accept(conn: Connection["conn"], end: number, to: Record<string, AnyAttributes[string]>): void {
  const { establishedAt, acceptFd, acceptedAt, beforeStart, begunUnseen } = conn;
  if (establishedAt && !beforeStart && !begunUnseen)
    to["wirespan.tcp.accept.queue_wait"] = (end - establishedAt) / 1e9;
  if (acceptedAt && acceptFd >= 0) to["wirespan.tcp.accept.fd"] = acceptFd;
}

/** Unique on the host until it boots again: a socket's connections, if it is several, one after the other, are told apart. */
export function connectionId({ cookie, life }: Pick<Connection["conn"], "cookie" | "life">): string {
  const socket = cookie.toString(16);
  return life ? `${socket}.${life + 1}` : socket;
}

function isZero(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) return false;
  return true;
}

export class ConnectionSpans implements Connections {
  readonly #sink: Sink;
  readonly #clock: Clock;
  readonly #identity: Identity;
  readonly #namespaces: NetnsNames;
  readonly #options: ConnectionOptions;
  readonly #peers: readonly { bytes: Uint8Array; prefix: number; family: string }[];
  readonly #asked = new Map<number, { readonly spans: AskedSpans; readonly adds: Adder | undefined }>();
  #specs: Record<SpanKey, SpanSpec> = SPANS;
  /** Some plugin asks for connections' own spans. */
  #asksConnections = false;
  #seen = 0;

  constructor(
    sink: Sink,
    clock: Clock,
    identity: Identity,
    namespaces: NetnsNames,
    options: ConnectionOptions,
  ) {
    this.#sink = sink;
    this.#clock = clock;
    this.#identity = identity;
    this.#namespaces = namespaces;
    this.#options = options;
    this.#peers = options.peers.map(parseCidr).filter((c) => typeof c !== "string");
  }

  /** Spans handed to the sink so far. */
  get seen(): number {
    return this.#seen;
  }

  /** Asks for the spans of the plugin whose programs mark connections with `bit`. */
  ask(bit: number, spans: AskedSpans, adds?: Adder): void {
    this.#asked.set(bit, { spans, adds });
    this.#declare();
  }

  /** Takes back all that a plugin asked for. */
  forget(bit: number): void {
    this.#asked.delete(bit);
    this.#declare();
  }

  #declare(): void {
    const asked = [...this.#asked.values()].map(({ spans }) => spans);
    this.#specs = spansWith(asked);
    this.#asksConnections = asked.some(({ connection }) => connection !== undefined);
  }

  resource(task: Task): Resource {
    return (task.pid ? this.#identity.of(task).resource : undefined) ?? this.#options.host;
  }

  executable(task: Task): string | undefined {
    return task.pid ? this.#identity.of(task).executable : undefined;
  }

  take(record: Connection): void {
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
    for (const [bit, { spans, adds }] of this.#asked) {
      const addition = spans[span];
      if (typeof addition !== "object" || !(record.wanted & bit)) continue;
      const added = (addition.of ?? adds)?.(record);
      for (const key in added) attributes[key] = added[key];
    }
    const parent = record.parentSpanId;
    const { start, end: ended } = this.#clock.span(conn.openedAt || end, end);
    const root = isZero(parent) || (span === "connection" && !this.#hasOpener(record));
    const told = span === "connection" && isToldByChild(conn);
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
      error: told ? undefined : error,
    });
  }

  /**
   * Of each end one span is the client or the server: the one with the status, which is the connection's but for
   * attempts that failed, and the handshake's where nobody asks for connections.
   */
  #kind(span: SpanKey, conn: Connection["conn"], failed: boolean): "internal" | "client" | "server" {
    if (this.#options.kind === "internal") return "internal";
    const is = span === "connection" ? !isToldByChild(conn) : failed || !this.#asksConnections;
    if (!is) return "internal";
    return conn.direction === "outbound" ? "client" : "server";
  }

  attributes(record: Pick<Connection, "conn">): Record<string, AnyAttributes[string]> {
    const { conn } = record;
    const { ends, owner } = conn;
    const family = ends.family === 4 ? "ipv4" : "ipv6";
    const { localPort, peerPort } = ends;
    const { pid, comm } = owner;
    // One shape for all, without copies: what there is not is undefined, and left out by whoever writes it.
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

  #close(record: Connection, attributes: Record<string, AnyAttributes[string]>): void {
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

  /** Whether the opener's span is certain to be sent; of other hosts the configuration says so. */
  #hasOpener(record: Connection): boolean {
    const { peerIsHere, openerIsPromised } = record.conn;
    return peerIsHere ? openerIsPromised : this.#isWatched(record);
  }

  #isWatched({ conn: { ends } }: Connection): boolean {
    const family = ends.family === 4 ? "ipv4" : "ipv6";
    const { peer } = ends;
    return this.#peers.some(
      (c) =>
        c.family === family &&
        peer.every(
          (byte, i) =>
            ((byte ^ c.bytes[i]!) & (0xff00 >> Math.max(0, Math.min(8, c.prefix - 8 * i))) & 0xff) === 0,
        ),
    );
  }
}
