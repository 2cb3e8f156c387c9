// A real Rotel, which converts OTLP traces to Datadog's.
import type { DatadogIntake } from "./datadog-intake.ts";
import { freePorts } from "./ports.ts";
import { Service } from "./service.ts";

/** A running Rotel. Dispose of it with `await using`. */
export class Rotel implements AsyncDisposable {
  /** `http://127.0.0.1:PORT`, for OTLP over gRPC. */
  readonly grpc: string;
  readonly #service: Service;

  constructor(service: Service, grpc: string) {
    this.#service = service;
    this.grpc = grpc;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#service[Symbol.asyncDispose]();
  }
}

/** Starts a Rotel on free ports of 127.0.0.1 that sends traces to `intake` with the API key `key`. */
export async function startRotel(intake: DatadogIntake, key: string): Promise<Rotel> {
  const [grpc, http] = await freePorts(2);
  const service = await Service.start("rotel", (folder) => ({
    args: [
      "start",
      `--pid-file=${folder}/pid`,
      `--otlp-grpc-endpoint=127.0.0.1:${grpc}`,
      `--otlp-http-endpoint=127.0.0.1:${http}`,
      "--exporter=datadog",
      `--datadog-exporter-custom-endpoint=${intake.url}`,
      `--datadog-exporter-api-key=${key}`,
      "--batch-timeout=100ms",
    ],
    // It has no health page, but its rejection of a GET shows that it listens.
    ready: `http://127.0.0.1:${http}/v1/traces`,
    status: 404,
  }));
  return new Rotel(service, `http://127.0.0.1:${grpc}`);
}
