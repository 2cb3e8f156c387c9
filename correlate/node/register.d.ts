import type { Socket } from "node:net";

/** A span context like that of `@opentelemetry/api`; ids as lower-case hexadecimal digits. */
export interface Context {
  readonly traceId: string;
  readonly spanId: string;
  /** W3C trace flags; only the lowest byte counts. */
  readonly traceFlags: number;
}

/**
 * Sets the context of the bytes that are written to `socket` next, for protocols that this package does not know; null: none.
 * Call it before they are written. Never throws; an invalid context counts as none.
 */
export declare function setContext(socket: Socket, context: Context | null): void;

export interface Status {
  /** False with `WIRESPAN_CORRELATE=off`, and anywhere but on Linux. */
  readonly enabled: boolean;
  /** How often this thread's table has been announced; 0 if loopback cannot be used. */
  readonly announcements: number;
  /** Contexts written since the start. */
  readonly contexts: number;
  /** How often a connection has taken over a slot of the table. */
  readonly slots: number;
  /** Errors in hooks, none of which reached the application. */
  readonly failures: number;
  readonly lastFailure: unknown;
}

/** Statistics of this thread's table. */
export declare function status(): Status;
