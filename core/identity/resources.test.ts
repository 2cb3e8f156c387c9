import assert from "node:assert/strict";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Resources } from "./resources.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

describe("Resources", () => {
  it("are one object for equal attributes, whatever their order, and cannot be changed", () => {
    const resources = new Resources();
    const one = resources.of({ a: 1, b: "x", c: ["y"] });
    assert.equal(resources.of({ c: ["y"], b: "x", a: 1 }), one);
    for (const other of [
      { a: "1", b: "x", c: ["y"] },
      { a: 1, b: "x" },
      { a: 1, b: "x", c: ["y", ""] },
    ]) {
      assert.notEqual(resources.of(other), one);
    }
    assert.throws(() => Object.assign(one.attributes, { a: 2 }), TypeError);
  });

  it("are unique while they are referenced, and are freed afterwards", async () => {
    const resources = new Resources();
    const held = resources.of({ held: 1 });
    const filler = "x".repeat(10_000);
    for (let i = 0; i < 500; i++) resources.of({ i, filler });
    // A WeakRef keeps its target until the end of the turn; finalizers run in a later one.
    await new Promise((resolve) => setTimeout(resolve));
    collectGarbage();
    const before = process.memoryUsage().heapUsed;
    for (let round = 0; round < 8; round++) {
      for (let i = 0; i < 500; i++) resources.of({ round, i, filler: `${filler}${round}${i}` });
      await new Promise((resolve) => setTimeout(resolve));
      collectGarbage();
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    collectGarbage();
    const grown = process.memoryUsage().heapUsed - before;
    assert.ok(grown < 10 * 1024 * 1024, `40 MB were named, ${grown} bytes stayed`);
    assert.equal(resources.of({ held: 1 }), held);
  });
});
