// Sends one signal's requests in order, one at a time, each until it is taken or refused.
import type { Signal } from "../../config.ts";
import type { Ledger } from "../../export-counts.ts";
import { KIND_OF } from "../encode/batch.ts";
import { Backoff } from "./backoff.ts";
import type { Entry, Part, Queue } from "./queue.ts";
import type { Reporter } from "./reporter.ts";
import type { Outcome, Transport } from "./transport.ts";

/** A backend's own wish for a pause is heard up to this. */
const LONGEST_PAUSE_MS = 60_000;
/** What a transport may overrun its time limit before it is taken for stuck. */
const GRACE_MS = 1000;

export interface SenderParts<P> {
  readonly queue: Queue<P>;
  readonly transport: Transport<P>;
  readonly ledger: Ledger;
  readonly reporter: Reporter;
  /** Milliseconds that one request may take. */
  readonly timeoutMs: number;
  /** Halves a payload of `count` items; undefined if it has one only. */
  readonly split: (signal: Signal, payload: P, count: number) => Promise<readonly Part<P>[] | undefined>;
  /** Called whenever a request has left the queue. */
  readonly onSettled: (signal: Signal) => void;
  /** Called if the backend takes requests of about this many bytes (uncompressed) at most. */
  readonly onTooLarge: (signal: Signal, bytes: number) => void;
}

export class Sender<P> {
  readonly #signal: Signal;
  readonly #parts: SenderParts<P>;
  readonly #backoff = new Backoff();
  /** The smallest request, in bytes as sent, that the backend has refused for its size. */
  #tooLarge = Number.POSITIVE_INFINITY;
  #running = false;
  #stopped = false;
  /** Ends what is being waited for. */
  #interrupt: () => void = () => {};

  constructor(signal: Signal, parts: SenderParts<P>) {
    this.#signal = signal;
    this.#parts = parts;
  }

  /** There may be something to send. */
  wake(): void {
    if (this.#running || this.#stopped) return;
    this.#running = true;
    void this.#run();
  }

  /** Sends nothing more; what is on its way is no longer waited for. */
  stop(): void {
    this.#stopped = true;
    this.#interrupt();
  }

  async #run(): Promise<void> {
    const { queue } = this.#parts;
    for (;;) {
      const entry = queue.head(this.#signal);
      if (entry?.state !== "ready" || this.#stopped) break;
      entry.state = "sending";
      if (entry.bytes >= this.#tooLarge && (await this.#halve(entry))) continue;
      const outcome = await this.#attempt(entry.payload!, entry.count);
      if (this.#stopped) break;
      if (outcome.status === "retry") {
        entry.state = "ready";
        this.#parts.reporter.failing(this.#endpoint, outcome.message);
        const pause = Math.max(this.#backoff.next(), Math.min(outcome.afterMs ?? 0, LONGEST_PAUSE_MS));
        await this.#wait(pause, undefined);
      } else {
        this.#backoff.reset();
        if (outcome.status === "too_large") this.#tooLarge = Math.min(this.#tooLarge, entry.bytes);
        if (outcome.status !== "too_large" || !(await this.#halve(entry))) this.#settle(entry, outcome);
      }
    }
    this.#running = false;
  }

  get #endpoint(): string {
    return this.#parts.transport.endpointOf(this.#signal);
  }

  /** The transport's outcome, or a retry if it does not come to one. */
  #attempt(payload: P, count: number): Promise<Outcome> {
    const { transport, timeoutMs } = this.#parts;
    const stuck: Outcome = { status: "retry", message: "no outcome in time" };
    return this.#wait(timeoutMs + GRACE_MS, stuck, transport.send(this.#signal, payload, count));
  }

  /** What `sooner` comes to, or `otherwise` after `ms` or at once when stopped. */
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

  /** Puts the parts of a request that is too large in its place; false if it has one item only. */
  async #halve(entry: Entry<P>): Promise<boolean> {
    const { queue, split, onTooLarge } = this.#parts;
    const parts = await split(this.#signal, entry.payload!, entry.count);
    if (parts === undefined || entry.state === "gone") return parts !== undefined;
    onTooLarge(this.#signal, Math.max(...parts.map(({ plainSize }) => plainSize)));
    queue.replace(entry, parts);
    return true;
  }

  #settle(entry: Entry<P>, outcome: Exclude<Outcome, { status: "retry" }>): void {
    const { queue, ledger, reporter, onSettled } = this.#parts;
    const kind = KIND_OF[this.#signal];
    const cause = outcome.status === "unconfirmed" ? "unconfirmed" : "rejected";
    const lost = outcome.status === "ok" ? Math.min(outcome.rejected, entry.count) : entry.count;
    queue.remove(entry);
    ledger.acknowledged(kind, entry.count - lost);
    ledger.lost(kind, cause, lost);
    reporter.working();
    if (lost > 0) reporter.lost(kind, cause, lost, this.#endpoint, outcome.message);
    onSettled(this.#signal);
  }
}
