import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");

describe("the container's library", () => {
  it("is loaded as one file that set-up has made", () => {
    execFileSync(process.execPath, ["tools/bundle.ts"], { cwd: root });
    const code = `
      const { Container, token } = await import("./core/base/container.ts");
      const A = token("a");
      const value = new Container().provide(A, () => ({})).child().resolve(A);
      const { createRequire } = await import("node:module");
      const files = Object.keys(createRequire(import.meta.url).cache);
      console.log(JSON.stringify({ value, files }));`;
    const text = execFileSync(process.execPath, ["--input-type=module", "-e", code], {
      cwd: root,
      encoding: "utf8",
    });
    const { value, files } = JSON.parse(text) as { value: unknown; files: string[] };
    assert.deepEqual(value, {});
    assert.deepEqual(files, [join(root, "node_modules/.cache/wirespan/tsyringe.cjs")]);
  });

  it("is the package's own", () => {
    const require = createRequire(import.meta.url);
    const { version } = require("tsyringe/package.json") as { version: string };
    const { dependencies } = require("../package.json") as { dependencies: Record<string, string> };
    assert.equal(version, dependencies.tsyringe);
  });
});
