// Sends uncompressed requests to a backend that does not accept compressed ones.
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { Log } from "../../../core/plugin/log.ts";
import type { Outcome } from "./transport.ts";

const decompress = promisify(gunzip);

/** How often a rejection that does not mention compression is retried without it. */
const TRIES = 3;

export class CompressionFallback {
  readonly #exporter: string;
  readonly #log: Log;
  #compression: "gzip" | "none";
  /** A compressed request was accepted. */
  #worked = false;
  #tries = 0;

  constructor(exporter: string, compression: "gzip" | "none", log: Log) {
    this.#exporter = exporter;
    this.#compression = compression;
    this.#log = log;
  }

  /** Compression of requests from now on. */
  get compression(): "gzip" | "none" {
    return this.#compression;
  }

  /** Sends a request, and again without compression if the backend rejects it for that. */
  async send(payload: Buffer, send: (bytes: Buffer, gzipped: boolean) => Promise<Outcome>): Promise<Outcome> {
    if (!isGzip(payload)) return send(payload, false);
    if (this.#compression === "none") return send(await decompress(payload), false);
    const outcome = await send(payload, true);
    if (outcome.status !== "rejected") {
      if (outcome.status === "ok") this.#worked = true;
      return outcome;
    }
    if (!this.#isSuspect(outcome)) return outcome;
    const again = await send(await decompress(payload), false);
    if (again.status === "ok") {
      this.#compression = "none";
      const reason = outcome.message;
      this.#log.warn(
        { exporter: this.#exporter, reason },
        `the backend does not accept gzip, sending uncompressed requests; set exporters.${this.#exporter}.compression: none`,
      );
    }
    return again;
  }

  #isSuspect({ suspect }: Outcome & { status: "rejected" }): boolean {
    if (suspect === "compression") return true;
    return suspect === "perhaps compression" && !this.#worked && this.#tries++ < TRIES;
  }
}

function isGzip(payload: Buffer): boolean {
  return payload.length > 2 && payload[0] === 0x1f && payload[1] === 0x8b;
}
