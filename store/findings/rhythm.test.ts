import assert from "node:assert/strict";
import { mock } from "node:test";
import { Rhythm } from "./rhythm.ts";

describe("the rules are applied", () => {
  beforeEach(() => mock.timers.enable({ apis: ["setTimeout"] }));
  afterEach(() => mock.timers.reset());

  /** The times of evaluation in ms if collections arrive at `collections`, up to `end`. */
  function evaluations(collections: readonly number[], end: number): number[] {
    const at: number[] = [];
    let now = 0;
    const rhythm = new Rhythm(
      () => at.push(now),
      () => now,
    );
    for (; now <= end; now += 100) {
      if (now > 0) mock.timers.tick(100);
      if (collections.includes(now)) rhythm.collected();
    }
    rhythm.stop();
    return at;
  }

  it("to each collection when it arrives, even if it is slightly late", () => {
    const collections = [200, 10_300, 20_400, 30_500];
    assert.deepEqual(evaluations(collections, 40_000), collections);
  });

  it("every ten seconds if more is collected", () => {
    const collections = Array.from({ length: 15 }, (_, i) => i * 2000);
    assert.deepEqual(evaluations(collections, 28_000), [0, 10_000, 20_000]);
  });

  it("every twelve seconds if nothing is", () => {
    assert.deepEqual(evaluations([200], 25_000), [200, 12_200, 24_200]);
  });
});
