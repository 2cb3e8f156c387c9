// Sends through the SDK's exporters, which give up a batch as soon as its backend is away: ours keeps it, and
// makes a new exporter, whose connection does not wait out the pause after the failures of the old one.
import type { Signal } from "../config.ts";
import type { Outcome, Transport } from "../otlp/transport.ts";
import type { Maker, SdkExporter, SdkPayload } from "./maker.ts";
import type { PartialSuccesses } from "./partial.ts";

export type { SdkPayload } from "./maker.ts";

/** ExportResultCode.SUCCESS. */
const SUCCESS = 0;

export class SdkTransport implements Transport<SdkPayload> {
  readonly #maker: Maker;
  readonly #partial: PartialSuccesses;
  readonly #onClose: () => void;
  readonly #exporters = new Map<Signal, SdkExporter>();

  constructor(maker: Maker, partial: PartialSuccesses, onClose: () => void) {
    this.#maker = maker;
    this.#partial = partial;
    this.#onClose = onClose;
  }

  send(signal: Signal, payload: SdkPayload): Promise<Outcome> {
    const exporter = this.#exporters.get(signal) ?? this.#maker.make(signal);
    this.#exporters.set(signal, exporter);
    return new Promise((resolve) => {
      const failed = (error: Error): void => {
        const outcome = this.#maker.outcomeOf(error);
        if (outcome.status === "retry") this.#drop(signal, exporter);
        resolve(outcome);
      };
      try {
        exporter.export(payload, ({ code, error }) => {
          if (code === SUCCESS) resolve({ status: "ok", ...this.#partial.take() });
          else failed(error ?? new Error("the SDK's exporter failed without a reason"));
        });
      } catch (error) {
        resolve({ status: "rejected", message: String(error) });
      }
    });
  }

  close(): void {
    for (const [signal, exporter] of this.#exporters) this.#drop(signal, exporter);
    this.#maker.close();
    this.#onClose();
  }

  #drop(signal: Signal, exporter: SdkExporter): void {
    if (this.#exporters.get(signal) === exporter) this.#exporters.delete(signal);
    void exporter.shutdown().catch(() => {});
  }
}
