// When rings are read: by a timer while records arrive, and at the first record after an idle time.
import type { BpfMap, Native, Ring, Waker } from "../../native/index.ts";

/** After this many empty reads in a row the next record wakes the agent. */
const QUIET = 10;

const KEY = new Uint8Array(4);
const YES = new Uint8Array(Uint32Array.of(1).buffer);

export interface PollerOptions {
  readonly native: Native;
  /** Reads all rings; returns the number of records. */
  readonly drain: () => number;
  /** `agent_asleep` of bpf/include/wirespan/ring.h. */
  readonly asleep: BpfMap;
  /** Milliseconds. */
  readonly interval: number;
}

export class Poller {
  readonly #options: PollerOptions;
  readonly #waker: Waker;
  #timer: NodeJS.Timeout | undefined;
  readonly #rings = new Set<Ring>();
  #quiet = 0;

  constructor(options: PollerOptions) {
    this.#options = options;
    this.#waker = options.native.createWaker(() => this.#wake());
    this.#startTimer();
  }

  add(rings: readonly Ring[]): void {
    for (const ring of rings) {
      this.#waker.add(ring);
      this.#rings.add(ring);
    }
  }

  remove(rings: readonly Ring[]): void {
    for (const ring of rings) {
      this.#waker.remove(ring);
      this.#rings.delete(ring);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#waker.close();
  }

  #startTimer(): void {
    this.#quiet = 0;
    this.#timer ??= setInterval(() => this.#tick(), this.#options.interval);
  }

  #wake(): void {
    this.#options.drain();
    this.#startTimer();
  }

  #tick(): void {
    this.#quiet = this.#options.drain() > 0 ? 0 : this.#quiet + 1;
    if (this.#quiet >= QUIET) this.#sleep();
  }

  #sleep(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#options.asleep.update(KEY, YES);
    // Earlier records have woken nobody, and some of them may not be submitted yet.
    const found = this.#options.drain() > 0;
    if (found || [...this.#rings].some(({ pending }) => pending > 0)) this.#startTimer();
  }
}
