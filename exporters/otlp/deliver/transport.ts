// Carries encoded requests to a backend.
import type { Signal } from "../../config.ts";

/** A backend's response, or the lack of one. Messages are one line, for people. */
export type Outcome =
  /** Accepted, except `rejected` items for the reason in `message`. */
  | { readonly status: "ok"; readonly rejected: number; readonly message: string }
  /** A response that says neither that the items were accepted nor that they were rejected. */
  | { readonly status: "unconfirmed"; readonly message: string }
  /** Not accepted now; `afterMs` is the pause that the backend asks for. */
  | {
      readonly status: "retry";
      readonly message: string;
      readonly afterMs?: number | undefined;
      /** The supposed gRPC server is an HTTP server. */
      readonly notGrpc?: boolean;
    }
  /** Too many bytes at once: its parts may be accepted. */
  | { readonly status: "too_large"; readonly message: string }
  /** Never accepted, unless the suspect is changed. */
  | { readonly status: "rejected"; readonly message: string; readonly suspect?: Suspect };

/** The possible reason for a rejection. */
export type Suspect = "compression" | "perhaps compression" | "credentials";

/** A request was not answered in time. */
export class Late extends Error {}

/** `P` is a waiting request: encoded bytes, or what the SDK's exporters accept. */
export interface Transport<P = Buffer> {
  readonly type: "otlp_grpc" | "otlp_http";
  /** Sends one request of `count` items and resolves with its outcome; never rejects. */
  send(signal: Signal, payload: P, count: number): Promise<Outcome>;
  /** Destination of a signal's requests, for messages: without user, password and query. */
  endpointOf(signal: Signal): string;
  /** Compression of payloads from now on. */
  readonly compression: "gzip" | "none";
  /** Reloads certificates, keys and tokens if their files have changed; returns the parts that were reloaded. */
  refresh(): Promise<readonly string[]>;
  /** Aborts requests in flight and closes the connections. */
  close(): void;
}
