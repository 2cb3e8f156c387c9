import assert from "node:assert/strict";
import { CONNECTION, outbound, TestStore } from "../test/support/page.ts";

const NOW = 1_800_000_000;
const MIB = 1024 ** 2;

describe("the names in the viewer's file", () => {
  it("are only those that stored data refers to, however many processes come and go", async () => {
    let now = NOW;
    using store = new TestStore({ bytes: 2 * MIB, now: () => now });
    const ROUNDS = 300;
    for (let round = 0; round < ROUNDS; round++) {
      now = NOW + round * 700;
      const made = Array.from({ length: 60 }, (_, i) => ({
        ...{ start: now, duration: 0.01, trace: round * 60 + i, service: `job-${round}-${i % 3}` },
        attributes: outbound(1, { "wirespan.connection.id": `${round}-${i}-${"x".repeat(150)}` }),
      }));
      store.spans(CONNECTION, made, now * 1000);
      store.frame({ type: "forget" });
      store.ingest.commit(now);
    }
    const first = (sql: string) => Math.floor((Number(store.db.get(sql)?.t) - NOW) / 700);
    const ofChunks = first("SELECT min(t0) / 1e6 t FROM chunk");
    const ofSums = Math.ceil((Number(store.db.get("SELECT min(t) t FROM sum")?.t) - NOW) / 700);
    assert.ok(ofChunks > 10 && ofSums > 10, "much has been removed");
    const rounds = new Set(
      store.db
        .all("SELECT attributes FROM resource")
        .map(({ attributes }) => Number(/job-(\d+)-/.exec(String(attributes))?.[1])),
    );
    const oldest = Math.min(ofChunks, ofSums);
    assert.deepEqual([...rounds].sort((a, b) => a - b)[0], oldest);
    assert.equal(rounds.size, ROUNDS - oldest);
    const unnamed = store.db.get(
      "SELECT count(*) n FROM chunk_resource WHERE resource NOT IN (SELECT id FROM resource)",
    );
    assert.equal(unnamed?.n, 0);
    const edges = Number(store.db.get("SELECT count(*) n FROM edge")?.n);
    assert.equal(edges, 3 * (ROUNDS - ofSums));
  });
});
