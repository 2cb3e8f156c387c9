import assert from "node:assert/strict";
import { Container, token } from "./container.ts";

const A = token<string>("a");
const B = token<{ readonly a: string }>("b");

describe("a container", () => {
  it("creates a value when it is first resolved, and only once", () => {
    let made = 0;
    const container = new Container()
      .provide(A, () => `a${++made}`)
      .provide(B, (from) => ({ a: from.resolve(A) }));
    assert.equal(made, 0);
    assert.deepEqual(container.resolve(B), { a: "a1" });
    assert.equal(container.resolve(B), container.resolve(B));
    assert.equal(container.resolve(A), "a1");
  });

  it("uses the last registration of a token for all users", () => {
    const container = new Container().provide(A, () => "a").provide(B, (from) => ({ a: from.resolve(A) }));
    container.provide(A, () => "swapped");
    assert.deepEqual(container.resolve(B), { a: "swapped" });
  });

  it("disposes of what it created in reverse order, and of nothing else", async () => {
    const disposed: unknown[] = [];
    const C = token<Promise<string>>("c");
    const D = token<string>("d");
    const container = new Container()
      .provide(
        C,
        async (from) => `${from.resolve(B).a}c`,
        (c) => disposed.push(c),
      )
      .provide(
        B,
        (from) => ({ a: from.resolve(A) }),
        (b) => disposed.push(b),
      )
      .provide(
        A,
        () => "a",
        (a) => disposed.push(a),
      )
      .provide(
        D,
        () => "d",
        (d) => disposed.push(d),
      );
    assert.equal(await container.resolve(C), "ac");
    await container[Symbol.asyncDispose]();
    await container[Symbol.asyncDispose]();
    assert.deepEqual(disposed, ["ac", { a: "a" }, "a"]);
  });

  it("disposes of a promise's value after what was resolved while it was pending", async () => {
    const disposed: string[] = [];
    const C = token<Promise<string>>("c");
    const container = new Container()
      .provide(
        C,
        async (from) => {
          await Promise.resolve();
          return from.resolve(A);
        },
        () => disposed.push("c"),
      )
      .provide(
        A,
        () => "a",
        () => disposed.push("a"),
      );
    await container.resolve(C);
    await container[Symbol.asyncDispose]();
    assert.deepEqual(disposed, ["c", "a"]);
  });

  it("does not dispose of what could not be created", async () => {
    const C = token<Promise<string>>("c");
    const fails = async () => {
      throw new Error("no");
    };
    const container = new Container().provide(C, fails, () => assert.fail());
    await assert.rejects(container.resolve(C), /no/);
    await container[Symbol.asyncDispose]();
  });

  it("has its parent's values and its own, which its siblings do not have", () => {
    const parent = new Container().provide(A, () => "a");
    const child = parent.child().provide(B, (from) => ({ a: from.resolve(A) }));
    assert.deepEqual(child.resolve(B), { a: "a" });
    assert.throws(() => parent.resolve(B), /b/);
    assert.throws(() => new Container().resolve(A), /a/);
  });
});
