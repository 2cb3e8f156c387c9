// Which processes have a series of their own: the few that move most.
/** Payload, in bytes. */
export interface Bytes {
  readonly sent: number;
  readonly received: number;
}

/** What a process moved since it has had a series of its own. */
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
  /** Bytes a second, of late. */
  rate: number;
  /** Seconds since it moved anything. */
  idle: number;
}

/** Seconds after which half of a rate is of what came since. */
const HALF = 60;
/** A newcomer takes the place of one that moves less than half as much, so that equals don't take turns. */
const MARGIN = 2;
/** Seconds after which the series of a process that moves nothing ends. */
const IDLE = 300;
/** Somebody may ask again at once: the rate of a moment says nothing. */
const SHORTEST = 1;

/**
 * Sums stay true whoever comes and goes: each byte is added to one sum and stays there. A process that comes
 * (again) begins at zero, with a start of its own; what it moves before and after is in the rest.
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

  /** Adds what a process moved since the last collection. */
  add(id: string, who: W, { sent, received }: Bytes): void {
    const moved = this.#now.get(id);
    if (moved) {
      moved.sent += sent;
      moved.received += received;
    } else this.#now.set(id, { who, sent, received });
  }

  /** Adds what is nobody's. */
  addToRest({ sent, received }: Bytes): void {
    this.#rest = { sent: this.#rest.sent + sent, received: this.#rest.received + received };
  }

  /** Ends a collection at `nowNs` since boot: decides who is told of, and only then adds up. */
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

  /** What all others moved. */
  get rest(): Bytes {
    return this.#rest;
  }

  /** Brings the rates up to date and lets the idle go; who has no series but moved, most first. */
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

  /** Ends the series of the one that moves least, where that is little enough beside this rate. */
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
