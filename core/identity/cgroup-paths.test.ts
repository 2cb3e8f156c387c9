import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CgroupPaths, cgroup2Mount } from "./cgroup-paths.ts";

describe("cgroup paths by id", () => {
  let mount = "";
  beforeEach(() => {
    mount = mkdtempSync(join(tmpdir(), "wirespan-cgroup-"));
  });
  afterEach(() => rmSync(mount, { recursive: true }));

  function make(path: string): number {
    mkdirSync(join(mount, path), { recursive: true });
    return statSync(join(mount, path)).ino;
  }

  it("are found by a walk, at any depth", () => {
    const deep = make("/kubepods/burstable/pod1/c1");
    const root = statSync(mount).ino;
    const paths = new CgroupPaths(mount);
    assert.equal(paths.path(deep), "/kubepods/burstable/pod1/c1");
    assert.equal(paths.path(root), "/");
  });

  it("stay known when the cgroup is gone", () => {
    const id = make("/a");
    const paths = new CgroupPaths(mount);
    paths.learn(id, "/a");
    rmSync(join(mount, "a"), { recursive: true });
    assert.equal(paths.path(id), "/a");
  });

  it("are learned only if they belong to the id", () => {
    const a = make("/a");
    make("/b");
    const paths = new CgroupPaths(mount);
    paths.learn(a, "/b");
    paths.learn(a, "/nowhere");
    paths.learn(a, "/../../elsewhere");
    assert.equal(paths.path(a), "/a");
  });

  it("are not looked up again after a walk has not found them", () => {
    const paths = new CgroupPaths(mount, { pause: 0 });
    assert.equal(paths.path(1e15), undefined);
    const later = make("/later");
    assert.equal(paths.path(1e15), undefined);
    const another = make("/another");
    rmSync(join(mount, "later"), { recursive: true });
    assert.equal(paths.path(later), undefined, "the second question made a walk");
    assert.equal(paths.path(another), "/another", "another id is looked for");
    assert.equal(paths.path(0), undefined);
  });

  it("are not looked up until enough time has passed since the last walk", () => {
    const paths = new CgroupPaths(mount, { pause: Number.POSITIVE_INFINITY });
    assert.equal(paths.path(1e15), undefined);
    assert.equal(paths.path(make("/a")), undefined);
  });

  it("are found within a bounded number of directories", () => {
    const near = make("/a");
    const far = make("/a/b/c/d");
    const paths = new CgroupPaths(mount, { directories: 3, pause: 0 });
    assert.equal(paths.path(far), undefined);
    assert.equal(paths.path(near), "/a");
  });

  it("are unknown if cgroup v2 is not mounted", () => {
    const paths = new CgroupPaths(undefined);
    paths.learn(1, "/");
    assert.equal(paths.path(1), undefined);
  });

  it("are below the mount point in mountinfo, that of the whole hierarchy first", () => {
    const file = join(mount, "mountinfo");
    writeFileSync(
      file,
      [
        "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw",
        "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd",
        "41 31 0:38 /part /elsewhere rw shared:4 - cgroup2 cgroup2 rw",
        "42 31 0:38 / /with\\040blank rw shared:5 master:6 - cgroup2 cgroup2 rw,nsdelegate",
        "",
      ].join("\n"),
    );
    assert.equal(cgroup2Mount(file), "/with blank");
    writeFileSync(file, "41 31 0:38 /part /elsewhere rw - cgroup2 cgroup2 rw\n");
    assert.equal(cgroup2Mount(file), "/elsewhere");
    writeFileSync(file, "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n");
    assert.equal(cgroup2Mount(file), undefined);
  });
});
