// What became of the connections that the core's program was shown, one end each, and what it was not shown.

/** Opened = ended + living + lost.unseen; of those that were lost for want of memory nothing is known. */
export interface ConnectionBalance {
  /** Those older than the agent are opened when it meets them. */
  readonly opened: number;
  readonly ended: number;
  readonly living: number;
  readonly lost: Readonly<Record<Loss, number>>;
}

/** `unseen`: their end was shown to no program; `no_memory`: the kernel gave none to keep them in. */
export const LOSSES = ["unseen", "no_memory"] as const;
export type Loss = (typeof LOSSES)[number];

/** The core program's counters, of which these are read. */
type Counters = Readonly<Record<string, number>>;

export class Balance {
  #opened = 0;
  #ended = 0;
  #living = 0;
  #noMemory = 0;
  #changes = 0;
  /** As many as one sweep makes certain, and the one before it. */
  #certain = 0;
  #vanished = 0;

  /**
   * A sweep's count of the living, with the counters from before and after it. Connections open and end meanwhile:
   * what was opened before it, has not ended after it and was not met alive has vanished. One sweep may still have
   * met a socket in the middle of a change, so it takes two.
   */
  take(before: Counters, living: number, after: Counters): void {
    const certain = Math.max(
      0,
      read(before, "opened_connections") - read(after, "ended_connections") - living,
    );
    this.#vanished = Math.max(this.#vanished, Math.min(certain, this.#certain));
    this.#certain = certain;
    this.#opened = read(after, "opened_connections");
    this.#ended = read(after, "ended_connections");
    this.#noMemory = read(after, "lost_connections");
    this.#changes = read(after, "unseen_changes");
    this.#living = living;
  }

  /** As of the last sweep: what ended or began during it may be off by so many. */
  get connections(): ConnectionBalance {
    const lost = { unseen: this.#vanished, no_memory: this.#noMemory };
    return { opened: this.#opened, ended: this.#ended, living: this.#living, lost };
  }

  /** Events that the kernel showed to no program, as far as something proves that they happened: at least so many. */
  get unseen(): number {
    return this.#changes + this.#vanished;
  }
}

function read(counters: Counters, name: string): number {
  return counters[name] ?? 0;
}

/** For people, wherever it is said. */
export function sayUnseen(events: number): string {
  return `this kernel did not show ${events} ${events === 1 ? "event" : "events"} to tracing programs`;
}
