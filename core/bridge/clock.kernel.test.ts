// When the wall clock is stepped while the agent runs, reports stay consistent, and no count restarts.
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { MetricConverter } from "../../exporters/temporality.ts";
import { type Native, native } from "../../native/index.ts";
import { inodeOf } from "../../test/support/connection-ends.ts";
import { watch } from "../../test/support/engine.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { build, run, start } from "../../test/support/workload.ts";
import type { Metric, Time } from "../plugin/signals.ts";

const seconds = ({ sec, nsec }: Time): number => sec + nsec / 1e9;

/** This machine's clocks; the wall clock can be moved. */
class Stepped {
  by = 0;
  readonly native: Native = {
    ...native,
    bootOffset: () => {
      const { sec, nsec } = native.bootOffset();
      return { sec: sec + this.by, nsec };
    },
  };

  /** Moves the clock by this many seconds, and waits until the agent has measured it. */
  async step(by: number): Promise<void> {
    this.by += by;
    await delay(1100);
  }

  get now(): number {
    return Date.now() / 1000 + this.by;
  }
}

/** Every point begins before its own time, and no sum gets another start on the boot clock. */
class Points {
  readonly #starts = new Map<string, Set<number>>();

  check(metrics: readonly Metric[]): readonly Metric[] {
    for (const { spec, time, points, resource } of metrics) {
      for (const { start, attributes } of points) {
        assert.ok(seconds(start) <= seconds(time), `${spec.name}: ${seconds(start)} > ${seconds(time)}`);
        const key = JSON.stringify([spec.name, resource.attributes, attributes]);
        const starts = this.#starts.get(key) ?? new Set();
        this.#starts.set(key, starts.add(start.bootNs));
        assert.equal(starts.size, 1, key);
      }
    }
    return metrics;
  }
}

describe("a wall clock that is stepped", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  for (const step of [-3600, 3600]) {
    it(`by ${step} s: spans, sums and deltas stay correct`, async () => {
      await using netns = await Netns.create();
      const clock = new Stepped();
      const only = { "filter.include.netns": String(inodeOf(netns)) };
      await using watched = await watch(["tcplife", "tcptop"], only, clock.native);
      const points = new Points();
      const converter = new MetricConverter({ temporality: "delta" });
      let deltas = 0;
      const collect = async () => {
        const metrics = points.check(await watched.collect());
        for (const { spec, time, points } of converter.convert(metrics)) {
          for (const { start, value } of points) {
            assert.ok(seconds(start) <= seconds(time));
            assert.ok(seconds(time) - seconds(start) < 30, `${spec.name}: an interval of an hour`);
            if (spec.name === "wirespan.tcp.connection.closed") deltas += value as number;
          }
        }
        const closed = metrics.filter(({ spec }) => spec.name === "wirespan.tcp.connection.closed");
        return closed.flatMap((m) => m.points).reduce((sum, point) => sum + (point.value as number), 0);
      };
      await run(netns, "clientCloses", { count: 10 });
      await using across = await start(netns, "held");
      await across.until("opened", "client");
      const begun = clock.now;
      await watched.until("twenty ends", () => watched.spans.length === 20);
      assert.equal(await collect(), 20);
      await clock.step(step);
      assert.equal(await collect(), 20);
      across.goOn();
      await across.done();
      await run(netns, "clientCloses", { count: 10 });
      await netns.settled();
      await watched.until("all ends", () => watched.spans.length === 42);
      assert.equal(await collect(), 42);
      assert.equal(deltas, 42);
      for (const span of watched.spans.slice(20)) {
        assert.ok(Math.abs(seconds(span.end) - clock.now) < 10, "reported in the new time");
        assert.ok(seconds(span.start) <= seconds(span.end));
      }
      const lives = watched.spans.map((span) => seconds(span.end) - seconds(span.start));
      // Only the one across the step lasted longer than a second.
      const long = lives.filter((life) => life > 1);
      assert.equal(long.length, 2);
      for (const life of long) assert.ok(life < clock.now - step - begun + 1, String(life));
    });
  }
});
