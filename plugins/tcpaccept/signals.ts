// What tcpaccept reports.
import { constants } from "node:os";
import { SPANS } from "../../core/plugin/connection.ts";
import { ACCEPTOR, CONNECTION, FASTOPEN } from "../../core/plugin/semconv.ts";
import type { AttributeSpecs, Signals } from "../../core/plugin/signals.ts";

const { errno } = constants;

/** Added to the span. */
export const HANDSHAKE = {
  "wirespan.tcp.synack.retransmits": {
    type: "int",
    requirement: "required",
    description: "SYN-ACKs that were retransmitted; the span's duration includes the waits before them.",
  },
  ...FASTOPEN,
} as const satisfies AttributeSpecs;

const ERRORS = [
  "too_many_open_files",
  "too_many_open_files_in_system",
  "out_of_memory",
  "connection_aborted",
  "permission_denied",
  "_OTHER",
] as const;

type AcceptError = (typeof ERRORS)[number];

const BY_NUMBER: Readonly<Record<number, AcceptError>> = {
  [errno.EMFILE]: "too_many_open_files",
  [errno.ENFILE]: "too_many_open_files_in_system",
  [errno.ENOMEM]: "out_of_memory",
  [errno.ENOBUFS]: "out_of_memory",
  [errno.ECONNABORTED]: "connection_aborted",
  [errno.EPERM]: "permission_denied",
  [errno.EACCES]: "permission_denied",
};

/** The name of the error that accept() returned. */
export function acceptErrorOf(number: number): AcceptError {
  return BY_NUMBER[number] ?? "_OTHER";
}

const FAILURE = {
  "error.type": {
    type: "string",
    requirement: "required",
    enum: ERRORS,
    expectedValues: "each",
    description:
      "Why the call failed: the process's limit of open files, the system's, out of memory, or denied by a firewall.",
  },
} as const satisfies AttributeSpecs;

/** What the event has in addition to the listener's attributes. */
export const FAILED = {
  ...FAILURE,
  "wirespan.errno": { type: "int", requirement: "required", description: "The kernel's error number." },
  "wirespan.event.suppressed": {
    type: "int",
    requirement: "conditional",
    description:
      "Calls with this error since the last event that exceeded `eventRate` and have no event of their own.",
  },
} as const satisfies AttributeSpecs;

const { "network.peer.address": _address, "network.peer.port": _port, ...LISTENER } = CONNECTION;

export const signals = {
  duration: {
    signal: "metric",
    instrument: "histogram",
    name: "wirespan.tcp.accept.duration",
    unit: "s",
    description: "Time from the SYN until accept() returned the connection, or until it ended.",
    attributes: { ...ACCEPTOR, "error.type": SPANS.accept.attributes["error.type"] },
  },
  accepted: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.tcp.connection.accepted",
    unit: "{connection}",
    description: "Connections that accept() returned.",
    attributes: ACCEPTOR,
  },
  failures: {
    signal: "metric",
    instrument: "counter",
    name: "wirespan.tcp.accept.errors",
    unit: "{call}",
    description: "Failed calls of accept() on TCP listeners, except those that would have had to wait.",
    attributes: { ...ACCEPTOR, ...FAILURE },
  },
  failure: {
    signal: "event",
    name: "wirespan.tcp.accept.error",
    severity: "WARN",
    description: "A failed call of accept() on a TCP listener.",
    attributes: {
      ...LISTENER,
      ...FAILED,
    },
  },
} as const satisfies Signals;
