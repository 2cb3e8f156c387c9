import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import packageJson from "../../package.json" with { type: "json" };

const { version } = packageJson;
const read = (file: string) => readFileSync(join(import.meta.dirname, "../..", file), "utf8");

describe("the version", () => {
  it("is the same in every package and the newest in the changelog", () => {
    const stated = {
      "package-lock.json": /^ {2}"version": "(.*)"/m,
      "correlate/node/package.json": /^ {2}"version": "(.*)"/m,
      "correlate/node/package-lock.json": /^ {2}"version": "(.*)"/m,
      "correlate/python/pyproject.toml": /^version = "(.*)"/m,
      "CHANGELOG.md": /^## (\d\S*) - \d{4}-\d\d-\d\d$/m,
    };
    for (const [file, pattern] of Object.entries(stated))
      assert.equal(pattern.exec(read(file))?.[1], version, file);
  });
});
