import assert from "node:assert/strict";
import { report } from "./mocha.ts";

describe("skip", () => {
  it("names the reason of a test and of a whole suite", async () => {
    const { passed, skips } = await report(`
      import { skip } from "ROOT/test/support/skip.ts";
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

  it("leaves a skip without a reason unnamed, so that the runner refuses it", async () => {
    const { skips } = await report(`it("is forgotten"); it("fails", () => { throw new Error("x"); });`);
    assert.deepEqual(skips, [{ title: "is forgotten", reason: "" }]);
  });
});
