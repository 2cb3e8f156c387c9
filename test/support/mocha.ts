// Runs mocha on tests that are given as text, for tests of the test runner.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Report } from "./reporter.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Mocha's report on these tests, which may import from `test/` through `ROOT`. */
export async function report(tests: string): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), "wirespan-mocha-"));
  try {
    const file = join(folder, "some.test.ts");
    const out = join(folder, "report.json");
    await writeFile(file, tests.replaceAll("ROOT/", root));
    const mocha: ChildProcess = spawn(
      process.execPath,
      [
        `${root}node_modules/mocha/bin/mocha.js`,
        `--reporter=${root}test/support/reporter.ts`,
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
