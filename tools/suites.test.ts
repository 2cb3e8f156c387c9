import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { join, matchesGlob } from "node:path";
import { suites } from "./suites.ts";

describe("the suites", () => {
  it("contain every test file", () => {
    const all = globSync("**/*.test.{ts,js,mjs}", {
      cwd: join(import.meta.dirname, ".."),
      exclude: ["**/node_modules/**", "**/dist/**"],
    });
    const isRun = (file: string) =>
      Object.values(suites).some(
        ({ files, except }) =>
          files.some((glob) => matchesGlob(file, glob)) && !except.some((glob) => matchesGlob(file, glob)),
      );
    assert.ok(all.length > 200);
    assert.deepEqual(
      all.filter((file) => !isRun(file)),
      [],
    );
  });
});
