// Boot clock to wall clock. The kernel stamps with the boot clock, which nobody can step; OTLP wants
// the wall clock, which NTP and people do step. So the offset between the two is measured again and again.
import type { Native, Offset } from "../native/index.ts";
import type { Time } from "./signals.ts";

const second = 1_000_000_000;

export class Clock {
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

  /** Idempotent; conversions go on with the last offset. */
  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Nanoseconds since boot as a wall-clock instant; a double holds them exactly below 2^53 (104 days). */
  wall(bootNs: number): Time {
    return at(this.#offset, bootNs);
  }

  /** Both ends of a span through one offset, so that a step of the clock never shows in its duration. */
  span(startNs: number, endNs: number): { start: Time; end: Time } {
    const offset = this.#offset;
    return { start: at(offset, startNs), end: at(offset, endNs) };
  }

  now(): Time {
    return this.wall(this.#native.bootNow());
  }
}

function at(offset: Offset, bootNs: number): Time {
  const seconds = Math.floor(bootNs / second);
  // The division may round up; the rest is then negative and the carry takes it back.
  const rest = bootNs - seconds * second;
  const nsec = offset.nsec + rest;
  const carry = Math.floor(nsec / second);
  return { sec: offset.sec + seconds + carry, nsec: nsec - carry * second };
}
