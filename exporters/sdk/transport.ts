// Sends with the SDK's exporters, which drop a batch if the backend is down: ours keeps it and creates a new exporter,
// whose connection does not wait for the old one's backoff.
import type { Signal } from "../config.ts";
import { oneLine } from "../otlp/deliver/one-line.ts";
import type { PartialSuccess } from "../otlp/deliver/response.ts";
import type { Outcome, Transport } from "../otlp/deliver/transport.ts";
import type { SdkExporter, SdkExporterFactory, SdkPayload } from "./exporter-factory.ts";
import type { PartialSuccesses } from "./partial-success.ts";

export type { SdkPayload } from "./exporter-factory.ts";

/** ExportResultCode.SUCCESS. */
const SUCCESS = 0;

export class SdkTransport implements Transport<SdkPayload> {
  readonly type: Transport["type"];
  readonly #factory: SdkExporterFactory;
  readonly #partial: PartialSuccesses;
  readonly #onClose: () => void;
  readonly #exporters = new Map<Signal, SdkExporter>();

  constructor(
    type: Transport["type"],
    factory: SdkExporterFactory,
    partial: PartialSuccesses,
    onClose: () => void,
  ) {
    this.type = type;
    this.#factory = factory;
    this.#partial = partial;
    this.#onClose = onClose;
  }

  /** The SDK compresses by itself. */
  readonly compression = "none";

  endpointOf(signal: Signal): string {
    return this.#factory.endpointOf(signal);
  }

  async refresh(atOnce = true): Promise<readonly string[]> {
    const renewed = await this.#factory.refresh(atOnce);
    if (renewed.length > 0) for (const [signal, exporter] of this.#exporters) this.#drop(signal, exporter);
    return renewed;
  }

  async send(signal: Signal, payload: SdkPayload, count: number): Promise<Outcome> {
    await this.refresh(false);
    const exporter = this.#exporters.get(signal) ?? this.#factory.make(signal);
    this.#exporters.set(signal, exporter);
    return new Promise((resolve) => {
      const failed = (error: Error): void => {
        const outcome = this.#factory.outcomeOf(error);
        if (outcome.status === "retry") this.#drop(signal, exporter);
        resolve(outcome);
      };
      try {
        exporter.export(payload, ({ code, error }) => {
          if (code === SUCCESS) resolve(taken(this.#partial.take(), count));
          else failed(error ?? new Error("the SDK's exporter failed without a reason"));
        });
      } catch (error) {
        resolve({ status: "rejected", message: String(error) });
      }
    });
  }

  close(): void {
    for (const [signal, exporter] of this.#exporters) this.#drop(signal, exporter);
    this.#factory.close();
    this.#onClose();
  }

  #drop(signal: Signal, exporter: SdkExporter): void {
    if (this.#exporters.get(signal) === exporter) this.#exporters.delete(signal);
    void exporter.shutdown().catch(() => {});
  }
}

function taken({ rejected, message }: PartialSuccess, count: number): Outcome {
  if (Number.isSafeInteger(rejected) && rejected >= 0 && rejected <= count) {
    return { status: "ok", rejected, message: oneLine(message) };
  }
  return {
    status: "unconfirmed",
    message: `the response claims that ${rejected} of ${count} items were rejected`,
  };
}
