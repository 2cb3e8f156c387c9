import assert from "node:assert/strict";
import { LruCache } from "./lru.ts";

describe("a bounded cache", () => {
  it("never holds more than its limit and keeps the newer half", () => {
    const cache = new LruCache<number, string>(10);
    for (let i = 0; i < 1000; i++) {
      cache.set(i, `v${i}`);
      assert.ok(cache.size <= 10);
      for (let j = Math.max(0, i - 4); j <= i; j++) assert.equal(cache.get(j), `v${j}`);
    }
    assert.equal(cache.get(0), undefined);
  });

  it("keeps what is used again and again", () => {
    const cache = new LruCache<number, string>(10);
    cache.set(-1, "kept");
    for (let i = 0; i < 1000; i++) {
      cache.set(i, "passing");
      if (i % 4 === 0) assert.equal(cache.get(-1), "kept");
    }
  });

  it("replaces a value without growing, whichever generation holds it", () => {
    const cache = new LruCache<number, number>(4);
    for (let i = 0; i < 100; i++) cache.set(i % 2, i);
    assert.equal(cache.size, 2);
    assert.equal(cache.get(1), 99);
    cache.set(2, 2);
    cache.set(0, 100);
    assert.equal(cache.get(0), 100);
    assert.equal(cache.size, 3);
  });
});
