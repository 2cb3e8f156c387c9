// What carries a ready request to a backend.
import type { Signal } from "../config.ts";

/** How a backend answered, or did not. */
export type Outcome =
  /** Taken, except `rejected` items for the reason in `message`. */
  | { readonly status: "ok"; readonly rejected: number; readonly message: string }
  /** Not taken now; `afterMs` is the pause that the backend asks for. */
  | { readonly status: "retry"; readonly message: string; readonly afterMs?: number | undefined }
  /** Never to be taken. */
  | { readonly status: "rejected"; readonly message: string };

/** `P` is a request as it waits: ready bytes, or what the SDK's exporters take. */
export interface Transport<P = Buffer> {
  /** Sends one request and resolves with what became of it; never rejects. */
  send(signal: Signal, payload: P): Promise<Outcome>;
  /** Gives up what is on its way and lets the connections go. */
  close(): void;
}
