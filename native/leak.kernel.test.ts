import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { loadedPrograms } from "../test/support/bpf-programs.ts";
import { native } from "./index.ts";
import { fixtureBytes, load, produce } from "./test/fixture.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

function openFiles(): number {
  return readdirSync("/proc/self/fd").length;
}

const before = loadedPrograms();

/** The programs of `useAll` that the kernel has, but did not have at first. */
function alive(): string[] {
  return [...loadedPrograms().difference(before)].filter((line) => /_(produce|fixture_state)\t/.test(line));
}

/** The kernel frees programs after a grace period. */
async function assertGone(): Promise<void> {
  for (let tries = 0; tries < 50 && alive().length > 0; tries++) await sleep(100);
  assert.deepEqual(alive(), []);
}

/** Loads, attaches and uses one of everything; the caller closes it or drops it. */
async function useAll() {
  const object = await native.load("fixture", fixtureBytes(), { programs: ["produce", "fixture_state"] });
  object.attach("fixture_state");
  const ring = native.openRing(object.map("ring"), 4096);
  const waker = native.createWaker(() => {});
  waker.add(ring);
  produce(object, { first: 0, records: 10 });
  ring.drain(() => {});
  return { object, ring, waker };
}

describe("the addon", () => {
  it("leaves no file, no program and no memory behind after 1,000 rounds", async () => {
    const round = async () => {
      const { object, ring, waker } = await useAll();
      waker.close();
      ring.close();
      object.close();
    };
    const rounds = async (count: number) => {
      for (let i = 0; i < count; i++) await round();
      collect();
      await sleep(10);
      return process.memoryUsage.rss() / 2 ** 20;
    };
    let memory = await rounds(200);
    const files = openFiles();
    const growths: number[] = [];
    for (let i = 0; i < 4; i++) {
      const now = await rounds(250);
      growths.push(now - memory);
      memory = now;
    }
    assert.equal(openFiles(), files);
    // A leak grows each time, V8's heap only sometimes.
    assert.ok(Math.min(...growths) < 0.5, `grew by ${growths.map((mib) => mib.toFixed(1)).join(", ")} MiB`);
    await assertGone();
  });

  it("leaves nothing behind after failed loads", async () => {
    const fail = () => assert.rejects(load(["fixture_state", "broken"]), { program: "broken" });
    await fail();
    const files = openFiles();
    for (let i = 0; i < 50; i++) await fail();
    assert.equal(openFiles(), files);
  });

  it("frees what is garbage-collected without having been closed", async () => {
    collect();
    await sleep(10);
    const files = openFiles();
    for (let i = 0; i < 20; i++) await useAll();
    assert.ok(openFiles() >= files + 20);
    assert.ok(alive().length > 0);
    for (let tries = 0; tries < 50 && openFiles() > files; tries++) {
      collect();
      await sleep(10);
    }
    assert.equal(openFiles(), files);
    await assertGone();
  });

  it("keeps a map usable whose object was dropped but not closed", async () => {
    const table = await load([]).then((object) => object.map("table"));
    for (let i = 0; i < 5; i++) {
      collect();
      await sleep(5);
    }
    table.update(Uint8Array.of(1, 0, 0, 0), new Uint8Array(8));
    assert.equal(table.read(new Uint8Array(4), new Uint8Array(8)), 1);
  });
});
