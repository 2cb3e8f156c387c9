// The wall clock may be set while the store runs: recorded data keeps the agent's times.
import assert from "node:assert/strict";
import { CONNECTION, type Made, outbound, TestStore } from "../test/support/page.ts";
import { Findings } from "./findings/findings.ts";
import { Api } from "./http/api.ts";

const NOW = 1_800_000_000;
const QUEUE = JSON.stringify({ "server.port": 80 });

describe("a store whose clock is set back", () => {
  it("keeps its data, counts both passes of the same minute, and has no findings because of it", async () => {
    let now = NOW;
    using store = new TestStore({ now: () => now });
    const findings = new Findings(store.db, store.ingest, store.store.scan, () => {});
    let trace = 0;
    /** Ten seconds with a connection each second. */
    const step = async () => {
      const made = Array.from({ length: 10 }, (_, i): Made => {
        return { start: now + i, duration: 0.5, trace: trace++, attributes: outbound(1) };
      });
      store.spans(CONNECTION, made, now * 1000);
      store.metrics(now, "wirespan.tcp.accept_queue.usage", "updowncounter", { [QUEUE]: trace });
      store.metrics(now, "wirespan.tcp.connection.accepted", "counter", { [QUEUE]: 10 });
      now += 10;
      store.ingest.commit(now);
      await findings.evaluate(now);
    };
    for (let i = 0; i < 60; i++) await step();
    now -= 300;
    for (let i = 0; i < 12; i++) await step();

    const ask = async <T>(path: string): Promise<T> => {
      const [name = "", query = ""] = path.split("?");
      return (await new Api(store.store).answer(name, new URLSearchParams(query))).body as T;
    };
    const total = async (last: number) => {
      const { calm } = await ask<{ calm: number[] }>(`strip?last=${last}`);
      const { total: listed } = await ask<{ total: number }>(`connections?last=${last}`);
      return [calm.reduce((sum, n) => sum + n, 0), listed];
    };
    // It is seven minutes after the start: 420 seconds of the first time, and 120 of the second.
    assert.deepEqual(await total(60), [120, 120]);
    assert.deepEqual(await total(600), [540, 540]);
    const { listeners } = await ask<{ listeners: { waiting: number }[] }>("listeners?last=60");
    assert.equal(listeners[0]?.waiting, 720, "the queue as it was reported last");
    assert.deepEqual(findings.raised, []);

    // The clock reaches the time at which it was set back.
    for (let i = 0; i < 18; i++) await step();
    assert.deepEqual(await total(600), [900, 900]);
    assert.deepEqual(findings.raised, []);
  });
});
