// Sends one signal's batches in order, one at a time, each until it is accepted or rejected.
import type { Signal } from "../../config.ts";
import type { LossCause } from "../../exporter.ts";
import type { Part, Queue, QueueItem } from "./queue.ts";
import type { Reporter } from "./reporter.ts";
import type { Outcome, Transport } from "./transport.ts";

/** The first pause before another attempt, and the longest: a backend that is back has its data within 2 s. */
const FIRST_PAUSE_MS = 100;
const LAST_PAUSE_MS = 900;
/** The longest pause that a backend may ask for. */
const LONGEST_PAUSE_MS = 60_000;
/** How far a transport may exceed its time limit before it is considered stuck. */
const GRACE_MS = 1000;

export interface SenderParts<P> {
  readonly queue: Queue<P>;
  readonly transport: Transport<P>;
  readonly reporter: Reporter;
  /** Milliseconds that one request may take. */
  readonly timeoutMs: number;
  /** Halves a payload of `count` items; undefined if it has only one. */
  readonly split: (signal: Signal, payload: P, count: number) => Promise<readonly Part<P>[] | undefined>;
  readonly acknowledged: (signal: Signal, count: number) => void;
  readonly lost: (signal: Signal, count: number, cause: LossCause, reason: string) => void;
  /** Called if the backend accepts requests of at most about this many bytes (uncompressed). */
  readonly onTooLarge: (signal: Signal, bytes: number) => void;
}

export class Sender<P> {
  readonly #signal: Signal;
  readonly #parts: SenderParts<P>;
  #pauseMs = FIRST_PAUSE_MS;
  /** The smallest request, in bytes as sent, that the backend has rejected for its size. */
  #tooLarge = Number.POSITIVE_INFINITY;
  #stopped = false;
  /** Ends the current wait. */
  #interrupt: () => void = () => {};

  /** Sends from now on, until it is stopped or the queue is closed. */
  constructor(signal: Signal, parts: SenderParts<P>) {
    this.#signal = signal;
    this.#parts = parts;
    void this.#run();
  }

  /** Sends nothing more; what is in flight is no longer waited for. */
  stop(): void {
    this.#stopped = true;
    this.#interrupt();
  }

  async #run(): Promise<void> {
    const { queue, reporter, transport } = this.#parts;
    for (;;) {
      const item = await queue.next(this.#signal);
      if (item === undefined || this.#stopped) return;
      if (item.bytes >= this.#tooLarge && (await this.#halve(item, item.payload))) continue;
      const outcome = await this.#attempt(item.payload, item.count);
      if (this.#stopped) return;
      if (outcome.status === "retry") {
        queue.putBack(item);
        reporter.failing(transport.endpointOf(this.#signal), outcome.message);
        await this.#wait(this.#nextPause(outcome.afterMs), undefined);
        continue;
      }
      this.#pauseMs = FIRST_PAUSE_MS;
      if (outcome.status === "too_large") {
        this.#tooLarge = Math.min(this.#tooLarge, item.bytes);
        if (await this.#halve(item, item.payload)) continue;
      }
      this.#settle(item, outcome);
    }
  }

  /** Doubles up to the limit, 20 % of it random; at least as long as the backend asks for. */
  #nextPause(afterMs = 0): number {
    const pause = this.#pauseMs * (0.8 + Math.random() * 0.2);
    this.#pauseMs = Math.min(this.#pauseMs * 2, LAST_PAUSE_MS);
    return Math.max(pause, Math.min(afterMs, LONGEST_PAUSE_MS));
  }

  /** The transport's outcome, or a retry if there is none in time. */
  #attempt(payload: P, count: number): Promise<Outcome> {
    const { transport, timeoutMs } = this.#parts;
    const stuck: Outcome = { status: "retry", message: "no response in time" };
    return this.#wait(timeoutMs + GRACE_MS, stuck, transport.send(this.#signal, payload, count));
  }

  /** The result of `sooner`, or `otherwise` after `ms` or at once when stopped. */
  #wait<T>(ms: number, otherwise: T, sooner?: Promise<T>): Promise<T> {
    return new Promise((resolve) => {
      const end = (result: T): void => {
        clearTimeout(timer);
        resolve(result);
      };
      const timer = setTimeout(end, ms, otherwise);
      this.#interrupt = () => end(otherwise);
      void sooner?.then(end);
    });
  }

  /** Replaces a batch that is too large by its parts; false if it has only one item. */
  async #halve(item: QueueItem<P>, payload: P): Promise<boolean> {
    const { queue, split, onTooLarge } = this.#parts;
    const parts = await split(this.#signal, payload, item.count);
    if (parts === undefined) return false;
    onTooLarge(this.#signal, Math.max(...parts.map(({ plainSize }) => plainSize)));
    queue.replace(item, parts);
    return true;
  }

  #settle(item: QueueItem<P>, outcome: Exclude<Outcome, { status: "retry" }>): void {
    const { queue, reporter, acknowledged, lost } = this.#parts;
    const cause = outcome.status === "unconfirmed" ? "unconfirmed" : "rejected";
    const count = outcome.status === "ok" ? Math.min(outcome.rejected, item.count) : item.count;
    acknowledged(this.#signal, item.count - count);
    reporter.working();
    if (count > 0) lost(this.#signal, count, cause, outcome.message);
    queue.done(item);
  }
}
