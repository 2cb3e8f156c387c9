import type { Socket } from "node:net";

/** What a span context of `@opentelemetry/api` has; ids as lower-case hexadecimal digits. */
export interface Context {
  readonly traceId: string;
  readonly spanId: string;
  /** W3C trace flags; only the lowest byte counts. */
  readonly traceFlags: number;
}

/**
 * Says whose bytes are written to `socket` next, for protocols that this package does not know; null: nobody's.
 * To be called before they are written. Never throws; a context that is none is nobody's.
 */
export declare function setContext(socket: Socket, context: Context | null): void;

export interface Status {
  /** False with `WIRESPAN_CORRELATE=off`, and anywhere but on Linux. */
  readonly enabled: boolean;
  /** How often this thread's table was announced; 0 if loopback cannot be used. */
  readonly announcements: number;
  /** Contexts written since the start. */
  readonly contexts: number;
  /** Times that a connection took a slot of the table. */
  readonly slots: number;
  /** Errors in hooks, none of which reached the application. */
  readonly failures: number;
  readonly lastFailure: unknown;
}

/** What this thread's table has done so far. */
export declare function status(): Status;
