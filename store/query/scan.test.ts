import assert from "node:assert/strict";
import { CONNECTION, outbound, TestStore } from "../../test/support/page.ts";
import type { ListRow } from "../answers.ts";
import { Api } from "../http/api.ts";
import { Progress } from "./scan.ts";

const NOW = 1_800_000_000;
const CHUNKS = 40;
const ROWS = 2048;

const sentOf = (trace: number) => (trace * 31) % 100_003;

describe("a scan of many chunks", () => {
  let store: TestStore;
  /** By duration, milliseconds. */
  const traceOf = new Map<number, number>();

  before(() => {
    store = new TestStore({ now: () => NOW });
    for (let chunk = 0; chunk < CHUNKS; chunk++)
      store.spans(
        CONNECTION,
        Array.from({ length: ROWS }, (_, i) => {
          const trace = chunk * ROWS + i;
          // Each chunk has long ones.
          const milliseconds = (trace * 7919) % (CHUNKS * ROWS);
          traceOf.set(milliseconds, trace);
          const attributes = outbound(trace % 200, { "wirespan.tcp.bytes_sent": sentOf(trace) });
          return { start: NOW - 600 + chunk, duration: milliseconds / 1000, trace, attributes };
        }),
      );
  });
  after(() => store[Symbol.dispose]());

  it("uses the memory of one for all", async () => {
    const { scan } = store.store;
    let rows = 0;
    let most = 0;
    const columns = Object.keys(CONNECTION.attributes).length;
    let least = Number.POSITIVE_INFINITY;
    const everything = { from: 0, to: Number.MAX_SAFE_INTEGER };
    const progress = new Progress(Number.POSITIVE_INFINITY);
    for await (const slice of scan.slices(["tcp connection"], everything, progress)) {
      for (let i = 0; i < columns; i++) slice.rows.values.at(i);
      rows += slice.rows.n;
      // What is not garbage yet, or has not been collected.
      const { arrayBuffers } = process.memoryUsage();
      least = Math.min(least, arrayBuffers);
      most = Math.max(most, arrayBuffers - least);
    }
    assert.equal(rows, CHUNKS * ROWS);
    assert.ok(most < 1e6, `${most} bytes`);
  });

  it("sorts rows of all of them", async () => {
    const query = new URLSearchParams("last=3600&order=duration");
    const { body } = await new Api(store.store).answer("connections", query);
    const { total, rows } = body as { total: number; rows: readonly ListRow[] };
    assert.equal(total, CHUNKS * ROWS);
    const most = CHUNKS * ROWS - 1;
    assert.deepEqual(
      rows.map(({ duration, sent }) => [duration, sent]),
      Array.from({ length: 500 }, (_, i) => [(most - i) / 1000, sentOf(traceOf.get(most - i)!)]),
    );
  });
});
