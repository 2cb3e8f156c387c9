import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { KINDS } from "./kinds.ts";

describe("the table of kinds of processes", () => {
  for (const [key, { test }] of Object.entries(KINDS)) {
    it(`has a test that runs ${key}`, () => {
      const text = readFileSync(join(import.meta.dirname, "../system", `${test}.kernel.test.ts`), "utf8");
      assert.match(text, new RegExp(`\\b${key}: \\(\\)|kind: "${key}"`));
    });
  }
});
