// A closed request with what it counts for. Shared by all exporters that send it.
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Signal } from "../config.ts";
import type { Kind } from "../exporter.ts";

const compress = promisify(gzip);

export const KIND_OF: Readonly<Record<Signal, Kind>> = { traces: "span", metrics: "point", logs: "event" };
export const SIGNAL_OF: Readonly<Record<Kind, Signal>> = { span: "traces", point: "metrics", event: "logs" };

export class Batch {
  readonly signal: Signal;
  /** Spans, points or events inside. */
  readonly count: number;
  /** The export request, uncompressed. */
  readonly bytes: Buffer;
  #gzipped: Promise<Buffer> | undefined;

  constructor(signal: Signal, count: number, bytes: Buffer) {
    this.signal = signal;
    this.count = count;
    this.bytes = bytes;
  }

  /** The same, gzipped once for all who ask. */
  gzipped(): Promise<Buffer> {
    this.#gzipped ??= compress(this.bytes, { level: 1 }).then((bytes) => {
      // zlib answers with a view into a 16 KiB chunk: waiting in a queue, it would hold all of that.
      const exact = Buffer.allocUnsafeSlow(bytes.length);
      bytes.copy(exact);
      return exact;
    });
    return this.#gzipped;
  }
}
