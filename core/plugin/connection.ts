// The spans of connections and the attributes that all signals about a connection share. The tracker's skeleton
// declares the records; core/engine/connection-spans.ts emits the spans. Tests: core/engine/connection-spans.kernel.test.ts.
import { constants } from "node:os";
import type { CloseReason, ConnRecord, Task } from "../../bpf/tracker/tracker.skel.ts";
import { CLOSE_REASON, CONNECTION, ERROR_TYPE, type ERROR_TYPES, IN_TRACE } from "./semconv.ts";
import type {
  AttributeSpec,
  AttributeSpecs,
  Attributes,
  Resource,
  Span,
  SpanContext,
  SpanSpec,
} from "./signals.ts";
import type { Values } from "./values.ts";

export { ConnRecordCursor, TaskCursor } from "../../bpf/include/wirespan/structs.skel.ts";
export type { ConnRecord, Task };

const { errno } = constants;

export type ErrorType = (typeof ERROR_TYPES)[number];

const WHO: Record<"last_user" | "closer" | "acceptor", string> = {
  last_user: "was the last to send or receive",
  closer: "closed this end",
  acceptor: "accepted it",
};

interface Process<N extends keyof typeof WHO> {
  readonly pid: { readonly [K in `wirespan.process.${N}.pid`]: AttributeSpec & { readonly type: "int" } };
  readonly name: {
    readonly [K in `wirespan.process.${N}.name`]: AttributeSpec & { readonly type: "string" };
  };
}

const process = <N extends keyof typeof WHO>(role: N) =>
  ({
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
  }) as Process<N>["pid"] & Process<N>["name"];

/** The acceptor's end, in the spans of both ends: it distinguishes traces in a list. */
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

/** Attributes of the connection spans in addition to CONNECTION. */
export const OWN = {
  connection: {
    ...SERVER,
    ...CLOSE_REASON,
    ...ERROR_TYPE,
    ...process("last_user"),
    ...process("closer"),
    ...process("acceptor"),
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
        "The connection is older than the agent, or no program observed its start: the span begins when the agent first observed it.",
    },
    "wirespan.connection.end_unknown": {
      type: "boolean",
      requirement: "conditional",
      description: "No program observed the close: the span ends when a sweep found the socket closed.",
    },
  },
  connect: {
    ...SERVER,
    ...ERROR_TYPE,
    ...IN_TRACE,
    "wirespan.tcp.close.reason": {
      ...CLOSE_REASON["wirespan.tcp.close.reason"],
      requirement: "conditional",
      description: "What ended a failed attempt.",
    },
    "wirespan.errno": {
      type: "int",
      requirement: "conditional",
      description: "The kernel's error number of a failed attempt; absent if the attempt was aborted.",
    },
  },
  accept: {
    ...SERVER,
    ...IN_TRACE,
    "error.type": {
      type: "string",
      requirement: "conditional",
      enum: ["never_accepted"],
      description: "The connection ended before accept() returned it.",
    },
    "wirespan.tcp.accept.queue_wait": {
      type: "double",
      requirement: "conditional",
      description: "Time in the accept queue after the handshake, seconds.",
    },
    "wirespan.tcp.accept.fd": {
      type: "int",
      requirement: "conditional",
      description:
        "The connection's file descriptor in the process that accepted it, if the hook provides it.",
    },
  },
  reset: { ...SERVER, ...CLOSE_REASON, ...ERROR_TYPE, ...IN_TRACE },
} as const satisfies Record<string, AttributeSpecs>;

/** The connection spans without any plugin's attributes. */
export const SPANS = {
  connection: {
    signal: "span",
    name: "tcp connection",
    description: "One end of a TCP connection, from the SYN to the close.",
    attributes: { ...CONNECTION, ...OWN.connection },
  },
  connect: {
    signal: "span",
    name: "tcp connect",
    description: "A handshake, from the first SYN to its outcome.",
    attributes: { ...CONNECTION, ...OWN.connect },
  },
  accept: {
    signal: "span",
    name: "tcp accept",
    description: "An incoming connection, from the SYN to the return of accept().",
    attributes: { ...CONNECTION, ...OWN.accept },
  },
  reset: {
    signal: "span",
    name: "tcp reset",
    description:
      "A connection that broke before a request was answered, in the application's own trace; it lasts 1 ns.",
    attributes: { ...CONNECTION, ...OWN.reset },
  },
} as const satisfies Record<string, SpanSpec>;

export type SpanKey = keyof typeof SPANS;

/** A span that plugins may request: one of a connection's own trace. */
export type RequestedSpan = Exclude<SpanKey, "reset">;

/**
 * The spans that a plugin requests, for the connections that its program marks (wanted_connection,
 * wanted_connect, wanted_accept in bpf/include/wirespan/conn.h), with the attributes that it adds; `plain`: none.
 */
export type SpanRequests = Readonly<Partial<Record<RequestedSpan, AttributeSpecs | "plain">>>;

/**
 * For each requested span, where the attributes that the plugin adds to it are found, or how they are computed. The
 * plugin's own records from before the span are passed on first.
 */
export type Enrich<R extends SpanRequests> = {
  readonly [K in keyof R as R[K] extends AttributeSpecs ? K : never]?: Values<
    ConnRecord,
    R[K] extends AttributeSpecs ? R[K] : never
  >;
};

/**
 * For each requested span, the function that offers its measurements as exemplars. `span`: the ids under which the span
 * is exported, in the application's trace if it is also there. Both are valid during the call only.
 */
export type Exemplify<R extends SpanRequests> = {
  readonly [K in keyof R]?: (connection: ConnRecord, span: SpanContext) => void;
};

/** Metadata about the attributes that any plugin adds. */
export type AnyEnrich = Readonly<Partial<Record<SpanKey, Values<ConnRecord>>>>;

/** The connection spans with the attributes that these requests add. */
export function spansWith(requests: readonly SpanRequests[]): Record<SpanKey, SpanSpec> {
  const specs: Record<SpanKey, SpanSpec> = { ...SPANS };
  for (const [key, request] of requests.flatMap((spans) => Object.entries(spans))) {
    if (request === "plain") continue;
    const spec = specs[key as SpanKey];
    specs[key as SpanKey] = { ...spec, attributes: { ...spec.attributes, ...request } };
  }
  return specs;
}

/** Attributes and resources of connections, for plugins. */
export interface Connections {
  /** The attributes of any signal about a connection. The object is the caller's own. */
  attributes(connection: Pick<ConnRecord, "conn">): Attributes<typeof CONNECTION>;
  /** Where these attributes are in a connection's record. */
  readonly values: Values<ConnRecord["conn"], typeof CONNECTION>;
  /** The resource of a signal about something that this task did; the host's if the task is unknown. */
  resource(task: Task): Resource;
  /**
   * Whether the names of the task's container are still being requested: a row about it has to be left for a later
   * collection. Records of rings and sums by workload are held back by the engine.
   */
  waits(task: Task): boolean;
  /** The number of the task's workload in keys of tables. */
  workload(task: Task): number;
  /** The base name of the task's executable. */
  executable(task: Task): string | undefined;
  /** The values in the tracker's record, with the additional attributes of a span in an application's trace. */
  readonly inTraceValues: Values<ConnRecord, typeof CONNECTION & typeof IN_TRACE>;
  /**
   * An event `at` (nanoseconds since boot) as a span in the trace of the request that it concerns: everything except
   * its spec and its attributes. Undefined if the record concerns no request, or if `correlate.rate` is exceeded. Must
   * be emitted immediately: it refers to the record.
   */
  inTrace(connection: ConnRecord, at: number): InTrace | undefined;
}

/** A span in an application's own trace. */
export type InTrace = Omit<Span, "spec" | "scope" | "attributes" | "recorded">;

/** error.type of a connection that ended as unreachable, by errno. */
export const UNREACHABLE: Readonly<Record<number, ErrorType>> = {
  [errno.EPERM]: "permission_denied",
  [errno.EACCES]: "permission_denied",
  [errno.EADDRNOTAVAIL]: "address_not_available",
  [errno.ENETUNREACH]: "network_unreachable",
  [errno.EHOSTUNREACH]: "host_unreachable",
};

/** Its start is known, and was observed by the agent: is_start_known of bpf/include/wirespan/conn.h. */
export function isStartKnown({ beforeStart, begunUnseen }: ConnRecord["conn"]): boolean {
  return !beforeStart && !begunUnseen;
}

interface Outcome {
  /** `none`: it succeeded. */
  readonly closeReason: CloseReason;
  /** The kernel's error number. */
  readonly error: number;
}

/** The outcome of an attempt to connect, as `error.type`. */
export function connectError({ closeReason, error }: Outcome): ErrorType | undefined {
  switch (closeReason) {
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
