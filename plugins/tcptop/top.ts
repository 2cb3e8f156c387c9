// Which processes have a series of their own: those with the most traffic.

/** Payload, in bytes. */
export interface Bytes {
  readonly sent: number;
  readonly received: number;
}

/** Traffic of a process since it has had a series of its own. */
export interface Share<W> extends Bytes {
  readonly who: W;
  /** The collection before its first, nanoseconds since boot; undefined: the agent's start. */
  readonly startNs: number | undefined;
}

interface Moved<W> {
  readonly who: W;
  sent: number;
  received: number;
}

interface Held<W> extends Moved<W> {
  readonly startNs: number | undefined;
  /** Recent bytes per second. */
  rate: number;
  /** Seconds since it transferred anything. */
  idle: number;
}

/** Half-life of a rate, in seconds. */
const HALF = 60;
/** A new process replaces one with less than half its rate, so that equal ones do not alternate. */
const MARGIN = 2;
/** Seconds after which the series of an idle process ends. */
const IDLE = 300;
/** Two collections may follow each other immediately; the rate of such an interval is meaningless. */
const SHORTEST = 1;

/**
 * Sums stay correct whichever processes have a series: each byte is added to one sum and stays there. A process that
 * gets a series (again) starts at zero, with its own start time; its traffic before and after is in the rest.
 */
export class Top<W> {
  readonly #limit: number;
  readonly #held = new Map<string, Held<W>>();
  #now = new Map<string, Moved<W>>();
  #rest: Bytes = { sent: 0, received: 0 };
  #before: number | undefined;

  /** `limit`: how many processes can have a series at once. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Adds what a process transferred since the last collection. */
  add(id: string, who: W, { sent, received }: Bytes): void {
    const moved = this.#now.get(id);
    if (moved) {
      moved.sent += sent;
      moved.received += received;
    } else this.#now.set(id, { who, sent, received });
  }

  /** Adds traffic of no known process. */
  addToRest({ sent, received }: Bytes): void {
    this.#rest = { sent: this.#rest.sent + sent, received: this.#rest.received + received };
  }

  /** Ends a collection at `nowNs` since boot: decides which processes have a series, and only then adds up. */
  settle(nowNs: number): void {
    const seconds = this.#before === undefined ? 0 : (nowNs - this.#before) / 1e9;
    for (const [id, moved] of this.#age(seconds)) {
      const rate = total(moved) / Math.max(seconds, SHORTEST);
      if (this.#held.size < this.#limit || this.#makeRoom(rate)) this.#admit(id, moved, rate);
    }
    for (const [id, moved] of this.#now) {
      const held = this.#held.get(id);
      if (held) {
        held.sent += moved.sent;
        held.received += moved.received;
      } else this.addToRest(moved);
    }
    this.#now = new Map();
    this.#before = nowNs;
  }

  get shares(): readonly Share<W>[] {
    return [...this.#held.values()];
  }

  /** Traffic of all other processes. */
  get rest(): Bytes {
    return this.#rest;
  }

  /** Updates the rates and removes idle processes; returns those without a series that had traffic, largest first. */
  #age(seconds: number): readonly [string, Moved<W>][] {
    const kept = 2 ** (-seconds / HALF);
    for (const [id, held] of this.#held) {
      const bytes = total(this.#now.get(id));
      held.rate = kept * held.rate + (1 - kept) * (bytes / Math.max(seconds, SHORTEST));
      held.idle = bytes ? 0 : held.idle + seconds;
      if (held.idle >= IDLE) this.#held.delete(id);
    }
    return [...this.#now]
      .filter(([id, moved]) => !this.#held.has(id) && total(moved) > 0)
      .sort(([, a], [, b]) => total(b) - total(a));
  }

  #admit(id: string, { who }: Moved<W>, rate: number): void {
    this.#held.set(id, { who, startNs: this.#before, rate, sent: 0, received: 0, idle: 0 });
  }

  /** Ends the series of the process with the lowest rate, if that is low enough compared with this one. */
  #makeRoom(rate: number): boolean {
    let least: [string, Held<W>] | undefined;
    for (const entry of this.#held) if (!least || entry[1].rate < least[1].rate) least = entry;
    if (!least || least[1].rate * MARGIN >= rate) return false;
    return this.#held.delete(least[0]);
  }
}

function total(moved: Bytes | undefined): number {
  return moved ? moved.sent + moved.received : 0;
}
