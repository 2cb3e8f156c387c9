// An encoded request and the number of items in it, shared by all exporters that send it.
import { promisify } from "node:util";
import { gzip, gzipSync } from "node:zlib";
import type { Signal } from "../../config.ts";
import type { Kind } from "../../exporter.ts";
import { toJson } from "./json.ts";

const compress = promisify(gzip);

/**
 * Requests are compressed to less than this fraction: a single output buffer is enough, without a turn of the thread
 * per 16 KiB.
 */
const RATIO = 8;

const options = ({ length }: Buffer) => ({
  level: 1,
  chunkSize: Math.max(16 * 1024, Math.ceil(length / RATIO)),
});

/** A copy in a buffer of its own size: a waiting view would keep everything that zlib has allocated. */
function exact(view: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(view.length);
  view.copy(copy);
  return copy;
}

/** As gzip, by another thread. */
export async function compressed(bytes: Buffer): Promise<Buffer> {
  return exact(await compress(bytes, options(bytes)));
}

export const KIND_OF: Readonly<Record<Signal, Kind>> = { traces: "span", metrics: "point", logs: "event" };
export const SIGNAL_OF: Readonly<Record<Kind, Signal>> = { span: "traces", point: "metrics", event: "logs" };

/** Encoding and compression of a request. */
export interface Encoding {
  readonly encoding: "protobuf" | "json";
  readonly compression: "gzip" | "none";
}

export class Batch {
  readonly signal: Signal;
  /** Spans, points or events inside. */
  readonly count: number;
  /** The export request, protobuf, uncompressed. */
  readonly bytes: Buffer;
  readonly #packed = new Map<string, Promise<Buffer>>();
  #holders: number;
  readonly #unused: () => void;

  /** `unused` is called when all `holders` have called `done`. */
  constructor(signal: Signal, count: number, bytes: Buffer, holders = 0, unused: () => void = () => {}) {
    this.signal = signal;
    this.count = count;
    this.bytes = bytes;
    this.#holders = holders;
    this.#unused = unused;
  }

  /** A holder no longer needs `bytes`: called at most once per holder. */
  done(): void {
    if (--this.#holders === 0) this.#unused();
  }

  /** The bytes to send, created once for all exporters with the same encoding. */
  encoded({ encoding, compression }: Encoding): Buffer | Promise<Buffer> {
    if (encoding === "protobuf" && compression === "none") return this.bytes;
    const key = `${encoding} ${compression}`;
    let packed = this.#packed.get(key);
    if (packed === undefined) {
      packed = this.#pack(encoding === "json", compression === "gzip");
      this.#packed.set(key, packed);
    }
    return packed;
  }

  /** The same on this thread, if there is no time to wait for another. */
  encodedNow({ encoding, compression }: Encoding): Buffer {
    const bytes = encoding === "json" ? toJson(this.signal, this.bytes) : this.bytes;
    return compression === "gzip" ? exact(gzipSync(bytes, options(bytes))) : bytes;
  }

  async #pack(json: boolean, gzipped: boolean): Promise<Buffer> {
    const bytes = json ? toJson(this.signal, this.bytes) : this.bytes;
    return gzipped ? compressed(bytes) : bytes;
  }
}
