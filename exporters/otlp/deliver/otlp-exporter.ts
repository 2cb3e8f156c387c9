// One OTLP backend: accepts batches, stores them until the backend has them, and counts all of them.
import type { Log } from "../../../core/plugin/log.ts";
import type { OtlpGrpcConfig, OtlpHttpConfig, Signal } from "../../config.ts";
import { ExportCounter } from "../../export-counts.ts";
import { COMPONENTS, type ExportCounts, type Exporter, type Kind, type LossCause } from "../../exporter.ts";
import { KIND_OF, SIGNAL_OF } from "../encode/batch.ts";
import { type Packable, type Part, Queue } from "./queue.ts";
import { Reporter } from "./reporter.ts";
import { Sender } from "./sender.ts";
import type { Transport } from "./transport.ts";

/** What provides an exporter with batches. */
export interface Source {
  /** How many of a kind are in a batch that is still open. */
  open(kind: Kind): number;
  /** Closes all open batches. */
  cut(): void;
}

/** Minimum number of requests that a queue must hold. */
const LEAST_REQUESTS = 4;
/** Minimum, however small the requests that a backend accepts. */
const LEAST_BYTES = 4096;

export interface OtlpParts<P> {
  readonly source: Source;
  readonly transport: Transport<P>;
  /** Halves a payload of `count` items; undefined if it has only one. */
  split(signal: Signal, payload: P, count: number): Promise<readonly Part<P>[] | undefined>;
  readonly log: Log;
}

export class OtlpExporter<P> implements Exporter {
  readonly name: string;
  readonly #source: Source;
  readonly #transport: Transport<P>;
  readonly #queue: Queue<P>;
  readonly #counter = new ExportCounter();
  readonly #reporter: Reporter;
  readonly #senders = new Map<Signal, Sender<P>>();
  readonly #encoding: string;
  /** Maximum bytes of a request, by signal, after the backend refused a larger one. */
  readonly #mostBytes = new Map<Signal, number>();
  #shutdown: Promise<void> | undefined;

  constructor(name: string, config: OtlpGrpcConfig | OtlpHttpConfig, parts: OtlpParts<P>) {
    this.name = name;
    this.#source = parts.source;
    this.#transport = parts.transport;
    this.#reporter = new Reporter(parts.log, name);
    this.#encoding = config.type === "otlp_http" && config.encoding === "json" ? "_json" : "";
    const reasons: Partial<Record<LossCause, string>> = {
      queue_full: `queue full: more than ${config.queueBytes} bytes waiting (exporters.${name}.queue.bytes)`,
      shutdown_timeout: "not delivered before shutdown.timeout",
    };
    this.#queue = new Queue(config.queueBytes, {
      lost: (signal, count, cause, error) =>
        this.#lost(signal, count, cause, reasons[cause] ?? String(error)),
    });
    const shared = {
      queue: this.#queue,
      transport: parts.transport,
      reporter: this.#reporter,
      timeoutMs: config.timeoutMs,
      split: parts.split,
      acknowledged: (signal: Signal, count: number) => this.#counter.acknowledged(KIND_OF[signal], count),
      lost: (signal: Signal, count: number, cause: LossCause, reason: string) =>
        this.#lost(signal, count, cause, reason),
      onTooLarge: (signal: Signal, bytes: number) => this.#mostBytes.set(signal, bytes),
    };
    for (const signal of config.signals) this.#senders.set(signal, new Sender(signal, shared));
  }

  get type(): string {
    return this.#transport.type;
  }

  get queue(): { readonly bytes: number; readonly limit: number } {
    return { bytes: this.#queue.bytes, limit: this.#queue.limit };
  }

  componentType(kind: Kind): string {
    return `${this.type}${this.#encoding}_${COMPONENTS[kind]}_exporter`;
  }

  async refresh(): Promise<readonly string[]> {
    const parts = await this.#transport.refresh();
    return parts.map((part) => `exporters.${this.name}.${part}: changed files reloaded`);
  }

  /** Maximum bytes of a request that the queue and the backend accept. */
  mostBytes(signal: Signal): number {
    const room = this.#queue.limit / LEAST_REQUESTS;
    return Math.max(LEAST_BYTES, Math.min(room, this.#mostBytes.get(signal) ?? room));
  }

  counts(kind: Kind): ExportCounts {
    const signal = SIGNAL_OF[kind];
    const open = this.#senders.has(signal) ? this.#source.open(kind) : 0;
    const { given, acknowledged, lost } = this.#counter.of(kind);
    return { given: given + open, acknowledged, lost, queued: this.#queue.count(signal) + open };
  }

  /** Accepts a batch of one of its signals. */
  accept(batch: Packable<P>): void {
    this.#counter.given(KIND_OF[batch.signal], batch.count);
    this.#queue.add(batch);
  }

  /** `count` of a kind could not be encoded. */
  unencodable(kind: Kind, count: number, error: unknown): void {
    this.#counter.given(kind, count);
    this.#lost(SIGNAL_OF[kind], count, "encode", String(error));
  }

  async flush(deadlineMs: number): Promise<void> {
    this.#source.cut();
    await this.#queue.settled(deadlineMs);
  }

  shutdown(deadlineMs: number): Promise<void> {
    this.#shutdown ??= this.#close(deadlineMs);
    return this.#shutdown;
  }

  async #close(deadlineMs: number): Promise<void> {
    await this.flush(deadlineMs);
    this.#source.cut();
    for (const sender of this.#senders.values()) sender.stop();
    this.#queue.close();
    this.#reporter.close();
    this.#transport.close();
  }

  #lost(signal: Signal, count: number, cause: LossCause, reason: string): void {
    this.#counter.lost(KIND_OF[signal], cause, count);
    this.#reporter.lost(KIND_OF[signal], cause, count, this.#transport.endpointOf(signal), reason);
  }
}
