// Common parts of OTLP/gRPC and OTLP/HTTP: a connection per endpoint, renewable credentials, and compression that a
// backend may reject.
import type { Log } from "../../../core/plugin/log.ts";
import type { Signal } from "../../config.ts";
import { CompressionFallback } from "./compression.ts";
import type { Credentials } from "./credentials.ts";
import type { Outcome, Transport } from "./transport.ts";

/** One endpoint, and the connections kept to it. */
export interface Connection {
  /** The endpoint for messages: without user, password and query. */
  readonly shown: string;
  send(signal: Signal, payload: Buffer, gzipped: boolean, count: number): Promise<Outcome>;
  /** Opens new connections from now on, with renewed certificates. */
  renew(): void;
  close(): void;
}

export interface ConnectedOptions {
  readonly type: Transport["type"];
  readonly exporter: string;
  readonly connections: ReadonlyMap<Signal, Connection>;
  readonly credentials: Credentials;
  readonly compression: "gzip" | "none";
  readonly log: Log;
}

export class ConnectedTransport implements Transport {
  readonly type: Transport["type"];
  readonly #connections: ReadonlyMap<Signal, Connection>;
  readonly #credentials: Credentials;
  readonly #compression: CompressionFallback;

  constructor({ type, exporter, connections, credentials, compression, log }: ConnectedOptions) {
    this.type = type;
    this.#connections = connections;
    this.#credentials = credentials;
    this.#compression = new CompressionFallback(exporter, compression, log);
  }

  get compression(): "gzip" | "none" {
    return this.#compression.compression;
  }

  endpointOf(signal: Signal): string {
    return this.#connections.get(signal)!.shown;
  }

  async send(signal: Signal, payload: Buffer, count: number): Promise<Outcome> {
    await this.refresh(false);
    const connection = this.#connections.get(signal)!;
    const outcome = await this.#compression.send(payload, (bytes, gzipped) =>
      connection.send(signal, bytes, gzipped, count),
    );
    const isStale = outcome.status === "rejected" && outcome.suspect === "credentials";
    return isStale && (await this.refresh()).length > 0
      ? { status: "retry", message: outcome.message }
      : outcome;
  }

  async refresh(atOnce = true): Promise<readonly string[]> {
    const renewed = await this.#credentials.refresh(atOnce);
    if (renewed.includes("tls")) for (const connection of this.#each()) connection.renew();
    return renewed;
  }

  close(): void {
    for (const connection of this.#each()) connection.close();
  }

  /** Signals may share a connection. */
  #each(): ReadonlySet<Connection> {
    return new Set(this.#connections.values());
  }
}
