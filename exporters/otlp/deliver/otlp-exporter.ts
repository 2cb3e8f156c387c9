// One OTLP backend: takes requests, keeps them until the backend has them, and accounts for all.
import type { Log } from "../../../core/plugin/log.ts";
import type { OtlpGrpcConfig, OtlpHttpConfig, Signal } from "../../config.ts";
import { Ledger } from "../../export-counts.ts";
import { type Balance, COMPONENTS, type Exporter, type Kind, type LossCause } from "../../exporter.ts";
import { KIND_OF, SIGNAL_OF } from "../encode/batch.ts";
import { type Entry, type Parcel, type Part, Queue } from "./queue.ts";
import { Reporter } from "./reporter.ts";
import { Sender } from "./sender.ts";
import type { Transport } from "./transport.ts";

/** What gives an exporter its parcels. */
export interface Source {
  /** How many of a kind wait for their parcel to be closed. */
  open(kind: Kind): number;
  /** Closes the open parcel of a signal, if nothing but a backlog has kept it open. */
  release(signal: Signal): void;
  /** Closes all open parcels. */
  cut(): void;
}

/** Requests that a queue must have room for at least. */
const LEAST_REQUESTS = 4;
/** However little a backend takes at once. */
const LEAST_BYTES = 4096;

export interface OtlpParts<P> {
  readonly source: Source;
  readonly transport: Transport<P>;
  /** Bytes that a parcel's payload takes, once it is made. */
  sizeOf(payload: P, parcel: Parcel<P>): number;
  /** Halves a payload of `count` items; undefined if it has one only. */
  split(signal: Signal, payload: P, count: number): Promise<readonly Part<P>[] | undefined>;
  readonly log: Log;
}

export class OtlpExporter<P> implements Exporter {
  readonly name: string;
  readonly #parts: OtlpParts<P>;
  readonly #queue: Queue<P>;
  readonly #ledger = new Ledger();
  readonly #reporter: Reporter;
  readonly #senders = new Map<Signal, Sender<P>>();
  /** Entries whose payload is still to be made, in order. */
  readonly #raw: Entry<P>[] = [];
  readonly #encoding: string;
  /** Bytes that a request may have, by signal, since the backend refused a larger one. */
  readonly #mostBytes = new Map<Signal, number>();
  #packing = false;
  /** Who waits for everything before an order to be settled. */
  readonly #waiters = new Set<{ readonly order: number; readonly done: () => void }>();
  #shutdown: Promise<void> | undefined;
  #closed = false;

  constructor(name: string, config: OtlpGrpcConfig | OtlpHttpConfig, parts: OtlpParts<P>) {
    this.name = name;
    this.#parts = parts;
    this.#queue = new Queue(config.queueBytes);
    this.#reporter = new Reporter(parts.log, name);
    const shared = {
      queue: this.#queue,
      transport: parts.transport,
      ledger: this.#ledger,
      reporter: this.#reporter,
      timeoutMs: config.timeoutMs,
      split: parts.split,
      onSettled: (signal: Signal) => {
        if (this.#queue.head(signal) === undefined) parts.source.release(signal);
        this.#settled();
      },
      onTooLarge: (signal: Signal, bytes: number) => this.#mostBytes.set(signal, bytes),
    };
    this.#encoding = config.type === "otlp_http" && config.encoding === "json" ? "_json" : "";
    for (const signal of config.signals) this.#senders.set(signal, new Sender(signal, shared));
  }

  get type(): string {
    return this.#parts.transport.type;
  }

  get queue(): { readonly bytes: number; readonly limit: number } {
    return { bytes: this.#queue.bytes, limit: this.#queue.limit };
  }

  componentType(kind: Kind): string {
    return `${this.type}${this.#encoding}_${COMPONENTS[kind]}_exporter`;
  }

  refresh(): Promise<readonly string[]> {
    return this.#parts.transport
      .refresh()
      .then((parts) => parts.map((part) => `exporters.${this.name}.${part}: changed files were read`));
  }

  /** Whether requests of a signal wait or are on their way. */
  isBehind(signal: Signal): boolean {
    return this.#queue.head(signal) !== undefined;
  }

  /** Bytes that a request may have to find room here, and with the backend. */
  mostBytes(signal: Signal): number {
    const room = this.#queue.limit / LEAST_REQUESTS;
    return Math.max(LEAST_BYTES, Math.min(room, this.#mostBytes.get(signal) ?? room));
  }

  balance(kind: Kind): Balance {
    const signal = SIGNAL_OF[kind];
    const open = this.#senders.has(signal) ? this.#parts.source.open(kind) : 0;
    const { given, acknowledged, lost } = this.#ledger.of(kind);
    return { given: given + open, acknowledged, lost, queued: this.#queue.count(signal) + open };
  }

  /** Takes a request of one of its signals. */
  accept(parcel: Parcel<P>): void {
    const kind = KIND_OF[parcel.signal];
    this.#ledger.given(kind, parcel.count);
    if (this.#closed) {
      this.#lose(kind, "shutdown_timeout", parcel.count, "the exporter is shut down");
      return;
    }
    const { entry, dropped } = this.#queue.push(parcel);
    for (const { signal, count } of dropped) {
      this.#lose(
        KIND_OF[signal],
        "queue_full",
        count,
        `more than ${this.#queue.limit} bytes wait (exporters.${this.name}.queue.bytes)`,
      );
    }
    if (dropped.length > 0) this.#settled();
    if (entry.state === "gone") return;
    this.#raw.push(entry);
    if (!this.#packing) void this.#pack();
  }

  /** `count` of a kind that no request could be made of. */
  unencodable(kind: Kind, count: number, error: unknown): void {
    this.#ledger.given(kind, count);
    this.#lose(kind, "encode", count, String(error));
  }

  async flush(deadlineMs: number): Promise<void> {
    this.#parts.source.cut();
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
    this.#parts.source.cut();
    this.#closed = true;
    for (const sender of this.#senders.values()) sender.stop();
    const left = Map.groupBy(this.#queue.clear(), ({ signal }) => signal);
    for (const [signal, entries] of left) {
      const count = entries.reduce((sum, entry) => sum + entry.count, 0);
      this.#lose(
        KIND_OF[signal],
        "shutdown_timeout",
        count,
        "not taken before the agent had to end (shutdown.timeout)",
      );
    }
    this.#reporter.close();
    this.#settled();
    this.#parts.transport.close();
  }

  #lose(kind: Kind, cause: LossCause, count: number, reason: string): void {
    this.#ledger.lost(kind, cause, count);
    this.#reporter.lost(kind, cause, count, this.#parts.transport.endpointOf(SIGNAL_OF[kind]), reason);
  }

  #settled(): void {
    for (const waiter of this.#waiters) if (this.#queue.settled(waiter.order)) waiter.done();
  }

  /** One at a time: what is dropped meanwhile is never compressed, so a flood cannot pile up in zlib. */
  async #pack(): Promise<void> {
    this.#packing = true;
    for (let entry = this.#raw.shift(); entry !== undefined; entry = this.#raw.shift()) {
      const { parcel } = entry;
      if (parcel === undefined) continue;
      try {
        const made = parcel.payload();
        const payload = made instanceof Promise ? await made : made;
        this.#queue.ready(entry, payload, this.#parts.sizeOf(payload, parcel));
        this.#senders.get(entry.signal)!.wake();
      } catch (error) {
        this.#queue.remove(entry);
        this.#lose(KIND_OF[entry.signal], "encode", entry.count, String(error));
        this.#settled();
      }
    }
    this.#packing = false;
  }
}
