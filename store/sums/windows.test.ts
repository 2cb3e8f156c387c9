import assert from "node:assert/strict";
import { CONNECTION, outbound, TestStore } from "../../test/support/page.ts";

const NOW = 1_800_000_000;

describe("windows of sums", () => {
  it("are written again only if something was added to them", () => {
    using store = new TestStore({ now: () => NOW });
    const connect = (start: number) =>
      store.spans(CONNECTION, [{ start, duration: 0.5, trace: 1, attributes: outbound(1) }], start * 1000);
    const written = () => {
      store.db.run("DELETE FROM sum");
      store.ingest.commit(NOW + 11);
      return store.db.all("SELECT level, t FROM sum ORDER BY level, t").map(({ level, t }) => [level, t]);
    };
    connect(NOW);
    connect(NOW + 10);
    const both = [
      [0, NOW],
      [0, NOW + 10],
      [1, NOW],
    ];
    assert.deepEqual(written(), both);
    assert.deepEqual(written(), []);
    connect(NOW + 10);
    assert.deepEqual(written(), both.slice(1));
  });
});
