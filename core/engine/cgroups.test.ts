import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WatchedCgroups } from "./cgroups.ts";

describe("watched cgroups", () => {
  let mount = "";
  let cgroups: WatchedCgroups;
  const idOf = (path: string): number => statSync(join(mount, path)).ino;
  const numbered = (from: number, to: number): string[] =>
    Array.from({ length: to - from }, (_, i) => `/c${from + i}`);

  beforeEach(() => {
    mount = mkdtempSync(join(tmpdir(), "wirespan-cgroups-"));
    for (const path of [...numbered(0, 20), "/a", "/a/b"]) mkdirSync(join(mount, path));
    cgroups = new WatchedCgroups(mount);
  });
  afterEach(() => rmSync(mount, { recursive: true }));

  it("have one slot each, however their paths are written", () => {
    assert.deepEqual(cgroups.watch(["/a", "/a/b/", "a", "/"]), [0, 1, 2]);
    assert.deepEqual(cgroups.all, [
      { path: "a", id: idOf("a"), level: 1 },
      { path: "a/b", id: idOf("a/b"), level: 2 },
      { path: "", id: idOf(""), level: 0 },
    ]);
    assert.equal(cgroups.index("//a/b"), 1);
    assert.deepEqual(new Set(cgroups.below(0)), new Set([idOf("a"), idOf("a/b")]));
  });

  it("reuse the slots of those that are no longer requested", () => {
    cgroups.watch(numbered(0, 16));
    assert.deepEqual(cgroups.watch(["/c3", "/c16"], ["/c0", "/c3"]), [1]);
    assert.equal(cgroups.index("/c16"), 1);
    assert.equal(cgroups.index("/c0"), 0);
    assert.equal(cgroups.index("/c3"), 3);
  });

  it("are limited to the number of slots; a request for more changes nothing", () => {
    cgroups.watch(numbered(0, 10));
    const before = cgroups.all;
    for (const paths of [numbered(10, 17), ["/c10", "/none"]])
      assert.throws(() => cgroups.watch(paths, numbered(0, 10)), { code: "CONFIG_INVALID" });
    assert.equal(cgroups.all, before);
  });

  it("are found again after one was re-created", () => {
    cgroups.watch(["/c0", "/c1"]);
    // The old one stays, so that the new one cannot get its inode.
    renameSync(join(mount, "c1"), join(mount, "old"));
    mkdirSync(join(mount, "c1"));
    assert.deepEqual(cgroups.watch(["/c0", "/c1"], ["/c0", "/c1"]), [1]);
    assert.equal(cgroups.all[1]?.id, idOf("c1"));
  });
});
