import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CONNECTION, outbound, TestStore } from "../test/support/page.ts";
import { type Class, Database } from "./database.ts";

const MIB = 1024 ** 2;

describe("the viewer's file", () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "wirespan-db-"));
    file = join(folder, "viewer.db");
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const chunk = (of: Class, t: number, size = 100_000) => ({
    ...{ signal: 1, class: of, t0: t, t1: t + 1, n: 10, oneIn: 1, longest: 1 },
    ...{
      ids: new Uint8Array(8),
      head: "{}",
      data: crypto.getRandomValues(new Uint8Array(Math.min(size, 65_536))),
    },
  });

  it("is accessible only to its owner", () => {
    new Database(file, 16 * MIB).close();
    assert.equal(statSync(file).mode & 0o777, 0o600);
    chmodSync(file, 0o644);
    assert.throws(() => new Database(file, 16 * MIB), /can be read by others \(mode 644\): chmod 600/);
  });

  it("stays within its limit over ten refills, and notable chunks are kept longer", () => {
    const db = new Database(file, 16 * MIB);
    for (let t = 0; t < 20; t++) db.transaction(() => db.addChunk(chunk("notable", t), []));
    for (let t = 100; t < 2700; t++) db.transaction(() => db.addChunk(chunk("calm", t), []));
    const size = statSync(file).size + statSync(`${file}-wal`).size;
    assert.ok(size <= 24 * MIB, `${size} bytes`);
    const { calm, notable } = db.kept();
    assert.equal(notable.rows, 200, "all notable ones");
    assert.ok((calm.from ?? 0) > 2400, `the oldest calm one is of ${calm.from}`);
    assert.ok(db.evicted > 2300);
    db.close();
  });

  it("stays within its limit with many peers: the oldest sums are removed, and none of the newest", async () => {
    const start = 1_800_000_000;
    using store = new TestStore({ bytes: 4 * MIB, now: () => start });
    const addressOf = (i: number) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`;
    let peer = 0;
    let t = start;
    const perWindow = 400;
    for (; t < start + 900; t += 10) {
      const made = Array.from({ length: perWindow }, (_, i) => ({
        ...{ start: t, duration: 0.01, trace: i },
        attributes: outbound(1, {
          "network.peer.address": addressOf(peer++),
        }),
      }));
      store.spans(CONNECTION, made, t * 1000);
      store.ingest.commit(t);
      const pages = Number(store.db.get("PRAGMA page_count")?.page_count);
      assert.ok(pages * 8192 <= 4 * MIB, `${pages} pages`);
    }
    const windows = [...store.ingest.windows.between(0, t - 60, t)];
    assert.deepEqual(
      windows.map(([, window]) => [...window].length),
      windows.map(() => perWindow),
    );
    const names = Number(store.db.get("SELECT count(*) n FROM edge")?.n);
    assert.ok(names < peer / 2, `${names} names of ${peer}`);
  });

  it("stays within its limit with chunks of a size that fills pages badly", () => {
    const db = new Database(file, 4 * MIB);
    for (let t = 0; t < 600; t++) db.transaction(() => db.addChunk(chunk("calm", t, 12_800), []));
    const { calm } = db.kept();
    assert.ok(calm.bytes > 2.5 * MIB, `${calm.bytes} bytes`);
    db.close();
  });

  it("removes what was written first, even if a clock was in the future then", () => {
    const db = new Database(file, 4 * MIB);
    db.transaction(() => db.addChunk(chunk("calm", 1e9, 12_800), []));
    for (let t = 0; t < 600; t++) db.transaction(() => db.addChunk(chunk("calm", t, 12_800), []));
    assert.equal(Number(db.get("SELECT max(t1) t FROM chunk")?.t), chunk("calm", 599).t1);
    db.close();
  });

  it("lets a class use the space of other classes, and reclaims it", () => {
    const db = new Database(file, 16 * MIB);
    const fill = (of: Class, from: number) => {
      for (let t = from; t < from + 250; t++) db.transaction(() => db.addChunk(chunk(of, t), []));
    };
    fill("notable", 0);
    const borrowed = db.kept().notable.bytes;
    assert.ok(borrowed > 0.6 * 16 * MIB, `${borrowed} bytes while nobody else needs them`);
    fill("calm", 1000);
    assert.ok(db.kept().notable.bytes < 0.4 * 16 * MIB);
    assert.ok(db.kept().calm.bytes > 0.4 * 16 * MIB);
    db.close();
  });

  it("keeps what was committed when it is reopened", () => {
    const db = new Database(file, 16 * MIB);
    db.transaction(() => db.addChunk(chunk("calm", 5), []));
    db.close();
    const again = new Database(file, 16 * MIB);
    assert.equal(again.replaced, undefined);
    assert.equal(again.kept().calm.rows, 10);
    again.close();
  });

  it("is moved aside if it is damaged, of another kind or of another version", () => {
    const db = new Database(file, 16 * MIB);
    for (let t = 0; t < 50; t++) db.transaction(() => db.addChunk(chunk("calm", t), []));
    db.close();
    truncateSync(file, statSync(file).size / 2);
    const first = new Database(file, 16 * MIB);
    assert.match(first.replaced ?? "", /damaged|not readable/);
    assert.ok(existsSync(`${file}.broken`));
    first.setMeta("schema", "999");
    first.close();
    const second = new Database(file, 16 * MIB);
    assert.match(second.replaced ?? "", /of another version \(999\)/);
    second.close();
    rmSync(`${file}-wal`, { force: true });
    writeFileSync(file, "this is a text, and long enough to be taken for a page of something\n".repeat(50));
    const third = new Database(file, 16 * MIB);
    assert.match(third.replaced ?? "", /not readable/);
    third.close();
  });
});
