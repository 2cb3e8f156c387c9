import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, fstatSync, readSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { CONNECTION, outbound, TestStore } from "../test/support/page.ts";
import { Copier } from "./copier.ts";

const NOW = 1_800_000_000;
const CHUNKS = 400;
const SIZE = 256 * 1024;

/** The end of the chunk of a number, seconds. */
const endOf = (i: number) => NOW - CHUNKS + i;

describe("a copy of a part of a store's file", () => {
  let store: TestStore;
  let copier: Copier;

  before(() => {
    store = new TestStore({ now: () => NOW, bytes: 256 * 1024 ** 2 });
    for (let i = 0; i < CHUNKS; i++) {
      const t = endOf(i) * 1e6;
      const what = { signal: 1, class: "calm", t0: t, t1: t, n: 1, oneIn: 1, longest: 0 } as const;
      store.db.addChunk({ ...what, ids: randomBytes(8), head: "", data: randomBytes(SIZE) }, [i]);
    }
    copier = new Copier(store.file, join(store.folder, "copy"), true);
  });
  after(() => {
    copier[Symbol.dispose]();
    store[Symbol.dispose]();
  });

  const opened = ({ fd, size }: { readonly fd: number; readonly size: number }): DatabaseSync => {
    const bytes = Buffer.alloc(size);
    assert.equal(readSync(fd, bytes, 0, size, 0), size);
    const file = join(store.folder, `copy-${size}.db`);
    writeFileSync(file, bytes);
    return new DatabaseSync(file, { readOnly: true });
  };
  const numbersOf = (db: DatabaseSync, sql: string) =>
    db
      .prepare(sql)
      .all()
      .map((row) => Number(Object.values(row)[0]));

  it("is as of its beginning, and delays other work for milliseconds only", async () => {
    let turns = 0;
    let longest = 0;
    let isDone = false;
    const copying = copier.copy({ from: 0, to: NOW }).finally(() => {
      isDone = true;
    });
    let cpu = process.cpuUsage();
    while (!isDone) {
      const { user, system } = process.cpuUsage(cpu);
      longest = Math.max(longest, (user + system) / 1000);
      const span = { start: NOW - 1, duration: 0.5, trace: turns, attributes: outbound(1) };
      store.spans(CONNECTION, [span]);
      store.ingest.commit(NOW);
      turns++;
      cpu = process.cpuUsage();
      await new Promise((resolve) => setImmediate(resolve));
    }
    using db = opened(await copying);
    assert.ok(turns > 10, `${turns} turns`);
    assert.ok(longest < 60, `${longest} ms without a turn`);
    assert.deepEqual(numbersOf(db, "SELECT count(*) FROM chunk"), [CHUNKS]);
    assert.deepEqual(numbersOf(db, "SELECT count(*) FROM chunk_resource"), [CHUNKS]);
    assert.equal(db.prepare("PRAGMA integrity_check").get()?.integrity_check, "ok");
    assert.equal(
      store.db.all("SELECT n FROM chunk").reduce((sum, { n }) => sum + Number(n), 0),
      CHUNKS + turns,
    );
    copier.clear();
  });

  it("contains nothing of an earlier copy", async () => {
    const copy = await copier.copy({ from: endOf(10), to: endOf(12) });
    using db = opened(copy);
    assert.deepEqual(
      numbersOf(db, "SELECT t1 FROM chunk ORDER BY t1"),
      [10, 11, 12].map((i) => endOf(i) * 1e6),
    );
    assert.deepEqual(numbersOf(db, "SELECT resource FROM chunk_resource ORDER BY resource"), [10, 11, 12]);
    assert.equal(db.prepare("PRAGMA integrity_check").get()?.integrity_check, "ok");
    assert.ok(copy.size < 4 * SIZE, `${copy.size} bytes`);
    copier.clear();
    assert.equal(fstatSync(copy.fd).size, 0);
    assert.ok(!existsSync(join(store.folder, "copy")));
  });
});
