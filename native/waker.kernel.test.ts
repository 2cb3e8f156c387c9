import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { setImmediate as afterPoll, setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { native } from "./index.ts";
import { load, produce } from "./test/fixture.ts";

const run = promisify(execFile);
const face = new URL("index.ts", import.meta.url).href;

/** Runs a module in a separate Node; rejects if it fails or has not ended after 10 s. */
function child(source: string): Promise<{ stdout: string; stderr: string }> {
  const code = `import { native } from ${JSON.stringify(face)};\n${source}`;
  return run(process.execPath, ["--input-type=module", "-e", code], { timeout: 10_000 });
}

/** Until a wake-up would have come: a busy machine may run the timer before the loop has polled once. */
async function settled(): Promise<void> {
  await sleep(50);
  await afterPoll();
}

describe("Waker", () => {
  it("wakes when a record forces it, and only then", async () => {
    using object = await load(["produce"]);
    const ring = native.openRing(object.map("ring"));
    let wakes = 0;
    const waker = native.createWaker(() => wakes++);
    waker.add(ring);
    produce(object, { first: 0, records: 10 });
    await settled();
    assert.equal(wakes, 0);
    produce(object, { first: 10, records: 10, wake: true });
    await settled();
    assert.equal(wakes, 1);
    produce(object, { first: 20, records: 10 });
    await settled();
    assert.equal(wakes, 1, "what waits unread is no wake-up");
    assert.equal(
      ring.drain(() => {}),
      30,
    );
    produce(object, { first: 30, records: 1, wake: true });
    await settled();
    assert.equal(wakes, 2);
    waker.close();
    ring.close();
  });

  it("watches several rings and forgets one that is removed or closed", async () => {
    using one = await load(["produce"]);
    using two = await load(["produce"]);
    const [first, second] = [native.openRing(one.map("ring")), native.openRing(two.map("ring"))];
    let wakes = 0;
    const waker = native.createWaker(() => wakes++);
    const wake = async (object: typeof one) => {
      produce(object, { first: 0, records: 1, wake: true });
      await settled();
      return wakes;
    };
    waker.add(first);
    waker.add(second);
    assert.deepEqual([await wake(one), await wake(two)], [1, 2]);
    waker.remove(first);
    waker.remove(first);
    assert.deepEqual([await wake(one), await wake(two)], [2, 3]);
    second.close();
    assert.equal(await wake(two), 3);
    first.drain(() => {});
    waker.add(first);
    assert.throws(() => waker.add(second), { code: "EBADF", step: "add ring" });
    assert.equal(await wake(one), 4);
    waker.close();
    waker.close();
    assert.equal(await wake(one), 4);
    assert.throws(() => waker.add(first), { code: "EBADF" });
    first.close();
  });

  it("lets its callback close everything", async () => {
    using object = await load(["produce"]);
    const ring = native.openRing(object.map("ring"));
    let wakes = 0;
    const waker = native.createWaker(() => {
      wakes++;
      ring.close();
      waker.close();
    });
    waker.add(ring);
    produce(object, { first: 0, records: 1, wake: true });
    await settled();
    assert.equal(wakes, 1);
  });

  it("keeps the process alive until it is closed and no longer", async () => {
    const { stdout } = await child(`
      const waker = native.createWaker(() => {});
      process.on("exit", () => console.log("gone"));
      setTimeout(() => { console.log("closing"); waker.close(); }, 100).unref();
    `);
    assert.equal(stdout, "closing\ngone\n");
  });

  // A ring without references may be collected before it wakes anyone: the handler refers to it.
  it("passes on what its callback throws as an uncaught exception", async () => {
    const { stdout } = await child(`
      import { load, produce } from ${JSON.stringify(new URL("test/fixture.ts", import.meta.url).href)};
      const object = await load(["produce"]);
      const ring = native.openRing(object.map("ring"));
      const waker = native.createWaker(() => { throw new Error("from the callback"); });
      process.on("uncaughtException", (error) => { console.log(error.message); waker.close(); ring.close(); });
      waker.add(ring);
      produce(object, { first: 0, records: 1, wake: true });
    `);
    assert.equal(stdout, "from the callback\n");
  });

  it("ends with its thread", async () => {
    const { stdout } = await child(`
      import { Worker } from "node:worker_threads";
      import { once } from "node:events";
      const source = \`
        const { native } = await import(${JSON.stringify(face)});
        globalThis.waker = native.createWaker(() => {});
        native.onMessage(() => {});
        (await import("node:worker_threads")).parentPort.postMessage("up");
      \`;
      for (let i = 0; i < 5; i++) {
        const worker = new Worker("(async () => {" + source + "})()", { eval: true });
        await once(worker, "message");
        await worker.terminate();
      }
      await native.load("none", new Uint8Array(3), { programs: [] }).catch((error) => console.log(error.code));
    `);
    assert.equal(stdout, "ENOEXEC\n");
  });
});
