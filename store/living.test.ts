import assert from "node:assert/strict";
import type { LivingHead, LivingRow } from "../exporters/local/frame.ts";
import type { Report } from "../exporters/local/store-process.ts";
import { TestStore } from "../test/support/page.ts";
import type { Living as Answered } from "./answers.ts";
import { Api } from "./http/api.ts";
import { Living } from "./living.ts";

const row = (more: Partial<LivingRow>): LivingRow => ({
  ...{ trace: "0".repeat(31), resource: 0, state: "established", age: 10, sent: 0, received: 0 },
  ...{ sendQueue: 0, receiveQueue: 0, rtt: undefined, retransmits: 0 },
  attributes: {
    "network.peer.address": "10.0.0.1",
    "network.peer.port": 5432,
    "wirespan.connection.direction": "outbound",
    "process.pid": 7,
  },
  ...more,
});

describe("currently open connections", () => {
  let asked: Report[];
  let store: TestStore;
  let living: Living;
  let api: Api;
  beforeEach(() => {
    asked = [];
    store = new TestStore();
    living = new Living((what) => asked.push(what));
    api = new Api({ ...store.store, living });
  });
  afterEach(() => store[Symbol.dispose]());

  const answer = (rows: readonly LivingRow[], more: Partial<LivingHead> = {}) =>
    living.take({ type: "living", time: 0, total: rows.length, rows, ...more });
  const ask = async (query: string) => {
    const { status, body } = await api.answer("living", new URLSearchParams(query));
    return { status, ...(body as Answered & { error?: string }) };
  };

  it("are requested from the agent once, however many clients ask", async () => {
    const all = [ask(""), ask("order=sent"), ask("q=pid:7")];
    assert.deepEqual(asked, [{ wanted: "living" }]);
    answer([row({})]);
    for (const one of await Promise.all(all)) assert.deepEqual([one.total, one.matching], [1, 1]);
    assert.equal((await ask("")).total, 1);
    assert.equal(asked.length, 1);
  });

  it("are filtered like ended ones, and sorted by queued bytes", async () => {
    const resource = store.resource("shop");
    const rows = [
      row({ resource, receiveQueue: 5 }),
      row({ receiveQueue: 900, age: 3600 }),
      row({ receiveQueue: 40, sent: 2000 }),
    ];
    const first = ask("order=receiveQueue");
    answer(rows, { total: 70_000 });
    const { total, listed, matching, rows: found } = await first;
    assert.deepEqual([total, listed, matching], [70_000, 3, 3]);
    assert.deepEqual(
      found.map(({ receiveQueue }) => receiveQueue),
      [900, 40, 5],
    );
    const counts: Record<string, number> = {};
    for (const q of ["service:shop", "life>1m", "sent>1kB", "peer:10.0.0.0/8", "port:5433", "not pid:7"])
      counts[q] = (await ask(`q=${encodeURIComponent(q)}`)).matching;
    assert.deepEqual(counts, {
      "service:shop": 1,
      "life>1m": 1,
      "sent>1kB": 1,
      "peer:10.0.0.0/8": 3,
      "port:5433": 0,
      "not pid:7": 0,
    });
  });

  it("are refused with the reason if the agent cannot list them, and for a recording", async () => {
    const refused = ask("");
    answer([], { error: "EPERM at load" });
    const { status, error } = await refused;
    assert.deepEqual([status, error], [500, "the agent cannot list open connections: EPERM at load"]);
    const recording = await new Api(store.store).answer("living", new URLSearchParams());
    assert.equal(recording.status, 400);
  });
});
