import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../../core/plugin/log.ts";
import type { Metric, Resource, SpanSpec } from "../../core/plugin/signals.ts";
import { needsRoot, output } from "../../test/support/netns.ts";
import { CONNECTION, outbound, traceId } from "../../test/support/page.ts";
import { until } from "../../test/support/until.ts";
import { LocalExporter } from "./local-exporter.ts";
import type { Report, StoreOptions } from "./store-process.ts";

const { name, description, attributes } = CONNECTION;
const SPEC = { signal: "span", name, description, attributes } as const satisfies SpanSpec;
const SCOPE = { name: "wirespan.connections", version: "1" };
const RESOURCE = { attributes: { "service.name": "web" } };

describe("the exporter that feeds the page", () => {
  let folder: string;
  let exporter: LocalExporter;
  let reports: Report[];
  let warnings: string[];
  let options: StoreOptions;

  const start = async (more: Partial<StoreOptions> = {}): Promise<void> => {
    reports = [];
    warnings = [];
    const log: Log = { error() {}, warn: (_, text) => warnings.push(text), info() {}, debug() {} };
    options = {
      ...{ file: join(folder, "viewer.db"), bytes: 64 * 1024 ** 2, rate: 1e6, hostInstance: "host" },
      ...{
        address: "127.0.0.1:0",
        users: [process.getuid!()],
        isOpen: false,
        receive: false,
        receiveFrom: "anyone",
      },
      ...more,
    };
    exporter = new LocalExporter("viewer", options, log, (report) => reports.push(report));
    await until("the store to be ready", () => reports.some((report) => "ready" in report));
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "wirespan-local-"));
    // The store no longer has access to it once it is open.
    chmodSync(folder, 0o755);
  });
  afterEach(async () => {
    await exporter.shutdown(2000);
    rmSync(folder, { recursive: true });
  });

  const give = (count: number, from = 0, resourceOf = (_: number): Resource => RESOURCE) => {
    const now = Date.now() / 1000;
    const end = { sec: Math.floor(now), nsec: 0 };
    for (let i = from; i < from + count; i++) {
      const id = traceId(i);
      exporter.span({
        ...{
          spec: SPEC,
          scope: SCOPE,
          resource: resourceOf(i),
          traceId: id,
          spanId: id.subarray(8),
          kind: "internal",
        },
        ...{
          start: { sec: end.sec - 1, nsec: i },
          end,
          attributes: outbound(1),
        },
      });
    }
  };
  const ask = async (path: string): Promise<Record<string, number>> => {
    const response = await fetch(new URL(`/api/v1/${path}`, exporter.url));
    return (await response.json()) as Record<string, number>;
  };
  /** In any case: everything that was received is acknowledged, lost or queued. */
  const balanced = () => {
    const { given, acknowledged, lost, queued } = exporter.counts("span");
    const lostInAll = Object.values(lost).reduce((sum, count) => sum + count, 0);
    assert.equal(acknowledged + lostInAll + queued, given, JSON.stringify(exporter.counts("span")));
  };

  it("counts what is in the file as acknowledged, and nothing else", async () => {
    await start();
    give(5000);
    balanced();
    await exporter.flush(5000);
    assert.equal(exporter.counts("span").acknowledged, 5000);
    assert.equal((await ask("connections?last=600")).total, 5000);
  });

  it("declares a resource again after many others, whose numbers the store has forgotten", async () => {
    await start();
    const resources = Array.from({ length: 5000 }, (_, i) => ({
      attributes: { "service.name": `job-${i}` },
    }));
    give(resources.length, 0, (i) => resources[i]!);
    await sleep(1500);
    give(1, 5000, () => resources[0]!);
    await exporter.flush(5000);
    assert.equal((await ask("connections?last=600&q=service:job-0")).total, 2);
    assert.equal((await ask("connections?last=600&q=service:job-4999")).total, 1);
  });

  it("sends the increments of metrics, and gauges", async () => {
    await start();
    const metric = (value: number, bootNs: number): Metric => ({
      ...{ scope: SCOPE, resource: RESOURCE, time: { sec: Math.floor(Date.now() / 1000), nsec: 0, bootNs } },
      spec: {
        signal: "metric",
        name: "wirespan.tcp.packet.dropped",
        instrument: "counter",
        unit: "1",
        description: "",
        attributes: {},
      },
      points: [
        { attributes: { "wirespan.packet.drop.reason": "X" }, start: { sec: 1, nsec: 0, bootNs: 1 }, value },
      ],
    });
    for (const [i, value] of [10, 25, 25].entries()) exporter.metrics([metric(value, 10 + i)]);
    await exporter.flush(5000);
    assert.deepEqual(exporter.counts("point").acknowledged, 3);
    const { dropped } = (await ask("losses?last=60")) as unknown as {
      dropped: { name: string; count: number }[];
    };
    assert.deepEqual(
      dropped.map(({ name: reason, count }) => [reason, count]),
      [["X", 25]],
    );
  });

  it("survives the store's death: what was not committed is lost and counted, and the next store continues", async () => {
    await start();
    give(100);
    await exporter.flush(5000);
    give(50, 100);
    process.kill(exporter.pid!, "SIGKILL");
    await until("a warning", () => warnings.length > 0);
    assert.match(
      warnings[0]!,
      /the viewer's store has ended and will be restarted in 1 s: it ended with SIGKILL/,
    );
    balanced();
    const { acknowledged, lost } = exporter.counts("span");
    assert.deepEqual([acknowledged, lost.unconfirmed], [100, 50]);
    give(3, 200);
    assert.equal(exporter.counts("span").lost.unconfirmed, 53, "while none runs");
    reports = [];
    await until("the store to be ready", () => reports.some((report) => "ready" in report));
    give(7, 300);
    await exporter.flush(5000);
    balanced();
    assert.equal((await ask("connections?last=600")).total, 107);
  });

  it("never waits for a store that does not read: it keeps 8 MiB, and drops and counts the rest", async () => {
    await start();
    process.kill(exporter.pid!, "SIGSTOP");
    const before = process.memoryUsage().rss;
    give(60_000);
    balanced();
    const { queued, lost } = exporter.counts("span");
    assert.ok(lost.queue_full > 10_000, `${lost.queue_full} lost`);
    assert.ok(queued > 1000, `${queued} queued`);
    assert.ok(exporter.queue.bytes <= exporter.queue.limit);
    assert.ok(process.memoryUsage().rss - before < 64 * 1024 ** 2);
    process.kill(exporter.pid!, "SIGCONT");
    await exporter.flush(20_000);
    balanced();
    const { acknowledged } = exporter.counts("span");
    assert.equal((await ask("connections?last=600")).total, acknowledged);
    assert.equal(acknowledged + lost.queue_full, 60_000);
  });

  it("has no rights in the store: another user, no capabilities, a file only its owner can read", async () => {
    await start();
    const status = readFileSync(`/proc/${exporter.pid}/status`, "utf8");
    const uid = Number(/^Uid:\t(\d+)/m.exec(status)?.[1]);
    if (process.getuid!() === 0) assert.ok(uid >= 61_184 && uid < 65_520, `uid ${uid}`);
    else assert.equal(uid, process.getuid!());
    assert.match(status, /^CapEff:\t0+$/m);
    assert.match(status, /^Groups:\t *$/m);
    assert.equal(statSync(join(folder, "viewer.db")).mode & 0o777, 0o600);
  });

  it("reports an address that is in use, and still stores what it receives", async () => {
    await start();
    const other = exporter;
    const { port } = new URL(other.url!);
    const file = join(folder, "other.db");
    await start({ file, address: `127.0.0.1:${port}` });
    try {
      const problem = reports.find((report) => "problem" in report);
      assert.match(
        JSON.stringify(problem),
        /cannot be shown at 127\.0\.0\.1:\d+: it is in use; set viewer\.address/,
      );
      assert.equal(exporter.url, undefined);
      give(10);
      await exporter.flush(5000);
      assert.equal(exporter.counts("span").acknowledged, 10);
    } finally {
      await other.shutdown(2000);
    }
  });

  it("puts a damaged file aside, and reports it", async () => {
    await start();
    give(5000);
    await exporter.shutdown(5000);
    const file = join(folder, "viewer.db");
    // SQLite's log would repair it.
    rmSync(`${file}-wal`, { force: true });
    truncateSync(file, Math.floor(statSync(file).size / 2));
    await start();
    assert.match(
      JSON.stringify(reports[0]),
      /the viewer's file was (damaged|not readable).*it is kept as .*viewer\.db\.broken/,
    );
    assert.ok(existsSync(`${file}.broken`));
    give(10);
    await exporter.flush(5000);
    assert.equal(exporter.counts("span").acknowledged, 10);
  });

  it("does not touch a file that another agent writes, and takes it over when that one has ended", async () => {
    await start();
    give(10);
    await exporter.flush(5000);
    const other = exporter;
    const [said, problems]: [string[], Report[]] = [[], []];
    const log: Log = { error() {}, warn: (_, text) => said.push(text), info() {}, debug() {} };
    exporter = new LocalExporter("viewer", options, log, (report) => problems.push(report));
    await until("a warning", () => said.length > 0);
    assert.match(said[0]!, /another agent writes .*viewer\.db; set viewer\.file/);
    await other.shutdown(5000);
    await until("the file to be free", () => problems.some((report) => "ready" in report));
    assert.equal((await ask("connections?last=600")).total, 10);
  });

  it("continues in a new file when its file is removed", async () => {
    await start();
    give(10);
    await exporter.flush(5000);
    for (const end of ["", "-wal", "-shm"]) rmSync(join(folder, `viewer.db${end}`), { force: true });
    reports = [];
    await until("the next store", () => reports.some((report) => "ready" in report));
    assert.match(warnings[0]!, /viewer\.db was removed/);
    give(5, 100);
    await exporter.flush(5000);
    balanced();
    assert.equal((await ask("connections?last=600")).total, 5);
  });

  it("reports a full disk, drops and counts what it cannot write, and continues when there is room", async function () {
    needsRoot(this);
    const disk = join(folder, "disk");
    mkdirSync(disk, { mode: 0o755 });
    await output("mount", ["-t", "tmpfs", "-o", "size=2m,mode=755", "wirespan-test", disk]);
    try {
      await start({ file: join(disk, "viewer.db") });
      writeFileSync(join(disk, "others"), new Uint8Array(1_200_000));
      await until("the disk to be full", () => {
        give(2000, Math.floor(Math.random() * 1e9));
        return warnings.length > 0;
      });
      assert.match(warnings[0]!, /viewer\.db cannot be written: database or disk is full/);
      balanced();
      rmSync(join(disk, "others"));
      reports = [];
      await until("the next store", () => reports.some((report) => "ready" in report));
      await exporter.flush(5000);
      const before = exporter.counts("span").acknowledged;
      give(10);
      await exporter.flush(5000);
      balanced();
      assert.equal(exporter.counts("span").acknowledged, before + 10);
      await exporter.shutdown(5000);
    } finally {
      await exporter.shutdown(5000);
      await output("umount", [disk]);
    }
  });

  it("reports that there is no room for a recording, and stores on", async function () {
    needsRoot(this);
    const disk = join(folder, "disk");
    mkdirSync(disk, { mode: 0o755 });
    await output("mount", ["-t", "tmpfs", "-o", "size=6m,mode=755", "wirespan-test", disk]);
    try {
      await start({ file: join(disk, "viewer.db") });
      for (let i = 0; i < 5; i++) {
        give(10_000, 10_000 * i);
        await exporter.flush(5000);
      }
      const save = () => fetch(new URL("/api/v1/recording?last=600", exporter.url));
      const free = () => {
        const { bavail, bsize } = statfsSync(disk);
        return bavail * bsize;
      };
      const before = free();
      const saved = await save();
      assert.equal(saved.status, 200);
      const { byteLength } = await saved.arrayBuffer();
      await until("the copy to be removed", () => free() > before - byteLength / 4);
      writeFileSync(join(disk, "others"), new Uint8Array(free() - byteLength / 2));
      const refused = await save();
      const { error } = (await refused.json()) as { error: string };
      assert.deepEqual(
        [refused.status, error],
        [507, `there is no room for a recording next to ${disk}/viewer.db; choose a shorter range`],
      );
      give(10, 50_000);
      await exporter.flush(5000);
      assert.equal(exporter.counts("span").acknowledged, 50_010);
      assert.deepEqual(warnings, []);
      rmSync(join(disk, "others"));
      const again = await save();
      assert.equal(again.status, 200);
      assert.ok((await again.arrayBuffer()).byteLength >= byteLength);
    } finally {
      await exporter.shutdown(5000);
      await output("umount", [disk]);
    }
  });

  it("has correct counts after its store was killed repeatedly", async () => {
    await start();
    for (let i = 0; i < 3; i++) {
      give(500, 1000 * i);
      process.kill(exporter.pid!, "SIGKILL");
      reports = [];
      await until("the next store", () => reports.some((report) => "ready" in report));
      give(500, 1000 * i + 500);
      await exporter.flush(5000);
      balanced();
    }
    const { given, acknowledged } = exporter.counts("span");
    assert.equal(given, 3000);
    assert.equal((await ask("connections?last=600")).total, acknowledged);
    assert.ok(acknowledged >= 1500, `${acknowledged}`);
  });
});
