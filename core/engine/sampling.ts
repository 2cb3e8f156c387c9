// Sampling settings in the form for programs, and in the form of `tracestate` for backends: docs/traces.md. The decision
// itself is made in the kernel: bpf/tracker/sampling.h.
import type { Config } from "../../config/config.ts";

/** Number of values of a trace id's last 56 bits. */
const IDS = 2 ** 56;

/**
 * The threshold that the last 56 bits of a sampled trace id reach: 0 keeps all, 2^56 none. Exact: a number holds 53
 * bits of it, and no ratio has more.
 */
export function thresholdOf(ratio: number): bigint {
  return BigInt((1 - ratio) * IDS);
}

/** As in `tracestate`: hexadecimal digits of the 56 bits, without trailing zeros. */
export function traceStateOf(threshold: bigint): string {
  const digits = threshold.toString(16).padStart(14, "0").replace(/0+$/, "");
  return `ot=th:${digits || "0"}`;
}

function idBits(traceId: Uint8Array): bigint {
  const view = new DataView(traceId.buffer, traceId.byteOffset, 16);
  return view.getBigUint64(8) & (BigInt(IDS) - 1n);
}

/** The sampling that spans report. */
export class Sampling {
  readonly #threshold: bigint;
  readonly #byRatio: string | undefined;
  readonly #always: string | undefined;

  constructor({ ratio }: Omit<Config["sampling"], "rate">) {
    this.#threshold = thresholdOf(ratio);
    // Without sampling there is nothing to report.
    this.#byRatio = ratio < 1 ? traceStateOf(this.#threshold) : undefined;
    this.#always = ratio < 1 ? traceStateOf(0n) : undefined;
  }

  /** The span's `tracestate`. */
  traceState({ keptAlways }: { readonly keptAlways: boolean }): string | undefined {
    return keptAlways ? this.#always : this.#byRatio;
  }

  /** Whether any host with the same ratio samples this trace, whatever happens to the connection. */
  keepsEverywhere(traceId: Uint8Array): boolean {
    return this.#threshold === 0n || idBits(traceId) >= this.#threshold;
  }
}

/** What the tracker's programs need to decide. */
export function samplingConstants({
  sampling,
}: Pick<Config, "sampling">): Record<string, Uint8Array | number> {
  const threshold = new BigUint64Array([thresholdOf(sampling.ratio)]);
  return {
    sampling_threshold: new Uint8Array(threshold.buffer),
    slow_ns: Math.round(sampling.slow * 1e6),
    kept_rate: sampling.rate,
  };
}
