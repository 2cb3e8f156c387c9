import assert from "node:assert/strict";
import { CONNECT, CONNECTION, outbound, TestStore } from "../../test/support/page.ts";
import type { VitalLines, Vitals } from "../answers.ts";
import { Api } from "../http/api.ts";

const NOW = 1_800_000_000;
const MINUTE = 60;

interface Answer {
  readonly now: Vitals;
  readonly before: Vitals;
  readonly lines: VitalLines;
}

describe("vitals", () => {
  let now = NOW;
  let store: TestStore;
  let api: Api;

  before(() => {
    store = new TestStore({ now: () => now });
    api = new Api(store.store);
    const connections = (start: number, count: number, rtt: number) =>
      Array.from({ length: count }, (_, i) => {
        const counts = { "wirespan.tcp.segments_sent": 10, "wirespan.tcp.retransmits": i === 0 ? 5 : 0 };
        const attributes = outbound(1, { ...counts, "wirespan.tcp.rtt.smoothed": rtt });
        return { start, duration: 1, trace: start + i, attributes };
      });
    const attempts = (start: number, failed: number) =>
      Array.from({ length: 10 }, (_, i) => {
        const error = i < failed ? "connection_refused" : undefined;
        const attributes = outbound(1, error === undefined ? {} : { "error.type": error });
        return {
          start,
          duration: i === 9 ? 0.5 : 0.001,
          trace: start + 100 + i,
          ...(error && { error }),
          attributes,
        };
      });
    // Five minutes ago, in the five minutes before, and after what is shown first.
    store.spans(CONNECTION, connections(NOW - 3 * MINUTE, 60, 0.002));
    store.spans(CONNECT, attempts(NOW - 3 * MINUTE, 2));
    store.spans(CONNECTION, connections(NOW - 8 * MINUTE, 30, 0.001));
    store.ingest.commit(NOW - 2 * MINUTE);
  });
  after(() => store[Symbol.dispose]());

  const vitals = async (query = "") =>
    (await api.answer("vitals", new URLSearchParams(`last=300${query}`))).body as Answer;
  /** Of a bucket: up to 9 % more than the value. */
  const about = (value: number | undefined, expected: number) =>
    assert.ok(value! >= expected && value! < expected * 1.1, `${value} for ${expected}`);

  it("are those of the range, and of as much before it", async () => {
    const { now: is, before: was } = await vitals();
    assert.equal(is.connectionsPerSecond.toFixed(2), (60 / (3 * MINUTE)).toFixed(2));
    assert.deepEqual([is.failed, is.failedShare, is.retransmits], [2, 0.2, 5]);
    assert.equal(is.retransmitShare, 5 / 600);
    about(is.connectP50, 0.001);
    about(is.connectP99, 0.5);
    about(is.rttP50, 0.002);
    about(was.rttP50, 0.001);
    assert.equal(was.failedShare, undefined);
    assert.equal(was.retransmitShare, 5 / 300);
  });

  it("have a line whose values are those of its steps", async () => {
    const { lines } = await vitals();
    const sum = lines.connectionsPerSecond.reduce((total, value) => total + value * 10, 0);
    assert.equal(Math.round(sum), 60);
    // Steps of ten seconds.
    assert.deepEqual(
      lines.failedShare,
      Array.from({ length: 30 }, (_, i) => (i === 12 ? 0.2 : 0)),
    );
  });

  it("compare with the time before the range as it moves, and for another filter", async () => {
    const first = (await vitals()).before;
    now = NOW + 3 * MINUTE;
    // The sixty connections are now before the range.
    const { before: was } = await vitals();
    about(was.rttP50, 0.002);
    assert.equal(was.failed, 2);
    assert.equal((await vitals("&q=peer:10.0.0.2")).before.failed, 0);
    assert.equal((await vitals()).before.failed, 2);
    now = NOW;
    assert.deepEqual((await vitals()).before, first);
  });
});
