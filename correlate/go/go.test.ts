// Runs the Go module's own tests, the _test.go files in this folder.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { skip } from "../../test/support/skip.ts";

const cwd = import.meta.dirname;

function go(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync("go", args, {
    cwd,
    encoding: "utf8",
    env: { ...process.env, CGO_ENABLED: "0" },
  });
  assert.equal(status, 0, `${stdout}${stderr}`);
  return stdout;
}

describe("correlate/go", () => {
  before(function () {
    if (spawnSync("go", ["version"]).status !== 0) skip(this, "no go on this machine");
  });

  it("passes its own tests", () => {
    const said = go("test", "-count=1", "-v", "./...");
    assert.match(said, /^--- PASS: /m);
    assert.doesNotMatch(said, /--- SKIP/);
  });

  it("compiles for systems other than Linux", () => {
    // Files named on the command line are compiled whatever system they are for; other.go is for all but Linux.
    go("vet", ...globSync("*.go", { cwd, exclude: ["*_linux.go", "*_test.go"] }));
  });
});
