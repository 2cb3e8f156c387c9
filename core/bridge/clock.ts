// Converts the boot clock to the wall clock. Kernel timestamps use the boot clock, which cannot be stepped; OTLP
// requires the wall clock, which can. Therefore the offset between the two is measured repeatedly.
import type { Native, Offset } from "../../native/index.ts";
import type { Clock } from "../plugin/services.ts";
import type { Instant, MutableTime, Time } from "../plugin/signals.ts";

const second = 1_000_000_000;

export class BootClock implements Clock {
  readonly #native: Pick<Native, "bootOffset" | "bootNow">;
  #offset: Offset;
  #timer: NodeJS.Timeout | undefined;

  constructor(native: Pick<Native, "bootOffset" | "bootNow">) {
    this.#native = native;
    this.#offset = native.bootOffset();
  }

  /** Measures the offset every second until `close`; does not keep the process alive. */
  start(): void {
    this.#timer ??= setInterval(() => {
      this.#offset = this.#native.bootOffset();
    }, 1000).unref();
  }

  /** Idempotent; conversions continue with the last offset. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Nanoseconds since boot as a wall-clock instant; a double holds them exactly below 2^53 (104 days). */
  wall(bootNs: number): Time {
    return at(this.#offset, bootNs);
  }

  /** Converts both ends of a span with one offset, so that a step of the clock never affects its duration. */
  span(startNs: number, endNs: number, to: { readonly start: MutableTime; readonly end: MutableTime }): void {
    const offset = this.#offset;
    set(to.start, offset, startNs);
    set(to.end, offset, endNs);
  }

  /** Nanoseconds since boot, now. */
  bootNow(): number {
    return this.#native.bootNow();
  }

  now(): Time {
    return this.wall(this.bootNow());
  }

  /** For times that are kept and compared later, since the wall clock may be stepped in between. */
  instant(bootNs: number): Instant {
    return { ...this.wall(bootNs), bootNs };
  }
}

function at(offset: Offset, bootNs: number): Time {
  const time = { sec: 0, nsec: 0 };
  set(time, offset, bootNs);
  return time;
}

function set(time: MutableTime, offset: Offset, bootNs: number): void {
  const seconds = Math.floor(bootNs / second);
  // The division may round up; the rest is then negative and the carry takes it back.
  const rest = bootNs - seconds * second;
  const nsec = offset.nsec + rest;
  const carry = Math.floor(nsec / second);
  time.sec = offset.sec + seconds + carry;
  time.nsec = nsec - carry * second;
}

const slewed = 1;

/**
 * Start of an interval that ends at `end` and whose start was measured as `begin`. That is `begin` if the wall clock
 * has run normally or was slewed, so that intervals are adjacent; if it was stepped, the interval keeps its length.
 */
export function beginningOf(begin: Instant, end: Instant): Instant {
  const moved = end.bootNs - begin.bootNs;
  const stepped = secondsBetween(begin, end) - moved / second;
  if (Math.abs(stepped) <= slewed && !isLater(begin, end)) return begin;
  return { ...at(end, -moved), bootNs: begin.bootNs };
}

/** Whether `a` is a later time on the wall clock than `b`. */
export function isLater(a: Time, b: Time): boolean {
  return a.sec > b.sec || (a.sec === b.sec && a.nsec > b.nsec);
}

function secondsBetween(begin: Time, end: Time): number {
  return end.sec - begin.sec + (end.nsec - begin.nsec) / second;
}
