// The balance of connections, counted per end: those that the tracker saw, and those that it was not shown.

/** Opened = ended + living + lost.unseen; nothing is known about connections that were lost for lack of memory. */
export interface ConnectionBalance {
  /** Connections older than the agent count as opened when the agent finds them. */
  readonly opened: number;
  readonly ended: number;
  readonly living: number;
  readonly lost: Readonly<Record<Loss, number>>;
}

/** `unseen`: no program observed their end; `no_memory`: the kernel had no memory to store them. */
export const LOSSES = ["unseen", "no_memory"] as const;
export type Loss = (typeof LOSSES)[number];

/** The tracker's counters that are used here. */
type Counters = Readonly<Record<string, number>>;

export class Balance {
  #opened = 0;
  #ended = 0;
  #living = 0;
  #noMemory = 0;
  #unseen = 0;
  /** The number confirmed by the last sweep, and by the one before it. */
  #certain = 0;
  #vanished = 0;

  /**
   * A sweep's count of open connections, with the counters from before and after it. One sweep may have found a socket in
   * the middle of a change, so two are needed.
   */
  take(before: Counters, living: number, after: Counters, ofPlugins: readonly Counters[]): void {
    const certain = vanished(before, living, after);
    this.#vanished = Math.max(this.#vanished, Math.min(certain, this.#certain));
    this.#certain = certain;
    this.#opened = read(after, "opened_connections");
    this.#ended = read(after, "ended_connections");
    this.#noMemory = read(after, "lost_connections");
    this.#unseen = [after, ...ofPlugins].reduce((sum, counters) => sum + unseenIn(counters), 0);
    this.#living = living;
  }

  /** As of the last sweep: uncertain by the number that ended or began during it. */
  get connections(): ConnectionBalance {
    const lost = { unseen: this.#vanished, no_memory: this.#noMemory };
    return { opened: this.#opened, ended: this.#ended, living: this.#living, lost };
  }

  /** Events that the kernel did not show to any program, as far as later events prove them: at least this many. */
  get unseen(): number {
    return this.#unseen + this.#vanished;
  }
}

/** Connections open and end during a sweep: those that were opened before it and neither ended nor were found open. */
export function vanished(before: Counters, living: number, after: Counters): number {
  return Math.max(0, read(before, "opened_connections") - read(after, "ended_connections") - living);
}

/** Events whose absence a program noticed. */
function unseenIn(counters: Counters): number {
  return Object.entries(counters).reduce((sum, [name, n]) => (name.startsWith("unseen_") ? sum + n : sum), 0);
}

function read(counters: Counters, name: string): number {
  return counters[name] ?? 0;
}

/** For log lines, `status` and `doctor`. */
export function describeUnseen(events: number): string {
  return `this kernel did not show ${events} ${events === 1 ? "event" : "events"} to tracing programs`;
}
