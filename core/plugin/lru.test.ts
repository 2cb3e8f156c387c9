import assert from "node:assert/strict";
import { LruCache } from "./lru.ts";

describe("a bounded cache", () => {
  it("never exceeds its limit and keeps the newer half", () => {
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

  it("is bounded by bytes if sizes are known", () => {
    const cache = new LruCache<number, string>(1000, (_, text) => text.length);
    const kept = () =>
      Array.from({ length: 500 }, (_, i) => cache.get(i)?.length ?? 0).reduce((a, b) => a + b);
    for (let i = 0; i < 500; i++) cache.set(i, "x".repeat(1 + ((i * 37) % 200)));
    assert.equal(cache.get(499)?.length, 1 + ((499 * 37) % 200));
    const bytes = kept();
    assert.ok(bytes <= 1000 && bytes > 300, `${bytes} bytes`);
    // A value that has grown counts with its current size.
    for (let i = 0; i < 100; i++) cache.set(1000, "x".repeat(i));
    cache.set(1001, "x".repeat(350));
    assert.ok(cache.get(1000));
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
