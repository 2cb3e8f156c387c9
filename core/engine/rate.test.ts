import assert from "node:assert/strict";
import { Rate } from "./rate.ts";

describe("a rate limit", () => {
  it("admits one second's worth at once and the same each second after, and counts both", () => {
    let now = 1000;
    const rate = new Rate(200, () => now);
    const admitted = (calls: number) =>
      Array.from({ length: calls }, () => rate.admits()).filter(Boolean).length;
    assert.equal(admitted(1000), 200);
    now += 500;
    assert.equal(admitted(1000), 100);
    now += 60_000;
    assert.equal(admitted(1000), 200);
    assert.deepEqual([rate.admitted, rate.refused], [500, 2500]);
  });

  it("of zero admits nothing", () => {
    assert.equal(new Rate(0).admits(), false);
  });
});
