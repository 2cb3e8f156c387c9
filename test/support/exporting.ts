// One exporter that sends to a test's own backend, with its log.
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../../core/plugin/log.ts";
import type { OtlpGrpcConfig, OtlpHttpConfig } from "../../exporters/config.ts";
import type { Exporter, Kind } from "../../exporters/exporter.ts";
import type { Fanout } from "../../exporters/fanout.ts";
import { createExporters } from "./create-exporters.ts";
import { DEADLINE } from "./deadline.ts";
import type { OtlpSink } from "./otlp-sink.ts";
import { connectionSpan, numberOf } from "./telemetry.ts";

export interface Line {
  readonly level: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** A log that keeps its lines. */
export function recorder(): { readonly lines: Line[]; readonly log: Log } {
  const lines: Line[] = [];
  const write = (level: string) => (fields: object, message: string) => {
    lines.push({ level, fields: { ...fields }, message });
  };
  return {
    lines,
    log: { error: write("error"), warn: write("warn"), info: write("info"), debug: write("debug") },
  };
}

export type Change = Partial<OtlpGrpcConfig> | Partial<OtlpHttpConfig>;

/** All signals with gzip over gRPC, unless `change` says otherwise. */
export const configOf = (endpoint: string, change: Change): OtlpGrpcConfig | OtlpHttpConfig =>
  ({
    type: "otlp_grpc",
    headers: {},
    tls: {},
    compression: "gzip",
    timeoutMs: 5000,
    queueBytes: 32 * 1024 * 1024,
    signals: ["traces", "metrics", "logs"],
    ...change,
    endpoint,
  }) as OtlpGrpcConfig | OtlpHttpConfig;

/** The type of exporter for a backend. */
export const protocolOf = ({ protocol }: OtlpSink): Change => ({
  type: protocol === "grpc" ? "otlp_grpc" : "otlp_http",
});

export class Exporting implements AsyncDisposable {
  readonly fanout: Fanout;
  readonly lines: readonly Line[];

  private constructor(fanout: Fanout, lines: readonly Line[]) {
    this.fanout = fanout;
    this.lines = lines;
  }

  /** An exporter called `backend`, for all signals, with gzip and a timeout of 2 s unless `config` says otherwise. */
  static async to(endpoint: string, config: Change): Promise<Exporting> {
    const { lines, log } = recorder();
    const backend = configOf(endpoint, { timeoutMs: 2000, ...config });
    return new Exporting(await createExporters({ backend }, log), lines);
  }

  /** An exporter by the protocol that this backend accepts, with a timeout of 5 s. */
  static toSink(sink: OtlpSink, config: Change = {}): Promise<Exporting> {
    return Exporting.to(sink.endpoint, { ...protocolOf(sink), timeoutMs: 5000, ...config });
  }

  get exporter(): Exporter {
    return this.fanout.exporters[0]!;
  }

  /** Emits `count` spans, numbered from `first`, and waits up to `ms` until all are acknowledged or lost. */
  async spans(count: number, ms = 5000, first = 0): Promise<void> {
    for (let i = first; i < first + count; i++) this.fanout.span(connectionSpan(i));
    await this.fanout.flush(ms);
  }

  /** The counts of a kind: acknowledged, queued and each cause of loss, without zeros. */
  came(kind: Kind = "span"): Readonly<Record<string, number>> {
    const { given, acknowledged, queued, lost } = this.exporter.counts(kind);
    const parts = { acknowledged, queued, ...lost };
    assert.equal(
      Object.values(parts).reduce((sum, count) => sum + count, 0),
      given,
      `${kind}: ${JSON.stringify(parts)}`,
    );
    return withoutZeros(parts);
  }

  /** Each cause of loss, without zeros. */
  lost(kind: Kind): Readonly<Record<string, number>> {
    return withoutZeros(this.exporter.counts(kind).lost);
  }

  /** Everything that was received is accounted for. */
  assertBalanced(): void {
    for (const kind of ["span", "point", "event"] as const) this.came(kind);
  }

  /** The reasons in the log, in order of appearance. */
  get reasons(): readonly string[] {
    return this.lines.flatMap(({ fields }) => (fields.reason === undefined ? [] : [String(fields.reason)]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fanout.shutdown(200);
  }
}

/** The numbers of the spans that arrived, each once, in order of first arrival. */
export const arrived = (sink: OtlpSink): number[] => [
  ...new Set(sink.spans.map(({ spanId }) => numberOf(spanId))),
];

export const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

const withoutZeros = (counts: Readonly<Record<string, number>>) =>
  Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));

/** Waits until `claim` holds. */
export async function until(claim: () => boolean): Promise<void> {
  const end = performance.now() + DEADLINE;
  while (!claim()) {
    assert.ok(performance.now() < end, `not within ${DEADLINE} ms: ${claim.toString()}`);
    await delay(5);
  }
}
