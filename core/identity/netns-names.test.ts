import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NetnsNames } from "./netns-names.ts";

describe("names of network namespaces", () => {
  let folder = "";
  const bind = (name: string): number => {
    writeFileSync(join(folder, name), "");
    return statSync(join(folder, name)).ino;
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "wirespan-netns-"));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("are those of the files that they are bound to", () => {
    const blue = bind("blue");
    const names = new NetnsNames(() => 7, ["/nowhere", folder]);
    assert.equal(names.of(7, blue), "blue");
    assert.deepEqual(names.attributes(7, blue), {
      "wirespan.netns.cookie": 7,
      "wirespan.netns.inode": blue,
      "wirespan.netns.name": "blue",
    });
    assert.equal(names.of(8, blue + 1000), undefined);
  });

  it("are not those of a namespace that previously had the inode", () => {
    const inode = bind("gone");
    const names = new NetnsNames(() => 7, [folder]);
    assert.equal(names.of(8, inode), undefined);
  });

  it("are found by inode if the namespace cannot be entered", () => {
    const inode = bind("blue");
    const names = new NetnsNames(() => {
      throw new Error("EPERM");
    }, [folder]);
    assert.equal(names.of(8, inode), "blue");
  });

  it("do not change after they were first looked up", () => {
    const names = new NetnsNames(() => 7, [folder]);
    const inode = bind("blue");
    assert.equal(names.of(7, inode + 1000), undefined);
    assert.equal(names.of(7, inode), undefined, "no series becomes another");
    assert.equal(names.of(9, inode), undefined);
    const others = new NetnsNames(() => 7, [folder]);
    assert.equal(others.of(7, inode), "blue");
    rmSync(join(folder, "blue"));
    assert.equal(others.of(7, inode), "blue");
  });
});
