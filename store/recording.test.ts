import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { RowBuilder } from "../exporters/local/columns.ts";
import { CONNECTION, outbound, TestStore, traceId } from "../test/support/page.ts";
import { Api } from "./http/api.ts";
import { APPLICATION } from "./http/receive.ts";
import { openRecording, record } from "./recording.ts";
import { Signal } from "./signal.ts";

describe("a recording", () => {
  const NOW = 1_800_000_000;

  function filled(): TestStore {
    const store = new TestStore({ now: () => NOW });
    for (const [minute, trace] of [59, 33, 20, 5, 1].entries()) {
      const start = NOW - trace * 60;
      store.spans(CONNECTION, [{ start, duration: 0.5, trace: minute, attributes: outbound(1) }]);
      store.ingest.commit(start);
    }
    return store;
  }

  it("contains what ended in its time range, is accessible only to its owner, and never changes", async () => {
    using store = filled();
    const file = join(store.folder, "recording.db");
    await record(store.file, file, 1800);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const { mtimeMs } = statSync(file);
    using recording = openRecording(file);
    const api = new Api(recording);
    const { body } = await api.answer("connections", new URLSearchParams("last=7200"));
    assert.equal((body as { total: number }).total, 3);
    const meta = (await api.answer("meta", new URLSearchParams())).body as {
      isRecording: boolean;
      asOf: number;
    };
    assert.deepEqual([meta.isRecording, Math.round(meta.asOf)], [true, NOW - 60 + 1]);
    const { calm } = (await api.answer("strip", new URLSearchParams("last=1800"))).body as { calm: number[] };
    assert.equal(
      calm.reduce((sum, count) => sum + count, 0),
      3,
    );
    assert.equal(statSync(file).mtimeMs, mtimeMs);
  });

  it("ends with the agent's last observation, whatever times applications' spans have", async () => {
    using store = filled();
    const signal = new Signal(store.db.intern("signal", JSON.stringify(APPLICATION)), APPLICATION);
    const rows = new RowBuilder(APPLICATION.attributes, 1);
    const ids = { traceId: traceId(9), spanId: new Uint8Array(8), resource: store.resource("shop"), kind: 0 };
    rows.add({ ...ids, start: (NOW + 1e9) * 1e6, duration: 1 }, { "span.name": "late" });
    store.ingest.application(signal, rows, NOW * 1000);
    store.ingest.commit(NOW);
    const file = join(store.folder, "recording.db");
    await record(store.file, file, 1800);
    using recording = openRecording(file);
    const { body } = await new Api(recording).answer("connections", new URLSearchParams("last=7200"));
    assert.equal((body as { total: number }).total, 3);
  });

  it("omits the oldest connections if they do not fit", async () => {
    using store = new TestStore({ now: () => NOW });
    const minutes = 40;
    for (let minute = minutes; minute > 0; minute--) {
      const start = NOW - minute * 60;
      const rows = Array.from({ length: 2000 }, (_, i) => ({
        ...{ start: start + i / 100, duration: Math.random(), trace: minute * 10_000 + i },
        attributes: outbound(1, { "wirespan.tcp.bytes_sent": Math.floor(Math.random() * 1e9) }),
      }));
      store.spans(CONNECTION, rows);
      store.ingest.commit(start + 30);
    }
    const file = join(store.folder, "small.db");
    const most = 1024 ** 2;
    await record(store.file, file, 7200, { most });
    const { size } = statSync(file);
    assert.ok(size <= most && size > most / 2, `${size} bytes`);
    using recording = openRecording(file);
    const { body } = await new Api(recording).answer("connections", new URLSearchParams("last=7200"));
    const { rows, total } = body as { rows: readonly { start: number }[]; total: number };
    assert.ok(total > 0 && total < minutes * 2000, `${total} connections`);
    assert.ok(rows[0]!.start > NOW - 90, "the newest are there");
  });

  it("does not overwrite an existing file", async () => {
    using store = filled();
    const file = join(store.folder, "taken");
    writeFileSync(file, "mine");
    await assert.rejects(record(store.file, file, 60), /EEXIST/);
  });

  it("is rejected if it is damaged, and so is a chunk with more rows than it contains", async () => {
    using store = filled();
    const damage = async (name: string, sql: string) => {
      const file = join(store.folder, name);
      await record(store.file, file, 1800);
      const db = new DatabaseSync(file);
      db.exec(sql);
      db.close();
      return file;
    };
    const file = await damage("findings", "INSERT INTO finding (since, finding) VALUES (1, '{')");
    assert.throws(() => openRecording(file), /^Error: it is damaged: /);
    using recording = openRecording(await damage("rows", "UPDATE chunk SET n = 1000000"));
    const { status, body } = await new Api(recording).answer("connections", new URLSearchParams("last=7200"));
    assert.deepEqual([status, body], [500, { error: "a chunk has fewer rows than it says" }]);
  });

  it("is opened without reading texts larger than those that agents write", async () => {
    using store = filled();
    const file = join(store.folder, "large.db");
    await record(store.file, file, 1800);
    const db = new DatabaseSync(file);
    const megabytes = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 30)";
    const text = "n || hex(zeroblob(500000))";
    db.exec(
      `${megabytes} INSERT INTO finding (since, finding) SELECT n, '{"text":"' || ${text} || '"}' FROM c`,
    );
    db.exec(
      `${megabytes} INSERT INTO signal (declaration) SELECT '{"attributes":{},"name":"' || ${text} || '"}' FROM c`,
    );
    db.close();
    assert.ok(statSync(file).size > 60e6);
    const read = () => Number(/^rchar: (\d+)/m.exec(readFileSync("/proc/self/io", "utf8"))![1]);
    const before = read();
    using recording = openRecording(file);
    const { body } = await new Api(recording).answer("connections", new URLSearchParams("last=7200"));
    const bytes = read() - before;
    assert.ok(bytes < 2e6, `${bytes} bytes were read`);
    assert.equal((body as { total: number }).total, 3);
    assert.deepEqual(recording.findings.raised, []);
  });

  it("is refused if the file is not a recording", () => {
    using store = new TestStore();
    const file = join(store.folder, "text");
    writeFileSync(file, "not a database, but long enough for SQLite to look at it twice".repeat(100));
    assert.throws(() => openRecording(file), /it is not a recording of wirespan/);
    assert.throws(() => openRecording(join(store.folder, "absent")), /unable to open/);
  });
});
