// Sends one signal's requests in order, one at a time, each until it is taken or refused.
import { setTimeout as delay } from "node:timers/promises";
import type { Signal } from "../config.ts";
import type { Ledger } from "../ledger.ts";
import { Backoff } from "./backoff.ts";
import { KIND_OF } from "./batch.ts";
import type { Entry, Queue } from "./queue.ts";
import type { Reporter } from "./reporter.ts";
import type { Outcome, Transport } from "./transport.ts";

/** A backend's own wish for a pause is heard up to this. */
const LONGEST_PAUSE_MS = 60_000;
/** What a transport may overrun its time limit before it is taken for stuck. */
const GRACE_MS = 1000;

export interface SenderParts {
  readonly queue: Queue;
  readonly transport: Transport;
  readonly ledger: Ledger;
  readonly reporter: Reporter;
  /** Milliseconds that one request may take. */
  readonly timeoutMs: number;
  /** Called whenever a request has left the queue. */
  readonly onSettled: () => void;
}

export class Sender {
  readonly #signal: Signal;
  readonly #parts: SenderParts;
  readonly #backoff = new Backoff();
  readonly #stop = new AbortController();
  #running = false;

  constructor(signal: Signal, parts: SenderParts) {
    this.#signal = signal;
    this.#parts = parts;
  }

  /** There may be something to send. */
  wake(): void {
    if (this.#running || this.#stop.signal.aborted) return;
    this.#running = true;
    void this.#run();
  }

  /** Sends nothing more; what is on its way is no longer waited for. */
  stop(): void {
    this.#stop.abort();
  }

  async #run(): Promise<void> {
    const { queue } = this.#parts;
    for (;;) {
      const entry = queue.head(this.#signal);
      if (entry?.state !== "ready" || this.#stop.signal.aborted) break;
      entry.state = "sending";
      const outcome = await this.#attempt(entry.payload!);
      if (this.#stop.signal.aborted) break;
      if (outcome.status === "retry") {
        entry.state = "ready";
        this.#parts.reporter.failing(outcome.message);
        const pause = Math.max(this.#backoff.next(), Math.min(outcome.afterMs ?? 0, LONGEST_PAUSE_MS));
        await delay(pause, undefined, { signal: this.#stop.signal }).catch(() => {});
      } else {
        this.#backoff.reset();
        this.#settle(entry, outcome);
      }
    }
    this.#running = false;
  }

  /** The transport's outcome, or a retry where it does not come to one. */
  async #attempt(payload: Buffer): Promise<Outcome> {
    const { transport, timeoutMs } = this.#parts;
    const watch = new AbortController();
    const stuck = delay(timeoutMs + GRACE_MS, undefined, { signal: watch.signal }).then(
      (): Outcome => ({ status: "retry", message: "no outcome in time" }),
    );
    const stopped = new Promise<Outcome>((resolve) => {
      const stop = () => resolve({ status: "retry", message: "stopped" });
      this.#stop.signal.addEventListener("abort", stop, { signal: watch.signal });
    });
    stuck.catch(() => {}); // `watch` ends it by rejection
    const outcome = await Promise.race([transport.send(this.#signal, payload), stuck, stopped]);
    watch.abort();
    return outcome;
  }

  #settle(entry: Entry, outcome: Exclude<Outcome, { status: "retry" }>): void {
    const { queue, ledger, reporter, onSettled } = this.#parts;
    const kind = KIND_OF[this.#signal];
    const rejected = outcome.status === "ok" ? Math.min(outcome.rejected, entry.count) : entry.count;
    queue.remove(entry);
    ledger.acknowledged(kind, entry.count - rejected);
    ledger.lost(kind, "rejected", rejected);
    reporter.working();
    if (rejected > 0) reporter.lost(kind, "rejected", rejected, outcome.message);
    onSettled();
  }
}
