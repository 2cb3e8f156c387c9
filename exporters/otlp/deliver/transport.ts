// What carries a ready request to a backend.
import type { Signal } from "../../config.ts";

/** How a backend answered, or did not. Messages are one line, for people. */
export type Outcome =
  /** Taken, except `rejected` items for the reason in `message`. */
  | { readonly status: "ok"; readonly rejected: number; readonly message: string }
  /** An answer that says neither that the items were taken nor that they were not. */
  | { readonly status: "unconfirmed"; readonly message: string }
  /** Not taken now; `afterMs` is the pause that the backend asks for. */
  | {
      readonly status: "retry";
      readonly message: string;
      readonly afterMs?: number | undefined;
      /** What was taken for a gRPC server is an HTTP server. */
      readonly notGrpc?: boolean;
    }
  /** Too many bytes at once: its parts may be taken. */
  | { readonly status: "too_large"; readonly message: string }
  /** Never to be taken, unless what is suspected is changed. */
  | { readonly status: "rejected"; readonly message: string; readonly suspect?: Suspect };

/** What of a request may be the reason of its refusal. */
export type Suspect = "compression" | "perhaps compression" | "credentials";

/** A request was not answered in time. */
export class Late extends Error {}

/** `P` is a request as it waits: ready bytes, or what the SDK's exporters take. */
export interface Transport<P = Buffer> {
  readonly type: "otlp_grpc" | "otlp_http";
  /** Sends one request of `count` items and resolves with what became of it; never rejects. */
  send(signal: Signal, payload: P, count: number): Promise<Outcome>;
  /** Where a signal's requests go, for people: without user, password and query. */
  endpointOf(signal: Signal): string;
  /** How payloads are to be compressed from now on. */
  readonly compression: "gzip" | "none";
  /** Reads certificates, keys and tokens again if their files have changed; what was read anew, for people. */
  refresh(): Promise<readonly string[]>;
  /** Gives up what is on its way and lets the connections go. */
  close(): void;
}
