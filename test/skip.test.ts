import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Report } from "./reporter.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

async function report(tests: string): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), "wirespan-skip-"));
  try {
    const file = join(folder, "some.test.ts");
    const out = join(folder, "report.json");
    await writeFile(file, `import { skip } from "${root}test/skip.ts";\n${tests}`);
    const mocha: ChildProcess = spawn(
      process.execPath,
      [
        `${root}node_modules/mocha/bin/mocha.js`,
        `--reporter=${root}test/reporter.ts`,
        `--reporter-option=report=${out}`,
        file,
      ],
      { cwd: root, stdio: "ignore" },
    );
    await once(mocha, "exit");
    return JSON.parse(await readFile(out, "utf8")) as Report;
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe("skip", () => {
  it("names the reason of a test and of a whole suite", async () => {
    const { passed, skips } = await report(`
      describe("one", () => {
        it("is left out", function () { skip(this, "no such kernel"); });
        it("runs", () => {});
      });
      describe("two", () => {
        before(function () { skip(this, "needs root"); });
        it("is left out too", () => {});
      });
      describe("three", () => {
        beforeEach(function () { if (this.currentTest.title === "a") skip(this, "not a"); });
        it("a", () => {});
        it("b", () => {});
      });`);
    assert.equal(passed, 2);
    assert.deepEqual(skips, [
      { title: "one is left out", reason: "no such kernel" },
      { title: "two is left out too", reason: "needs root" },
      { title: "three a", reason: "not a" },
    ]);
  });

  it("leaves a skip without a reason nameless, for the runner to refuse", async () => {
    const { skips } = await report(`it("is forgotten"); it("fails", () => { throw new Error("x"); });`);
    assert.deepEqual(skips, [{ title: "is forgotten", reason: "" }]);
  });
});
