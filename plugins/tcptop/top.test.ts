import assert from "node:assert/strict";
import fc from "fast-check";
import { type Share, Top } from "./top.ts";

const at = (sec: number) => sec * 1e9;
const names = (top: Top<string>) => top.shares.map(({ who }) => who).sort();

/** One collection in which these processes sent these bytes. */
function collect(top: Top<string>, sec: number, sent: Readonly<Record<string, number>>): void {
  for (const [who, bytes] of Object.entries(sent)) top.add(who, who, { sent: bytes, received: 0 });
  top.settle(at(sec));
}

describe("tcptop's processes with the most traffic", () => {
  it("have a series each, largest first, and all others share one", () => {
    const top = new Top<string>(2);
    collect(top, 1, { small: 1, large: 30, middle: 20, idle: 0 });
    assert.deepEqual(names(top), ["large", "middle"]);
    assert.deepEqual(top.rest, { sent: 1, received: 0 });
  });

  it("start at zero, at the collection before their first", () => {
    const top = new Top<string>(2);
    collect(top, 1, { a: 5 });
    collect(top, 2, { b: 7 });
    assert.deepEqual(
      top.shares.map(({ who, startNs, sent }) => [who, startNs, sent]),
      [
        ["a", undefined, 5],
        ["b", at(1), 7],
      ],
    );
  });

  it("are replaced by a process with more than twice their traffic, which starts at zero", () => {
    const top = new Top<string>(1);
    collect(top, 1, { a: 100 });
    collect(top, 2, { a: 100, b: 199 });
    assert.deepEqual([names(top), top.rest.sent], [["a"], 199]);
    collect(top, 3, { a: 100, b: 201 });
    assert.deepEqual(names(top), ["b"]);
    assert.deepEqual([top.shares[0]?.sent, top.shares[0]?.startNs], [201, at(2)]);
    assert.equal(top.rest.sent, 299, "b's bytes of before, and a's of the collection that it left in");
  });

  it("start over when they return", () => {
    const top = new Top<string>(1);
    collect(top, 1, { a: 100 });
    collect(top, 2, { b: 1000 });
    collect(top, 3, { a: 9000 });
    assert.deepEqual([names(top), top.shares[0]?.sent, top.shares[0]?.startNs], [["a"], 9000, at(2)]);
  });

  it("lose their series after five minutes without traffic, however often it is read", () => {
    const top = new Top<string>(5);
    collect(top, 1, { a: 100 });
    for (let i = 0; i < 1000; i++) collect(top, 2, { a: 0 });
    collect(top, 300, {});
    assert.deepEqual(names(top), ["a"]);
    collect(top, 301, {});
    assert.deepEqual(names(top), []);
    assert.equal(top.rest.sent, 0);
  });

  it("are compared by recent traffic, not by one moment", () => {
    const top = new Top<string>(1);
    collect(top, 1, { steady: 1000 });
    for (let i = 2; i < 100; i++) collect(top, i, { steady: 1000 });
    top.add("b", "b", { sent: 1900, received: 0 });
    top.settle(at(99.001));
    assert.deepEqual(names(top), ["steady"]);
    collect(top, 400, { b: 1000 });
    assert.deepEqual(names(top), ["b"], "steady has slept for five minutes");
  });

  it("lose no byte, and no sum decreases, as processes come and go", () => {
    const moved = fc.dictionary(fc.constantFrom("a", "b", "c", "d", "e", "f"), fc.nat(1000));
    const run = (limit: number, collections: readonly Readonly<Record<string, number>>[]) => {
      const top = new Top<string>(limit);
      const ended: number[] = [];
      let before: readonly Share<string>[] = [];
      let rest = 0;
      let total = 0;
      for (const [i, sent] of collections.entries()) {
        collect(top, i + 1, sent);
        total += Object.values(sent).reduce((sum, bytes) => sum + bytes, 0);
        const shares = top.shares.map((share) => ({ ...share }));
        assert.ok(shares.length <= limit);
        for (const old of before) {
          const now = shares.find(({ who, startNs }) => who === old.who && startNs === old.startNs);
          if (now) assert.ok(now.sent >= old.sent);
          else ended.push(old.sent);
        }
        assert.ok(top.rest.sent >= rest);
        rest = top.rest.sent;
        before = shares;
        const living = shares.reduce((sum, share) => sum + share.sent, 0);
        const past = ended.reduce((sum, bytes) => sum + bytes, 0);
        assert.equal(living + past + rest, total);
      }
    };
    fc.assert(fc.property(fc.integer({ min: 1, max: 4 }), fc.array(moved, { maxLength: 80 }), run));
  });
});
