// Whether a backend takes compressed requests; one that does not gets them plain from then on.
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { Log } from "../../../core/plugin/log.ts";
import type { Outcome } from "./transport.ts";

const decompress = promisify(gunzip);

/** How often a refusal that does not speak of compression is tried without it. */
const TRIES = 3;

export class CompressionFallback {
  readonly #exporter: string;
  readonly #log: Log;
  #compression: "gzip" | "none";
  /** A compressed request was taken. */
  #worked = false;
  #tries = 0;

  constructor(exporter: string, compression: "gzip" | "none", log: Log) {
    this.#exporter = exporter;
    this.#compression = compression;
    this.#log = log;
  }

  /** How requests are to be packed from now on. */
  get compression(): "gzip" | "none" {
    return this.#compression;
  }

  /** Sends a request as the backend takes it, and again without compression if that is what it refuses. */
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
