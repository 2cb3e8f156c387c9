import assert from "node:assert/strict";
import { mock } from "node:test";
import fc from "fast-check";
import type { Time } from "../plugin/signals.ts";
import { BootClock } from "./clock.ts";

/** A boot clock and a wall clock that a test sets by hand. */
class Hands {
  bootNs = 0;
  offset = { sec: 1_700_000_000, nsec: 0 };
  measured = 0;

  bootNow(): number {
    return this.bootNs;
  }

  bootOffset() {
    this.measured += 1;
    return this.offset;
  }
}

const nanoseconds = (time: Time): bigint => BigInt(time.sec) * 1_000_000_000n + BigInt(time.nsec);

describe("clock", () => {
  beforeEach(() => mock.timers.enable({ apis: ["setInterval"] }));
  afterEach(() => mock.timers.reset());

  it("adds without losing a nanosecond", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 999_999_999 }),
        fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
        (nsec, bootNs) => {
          const hands = new Hands();
          hands.offset = { sec: 1_700_000_000, nsec };
          const time = new BootClock(hands).wall(bootNs);
          assert.equal(nanoseconds(time), 1_700_000_000_000_000_000n + BigInt(nsec) + BigInt(bootNs));
          assert.ok(time.nsec >= 0 && time.nsec < 1_000_000_000, `${time.nsec}`);
        },
      ),
    );
  });

  it("carries into the next second", () => {
    const hands = new Hands();
    hands.offset = { sec: 10, nsec: 999_999_999 };
    assert.deepEqual(new BootClock(hands).wall(1), { sec: 11, nsec: 0 });
    assert.deepEqual(new BootClock(hands).wall(2_000_000_000), { sec: 12, nsec: 999_999_999 });
  });

  it("follows a step within a second, and no more once closed", () => {
    const hands = new Hands();
    const clock = new BootClock(hands);
    clock.start();
    clock.start();
    hands.offset = { sec: 1_600_000_000, nsec: 5 };
    assert.equal(clock.wall(0).sec, 1_700_000_000);
    mock.timers.tick(1000);
    assert.deepEqual(clock.wall(0), { sec: 1_600_000_000, nsec: 5 });
    assert.equal(hands.measured, 2);
    clock.close();
    clock.close();
    hands.offset = { sec: 1, nsec: 0 };
    mock.timers.tick(5000);
    assert.equal(clock.wall(0).sec, 1_600_000_000);
  });

  it("keeps every duration while the wall clock jumps back and forth", () => {
    const hands = new Hands();
    const clock = new BootClock(hands);
    clock.start();
    for (let i = 0; i < 100; i++) {
      hands.offset = {
        sec: 1_700_000_000 + (i % 2 === 0 ? -3600 : 3600),
        nsec: (i * 37_000_001) % 1_000_000_000,
      };
      const started = i * 1_000_000_000;
      mock.timers.tick(1000);
      const [start, end] = [
        { sec: 0, nsec: 0 },
        { sec: 0, nsec: 0 },
      ];
      clock.span(started, started + 1_234_567, { start, end });
      assert.equal(nanoseconds(end) - nanoseconds(start), 1_234_567n);
    }
    clock.close();
  });

  it("gives the current time from the boot clock", () => {
    const hands = new Hands();
    hands.bootNs = 1_500_000_000;
    assert.deepEqual(new BootClock(hands).now(), { sec: 1_700_000_001, nsec: 500_000_000 });
  });
});
