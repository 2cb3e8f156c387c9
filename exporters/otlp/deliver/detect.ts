// For an endpoint without a configured protocol: gRPC, until an HTTP server answers.
import type { Log } from "../../../core/plugin/log.ts";
import type { OtlpGrpcConfig, Signal } from "../../config.ts";
import { createGrpcTransport } from "./grpc.ts";
import { createHttpTransport } from "./http.ts";
import type { Outcome, Transport } from "./transport.ts";

/** Throws as createGrpcTransport does. */
export async function createDetectingTransport(
  name: string,
  config: OtlpGrpcConfig,
  log: Log,
): Promise<Transport> {
  return new Detecting(name, config, log, await createGrpcTransport(name, config, log));
}

class Detecting implements Transport {
  readonly #name: string;
  readonly #config: OtlpGrpcConfig;
  readonly #log: Log;
  #current: Transport;
  /** A gRPC server has answered: an HTTP response from now on is a proxy's error page. */
  #isGrpc = false;
  #changing: Promise<void> | undefined;

  constructor(name: string, config: OtlpGrpcConfig, log: Log, grpc: Transport) {
    this.#name = name;
    this.#config = config;
    this.#log = log;
    this.#current = grpc;
  }

  get type(): Transport["type"] {
    return this.#current.type;
  }

  get compression(): Transport["compression"] {
    return this.#current.compression;
  }

  endpointOf(signal: Signal): string {
    return this.#current.endpointOf(signal);
  }

  async send(signal: Signal, payload: Buffer, count: number): Promise<Outcome> {
    const used = this.#current;
    const outcome = await used.send(signal, payload, count);
    if (used.type === "otlp_http") return outcome;
    if (outcome.status !== "retry") this.#isGrpc = true;
    if (this.#isGrpc || outcome.status !== "retry") return outcome;
    if (outcome.notGrpc) this.#changing ??= this.#change();
    try {
      await this.#changing;
    } catch (error) {
      return { status: "retry", message: (error as Error).message };
    }
    // The same bytes: OTLP requests are identical in both protocols.
    return this.#changing === undefined ? outcome : this.#current.send(signal, payload, count);
  }

  refresh(): Promise<readonly string[]> {
    return this.#current.refresh();
  }

  close(): void {
    this.#current.close();
  }

  async #change(): Promise<void> {
    const { detect: _, ...config } = this.#config;
    const whole = (endpoint: string): string =>
      endpoint.includes("://") ? endpoint : `${config.tls.insecure ? "http" : "https"}://${endpoint}`;
    const perSignalEndpoints = Object.fromEntries(
      Object.entries(config.perSignalEndpoints ?? {}).map(([signal, endpoint]) => [signal, whole(endpoint)]),
    );
    const http = await createHttpTransport(
      this.#name,
      { ...config, type: "otlp_http", endpoint: whole(config.endpoint), perSignalEndpoints },
      this.#log,
    );
    const endpoint = this.#current.endpointOf("traces");
    this.#current.close();
    this.#current = http;
    this.#log.warn(
      { exporter: this.#name, endpoint },
      `${endpoint} is an HTTP server, using http/protobuf; set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf`,
    );
  }
}
