// Runs the Python package's own tests, in tests/.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { hasOpenssl } from "../../test/support/certificates.ts";
import { skip } from "../../test/support/skip.ts";

const api = join(import.meta.dirname, "../../node_modules/.cache/wirespan/python");

describe("correlate/python", () => {
  it("passes its own tests, with warnings as errors", function () {
    if (spawnSync("python3", ["--version"]).status !== 0) skip(this, "no python3 on this machine");
    if (!hasOpenssl()) skip(this, "no openssl on this machine");
    const { status, stderr } = spawnSync(
      "python3",
      ["-B", "-X", "dev", "-W", "error", "-m", "unittest", "-v"],
      { cwd: import.meta.dirname, encoding: "utf8", env: { ...process.env, WIRESPAN_TEST_PYTHON: api } },
    );
    assert.equal(status, 0, stderr);
    const skipped = [...stderr.matchAll(/^(\S+) .*skipped '(.*)'$/gm)];
    if (skipped.length > 0) skip(this, skipped.map(([, test, why]) => `${test}: ${why}`).join("; "));
    assert.match(stderr, /^Ran [1-9]\d* tests in/m);
  });
});
