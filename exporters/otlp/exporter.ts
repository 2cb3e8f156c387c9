// One OTLP backend: takes encoded batches, keeps them until the backend has them, and accounts for all.
import type { Log } from "../../core/log.ts";
import type { OtlpGrpcConfig, OtlpHttpConfig, Signal } from "../config.ts";
import type { Balance, Exporter, Kind, LossCause } from "../exporter.ts";
import { Ledger } from "../ledger.ts";
import { type Batch, KIND_OF, SIGNAL_OF } from "./batch.ts";
import type { Encoder, Receiver } from "./encoder.ts";
import { type Entry, Queue } from "./queue.ts";
import { Reporter } from "./reporter.ts";
import { Sender } from "./sender.ts";
import type { Transport } from "./transport.ts";

export class OtlpExporter implements Exporter, Receiver {
  readonly name: string;
  readonly type: string;
  readonly #encoder: Encoder;
  readonly #transport: Transport;
  readonly #compress: boolean;
  readonly #queue: Queue;
  readonly #ledger = new Ledger();
  readonly #reporter: Reporter;
  readonly #senders = new Map<Signal, Sender>();
  /** Entries whose payload is still to be made, in order. */
  readonly #raw: Entry[] = [];
  #compressing = false;
  /** Who waits for everything before an order to be settled. */
  readonly #waiters = new Set<{ readonly order: number; readonly done: () => void }>();
  #shutdown: Promise<void> | undefined;
  #closed = false;

  constructor(
    name: string,
    config: OtlpGrpcConfig | OtlpHttpConfig,
    encoder: Encoder,
    transport: Transport,
    log: Log,
  ) {
    this.name = name;
    this.type = config.type;
    this.#encoder = encoder;
    this.#transport = transport;
    this.#compress = config.compression === "gzip";
    this.#queue = new Queue(config.queueBytes);
    this.#reporter = new Reporter(log, name);
    const parts = {
      queue: this.#queue,
      transport,
      ledger: this.#ledger,
      reporter: this.#reporter,
      timeoutMs: config.timeoutMs,
      onSettled: () => this.#settled(),
    };
    for (const signal of config.signals) this.#senders.set(signal, new Sender(signal, parts));
  }

  get queue(): { readonly bytes: number; readonly limit: number } {
    return { bytes: this.#queue.bytes, limit: this.#queue.limit };
  }

  balance(kind: Kind): Balance {
    const signal = SIGNAL_OF[kind];
    const open = this.#senders.has(signal) ? this.#encoder.open(kind) : 0;
    const { given, acknowledged, lost } = this.#ledger.of(kind);
    return { given: given + open, acknowledged, lost, queued: this.#queue.count(signal) + open };
  }

  accept(batch: Batch): void {
    const sender = this.#senders.get(batch.signal);
    if (sender === undefined) return;
    const kind = KIND_OF[batch.signal];
    this.#ledger.given(kind, batch.count);
    if (this.#closed) {
      this.#lose(kind, "shutdown_timeout", batch.count, "the exporter is shut down");
      return;
    }
    const { entry, dropped } = this.#queue.push(batch);
    for (const { signal, count } of dropped) {
      this.#lose(KIND_OF[signal], "queue_full", count, `more than ${this.#queue.limit} bytes wait`);
    }
    if (dropped.length > 0) this.#settled();
    if (entry.state === "gone") return;
    if (this.#compress) {
      this.#raw.push(entry);
      if (!this.#compressing) void this.#compressAll();
    } else {
      this.#queue.ready(entry, batch.bytes);
      sender.wake();
    }
  }

  unencodable(kind: Kind, count: number, error: unknown): void {
    if (!this.#senders.has(SIGNAL_OF[kind])) return;
    this.#ledger.given(kind, count);
    this.#lose(kind, "encode", count, String(error));
  }

  async flush(deadlineMs: number): Promise<void> {
    this.#encoder.cut();
    const order = this.#queue.order;
    if (this.#queue.settled(order)) return;
    await new Promise<void>((resolve) => {
      const waiter = { order, done: () => finish() };
      const timer = setTimeout(() => finish(), deadlineMs);
      const finish = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
        resolve();
      };
      this.#waiters.add(waiter);
    });
  }

  shutdown(deadlineMs: number): Promise<void> {
    this.#shutdown ??= this.#close(deadlineMs);
    return this.#shutdown;
  }

  async #close(deadlineMs: number): Promise<void> {
    await this.flush(deadlineMs);
    this.#encoder.cut();
    this.#closed = true;
    for (const sender of this.#senders.values()) sender.stop();
    for (const { signal, count } of this.#queue.clear()) {
      this.#lose(KIND_OF[signal], "shutdown_timeout", count, "not taken before the agent had to end");
    }
    this.#settled();
    this.#transport.close();
  }

  #lose(kind: Kind, cause: LossCause, count: number, reason: string): void {
    this.#ledger.lost(kind, cause, count);
    this.#reporter.lost(kind, cause, count, reason);
  }

  #settled(): void {
    for (const waiter of this.#waiters) if (this.#queue.settled(waiter.order)) waiter.done();
  }

  /** One at a time: what is dropped meanwhile is never compressed, so a flood cannot pile up in zlib. */
  async #compressAll(): Promise<void> {
    this.#compressing = true;
    for (let entry = this.#raw.shift(); entry !== undefined; entry = this.#raw.shift()) {
      if (entry.batch === undefined) continue;
      try {
        this.#queue.ready(entry, await entry.batch.gzipped());
        this.#senders.get(entry.signal)!.wake();
      } catch (error) {
        this.#queue.remove(entry);
        this.#lose(KIND_OF[entry.signal], "encode", entry.count, String(error));
        this.#settled();
      }
    }
    this.#compressing = false;
  }
}
