import assert from "node:assert/strict";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createExporters } from "../../../test/support/create-exporters.ts";
import { connectionSpan, dropEvent } from "../../../test/support/telemetry.ts";

const silent = { error() {}, warn() {}, info() {}, debug() {} };
const MIB = 1024 * 1024;

/** A port on which nothing listens. */
async function deadPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** Bytes in use after a full collection. */
async function used(): Promise<number> {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let i = 0; i < 3; i++) {
    collect();
    await delay(20);
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

describe("memory during an outage", () => {
  const make = async (queueBytes: number, path: "lean" | "sdk" = "lean") =>
    createExporters(
      {
        dead: {
          type: "otlp_grpc",
          path,
          endpoint: `http://127.0.0.1:${await deadPort()}`,
          headers: {},
          tls: {},
          compression: "gzip",
          timeoutMs: 1000,
          queueBytes,
          signals: ["traces", "logs"],
        },
      },
      silent,
    );

  it("is bounded by the queue, however much arrives", async () => {
    const fanout = await make(4 * MIB);
    const feed = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        fanout.span(connectionSpan(i * 7919));
        if (i % 512 === 511) await delay(1);
      }
    };
    await feed(5000);
    const before = await used();
    await feed(60_000);
    const full = await used();
    await feed(60_000);
    const later = await used();
    const { lost } = fanout.exporters[0]!.counts("span");
    await fanout.shutdown(0);
    assert.ok(lost.queue_full > 0, "the queue has been full");
    assert.ok(full - before < 6 * MIB, `${(full - before) / MIB} MiB`);
    assert.ok(later - full < 4 * MIB, `${(later - full) / MIB} MiB more`);
  });

  it("is about what the queue counts for the SDK's objects", async () => {
    const fanout = await make(24 * MIB, "sdk");
    for (let i = 0; i < 1000; i++) fanout.span(connectionSpan(i));
    const [before, queued] = [await used(), fanout.exporters[0]!.queue.bytes];
    for (let i = 0; i < 5120; i++) fanout.span(connectionSpan(i * 7919));
    for (let i = 0; i < 5120; i++) fanout.event(dropEvent(i));
    const [grown, charged] = [(await used()) - before, fanout.exporters[0]!.queue.bytes - queued];
    await fanout.shutdown(0);
    assert.ok(grown < 1.3 * charged + MIB, `${grown / MIB} MiB for ${charged / MIB}`);
    assert.ok(grown > 0.6 * charged - MIB, `${grown / MIB} MiB for ${charged / MIB}`);
  });

  it("is what the queue counts, also for very small requests", async () => {
    const fanout = await make(4 * MIB);
    const before = await used();
    for (let i = 0; i < 3000; i++) {
      fanout.event(dropEvent(i));
      await fanout.flush(0);
    }
    const grown = (await used()) - before;
    const { bytes } = fanout.exporters[0]!.queue;
    const { queued } = fanout.exporters[0]!.counts("event");
    await fanout.shutdown(0);
    assert.equal(queued, 3000);
    assert.ok(grown < 1.5 * bytes + MIB, `${grown / MIB} MiB for ${bytes / MIB}`);
  });
});
