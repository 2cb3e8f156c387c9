// Where the attributes of connections' spans are in the tracker's records. Tests: core/engine/connection-spans.kernel.test.ts,
// exporters/otlp/encode/recorded.test.ts.
import { ConnCursor, ConnRecordCursor } from "../../bpf/include/wirespan/structs.skel.ts";
import {
  type ConnRecord,
  connectError,
  type ErrorType,
  isStartKnown,
  OWN,
  type RequestedSpan,
  type SpanKey,
  UNREACHABLE,
} from "../plugin/connection.ts";
import { CONNECTION, ERROR_TYPE, IN_TRACE } from "../plugin/semconv.ts";
import { type Values, values, without } from "../plugin/values.ts";

type Conn = ConnRecord["conn"];

/** Values that are not in any record. */
export interface Known {
  /** The base name of the owner's executable. */
  executable(conn: Conn): string | undefined;
  /** The name of the network namespace. */
  netns(conn: Conn): string | undefined;
}

/** The attributes that all signals about a connection share. */
export function connectionValues({ executable, netns }: Known): Values<Conn, typeof CONNECTION> {
  return values(ConnCursor, CONNECTION, {
    "network.transport": { constant: "tcp" },
    "network.type": { from: "ends.family", names: { 4: "ipv4", 6: "ipv6" } },
    "network.local.address": { address: "ends.local", family: "ends.family" },
    // A port may never have been chosen, and a listener has no peer.
    "network.local.port": { from: "ends.localPort", nonZero: true },
    "network.peer.address": {
      address: "ends.peer",
      family: "ends.family",
      when: "ends.peerPort",
    },
    "network.peer.port": { from: "ends.peerPort", nonZero: true },
    "wirespan.connection.direction": { from: "direction" },
    "wirespan.connection.id": { cookie: "cookie", life: "life" },
    "wirespan.connection.mapped": { from: "ends.mapped", nonZero: true },
    "network.interface.name": { from: "interface", when: "ends.ifindex", nonZero: true },
    "wirespan.interface.index": { from: "ends.ifindex", nonZero: true },
    "wirespan.netns.cookie": { from: "netnsCookie" },
    "wirespan.netns.inode": { from: "netns" },
    "wirespan.netns.name": { by: netns },
    "process.pid": { from: "owner.pid", nonZero: true },
    "process.executable.name": { by: executable },
    "thread.name": { from: "owner.comm", when: "owner.pid" },
    "wirespan.thread.tid": { from: "owner.tid", when: "owner.pid" },
    "wirespan.process.uid": { from: "owner.uid", when: "owner.pid" },
    "wirespan.process.source": { from: "ownerSource" },
  });
}

/** Of any span: the server's endpoint. */
const SERVER = {
  "server.address": {
    choose: "conn.direction",
    of: {
      outbound: { address: "conn.ends.peer", family: "conn.ends.family", when: "conn.ends.peerPort" },
      inbound: { address: "conn.ends.local", family: "conn.ends.family" },
    },
  },
  "server.port": {
    choose: "conn.direction",
    of: {
      outbound: { from: "conn.ends.peerPort", nonZero: true },
      inbound: { from: "conn.ends.localPort", nonZero: true },
    },
  },
} as const;

export const failed = ({ establishedAt }: Conn): boolean => !(establishedAt > 0);

/** How a connection failed; undefined if it did not. */
function errorOf(conn: Conn): ErrorType | undefined {
  if (failed(conn)) return connectError(conn);
  switch (conn.closeReason) {
    case "timeout":
      return "timed_out";
    case "unreachable":
      return UNREACHABLE[conn.error] ?? "_OTHER";
    case "rst_received":
      return "connection_reset";
    default:
      return undefined;
  }
}

/** How the subject of a span failed; undefined if it did not. */
export function errorIn(span: RequestedSpan, conn: Conn): ErrorType | "never_accepted" | undefined {
  return errors[span](conn);
}

const errors = {
  connection: errorOf,
  connect: (conn: Conn) => (failed(conn) ? connectError(conn) : undefined),
  accept: ({ acceptedAt }: Conn) => (acceptedAt ? undefined : "never_accepted"),
} as const;

/** End of a span, on the boot clock. */
export function endOf(span: SpanKey, { establishedAt, acceptedAt, closedAt }: Conn): number {
  if (span === "connect" && establishedAt) return establishedAt;
  if (span === "accept" && acceptedAt) return acceptedAt;
  return closedAt;
}

/** The acceptor, if it is not the owner. */
const other = <N extends "user" | "closer" | "acceptor">(role: N) => {
  const pid = `conn.${role}.pid` as const;
  return { when: pid, differ: [pid, "conn.owner.pid"] } as const;
};

/** Attributes of each span in addition to CONNECTION. */
export const OWN_VALUES = {
  connection: values(ConnRecordCursor, OWN.connection, {
    ...SERVER,
    "error.type": { by: ({ conn }) => errors.connection(conn) },
    "wirespan.tcp.close.reason": { from: "conn.closeReason" },
    "wirespan.tcp.bytes_sent": { from: "traffic.sentBytes" },
    "wirespan.tcp.bytes_received": { from: "traffic.receivedBytes" },
    "wirespan.connection.start_unknown": {
      by: ({ conn }) => !isStartKnown(conn) || undefined,
    },
    "wirespan.connection.end_unknown": { from: "conn.endedUnseen", nonZero: true },
    "wirespan.process.last_user.pid": { from: "conn.user.pid", ...other("user") },
    "wirespan.process.last_user.name": { from: "conn.user.comm", ...other("user") },
    "wirespan.process.closer.pid": { from: "conn.closer.pid", ...other("closer") },
    // Another thread of the owner's process may have closed it.
    "wirespan.process.closer.name": {
      by: ({ conn: { closer, owner } }) =>
        closer.pid && (closer.pid !== owner.pid || closer.comm !== owner.comm) ? closer.comm : undefined,
    },
    "wirespan.process.acceptor.pid": { from: "conn.acceptor.pid", ...other("acceptor") },
    "wirespan.process.acceptor.name": { from: "conn.acceptor.comm", ...other("acceptor") },
  }),
  connect: values(ConnRecordCursor, OWN.connect, {
    ...SERVER,
    "error.type": { by: ({ conn }) => errors.connect(conn) },
    "wirespan.tcp.close.reason": { by: ({ conn }) => (failed(conn) ? conn.closeReason : undefined) },
    "wirespan.errno": { by: ({ conn }) => (failed(conn) && conn.error) || undefined },
  }),
  accept: values(ConnRecordCursor, OWN.accept, {
    ...SERVER,
    "error.type": { by: ({ conn }) => errors.accept(conn) },
    "wirespan.tcp.accept.queue_wait": {
      by({ conn }) {
        const { establishedAt } = conn;
        const isKnown = establishedAt && isStartKnown(conn);
        return isKnown ? (endOf("accept", conn) - establishedAt) / 1e9 : undefined;
      },
    },
    "wirespan.tcp.accept.fd": {
      by: ({ conn: { acceptedAt, acceptFd } }) => (acceptedAt && acceptFd >= 0 ? acceptFd : undefined),
    },
  }),
};

const CONTEXT = values(ConnRecordCursor, IN_TRACE, {
  "wirespan.context.source": { by: ({ context: { source } }) => (source === "none" ? undefined : source) },
  "wirespan.event.more": { from: "context.more", nonZero: true },
});

/** How the subject of a span in an application's trace failed; undefined if it did not. */
export function inTraceError(span: SpanKey, conn: Conn): ErrorType | undefined {
  const isFailure = span === "reset" || (span === "connect" && failed(conn));
  return isFailure ? (errorOf(conn) ?? "connection_reset") : undefined;
}

/** Attributes of a span in an application's trace; `event` is specific to the plugin. */
export function inTraceValues(connection: Values<ConnRecord, typeof CONNECTION>) {
  const event = connection.and(CONTEXT);
  const ofError = values(ConnRecordCursor, ERROR_TYPE, {
    "error.type": { by: ({ conn, span }) => inTraceError(span, conn) },
  });
  return {
    event,
    connect: event.and(OWN_VALUES.connect).and(ofError),
    accept: event.and(without(OWN_VALUES.accept, "error.type")),
    reset: event
      .and(
        values(ConnRecordCursor, OWN.reset, {
          ...SERVER,
          "wirespan.tcp.close.reason": { from: "conn.closeReason" },
        }),
      )
      .and(ofError),
  };
}
