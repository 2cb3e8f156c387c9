import assert from "node:assert/strict";
import { TestStore } from "../test/support/page.ts";
import { SeriesQuery } from "./query/series.ts";

const NOW = 1_800_000_000;
const INTERVAL = { from: (NOW - 60) * 1e6, to: (NOW + 120) * 1e6 };

describe("windows of collected points", () => {
  for (const interval of [2, 10, 30])
    it(`cover the ${interval} seconds since the collection before, and the first one none`, () => {
      using store = new TestStore({ now: () => NOW });
      const collect = (at: number, seconds: number) => {
        store.interval = seconds;
        store.metrics(NOW + at, "wirespan.softirq.time", "counter", { "{}": 1 });
      };
      collect(3, 0);
      for (let i = 1; i <= 3; i++) collect(3 + i * interval, interval);
      const seconds = () => new SeriesQuery(store.ingest.points).between(INTERVAL, NOW).seconds;
      assert.equal(seconds(), 3 * interval);
      store.ingest.commit(NOW + 100);
      assert.equal(seconds(), 3 * interval, "in the file");
    });
});
