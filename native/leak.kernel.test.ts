import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { skip } from "../test/skip.ts";
import { native } from "./index.ts";
import { fixtureBytes, load, produce } from "./test/fixture.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

function openFiles(): number {
  return readdirSync("/proc/self/fd").length;
}

/** Which of these programs the kernel still has. */
function alive(ids: ReadonlySet<number>): number[] {
  const programs = JSON.parse(execFileSync("bpftool", ["-j", "prog", "show"], { encoding: "utf8" })) as {
    id: number;
  }[];
  return programs.map(({ id }) => id).filter((id) => ids.has(id));
}

/** The kernel frees programs after a grace period. */
async function assertGone(ids: ReadonlySet<number>): Promise<void> {
  for (let tries = 0; tries < 50 && alive(ids).length > 0; tries++) await sleep(100);
  assert.deepEqual(alive(ids), []);
}

/** Loads, attaches and uses one of everything; the caller closes it or lets it go. */
async function useAll(ids: Set<number>) {
  const object = await native.load("fixture", fixtureBytes(), { programs: ["produce", "on_state"] });
  for (const { id } of object.programs()) ids.add(id);
  object.attach("on_state");
  const ring = native.openRing(object.map("ring"), 4096);
  const waker = native.createWaker(() => {});
  waker.add(ring);
  produce(object, { first: 0, records: 10 });
  ring.drain(() => {});
  return { object, ring, waker };
}

describe("the addon", () => {
  before(function () {
    try {
      execFileSync("bpftool", ["version"], { stdio: "ignore" });
    } catch {
      skip(this, "needs bpftool to list the kernel's programs");
    }
  });

  it("leaves no file, no program and no memory behind after 1,000 rounds", async function () {
    this.timeout(120_000);
    const ids = new Set<number>();
    const round = async () => {
      const { object, ring, waker } = await useAll(ids);
      waker.close();
      ring.close();
      object.close();
    };
    for (let i = 0; i < 200; i++) await round();
    collect();
    await sleep(10);
    const files = openFiles();
    const memory = process.memoryUsage.rss();
    for (let i = 0; i < 1000; i++) await round();
    collect();
    await sleep(10);
    assert.equal(openFiles(), files);
    const growth = (process.memoryUsage.rss() - memory) / 2 ** 20;
    assert.ok(growth < 4, `grew by ${growth.toFixed(1)} MiB`);
    assert.equal(ids.size, 2400);
    await assertGone(ids);
  });

  it("leaves none after failed loads", async () => {
    const fail = () => assert.rejects(load(["on_state", "broken"]), { program: "broken" });
    await fail();
    const files = openFiles();
    for (let i = 0; i < 50; i++) await fail();
    assert.equal(openFiles(), files);
  });

  it("frees what is collected without having been closed", async () => {
    const ids = new Set<number>();
    collect();
    await sleep(10);
    const files = openFiles();
    for (let i = 0; i < 20; i++) await useAll(ids);
    assert.ok(openFiles() >= files + 20);
    for (let tries = 0; tries < 50 && openFiles() > files; tries++) {
      collect();
      await sleep(10);
    }
    assert.equal(openFiles(), files);
    await assertGone(ids);
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
