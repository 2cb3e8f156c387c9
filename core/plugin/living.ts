// Currently open connections, as the core lists them.
import type { TCP_STATES } from "./semconv.ts";
import type { AnyAttributes, Resource } from "./signals.ts";

/** An open connection, one end. */
export interface LivingConnection {
  readonly traceId: Uint8Array;
  readonly resource: Resource;
  /** The attributes of every signal about a connection. */
  readonly attributes: AnyAttributes;
  readonly state: (typeof TCP_STATES)[number];
  /** Seconds since its SYN, or since the agent found it. */
  readonly age: number;
  /** Payload bytes that the peer acknowledged, and that were received. */
  readonly sent: number;
  readonly received: number;
  /**
   * Bytes that the peer has not acknowledged, and that the application has not read; a SYN or FIN counts as one, as in
   * ss.
   */
  readonly sendQueue: number;
  readonly receiveQueue: number;
  /** Seconds; undefined: not measured. */
  readonly rtt: number | undefined;
  readonly retransmits: number;
}

export interface LivingList {
  /** Number of open connections, including those that are not listed. */
  readonly total: number;
  readonly connections: readonly LivingConnection[];
}
