import assert from "node:assert/strict";
import { TestStore } from "../test/support/page.ts";
import { SeriesQuery } from "./query/series.ts";

const NOW = 1_800_000_000;

describe("collected points", () => {
  /** For how many seconds there are metrics, after collections at these seconds. */
  function secondsOf(...collections: readonly number[]): number {
    using store = new TestStore({ now: () => NOW });
    for (const at of collections) store.metrics(NOW + at, "wirespan.softirq.time", "counter", { "{}": 1 });
    const interval = { from: (NOW - 60) * 1e6, to: (NOW + 60) * 1e6 };
    return new SeriesQuery(store.ingest.points).between(interval, NOW).seconds;
  }

  it("cover no time at the first collection, from which on is counted", () => {
    assert.deepEqual([secondsOf(3), secondsOf(3, 13), secondsOf(3, 13, 23)], [0, 10, 20]);
  });

  it("cover a window in which there were two collections", () => {
    assert.deepEqual([secondsOf(0, 9.9), secondsOf(0, 9.9, 19.9)], [10, 20]);
  });
});
