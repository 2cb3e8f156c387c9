import assert from "node:assert/strict";
import { freeBit } from "./plugin-bits.ts";

describe("a plugin's bit", () => {
  it("is unique, for as many plugins as a mask has bits; the next one is refused by name", () => {
    const taken = new Set<number>();
    for (let i = 0; i < 32; i++) taken.add(freeBit(`plugin${i}`, taken));
    assert.equal(taken.size, 32);
    assert.ok([...taken].every((bit) => new Uint32Array([bit])[0] === bit && bit !== 0));
    assert.throws(() => freeBit("thirtythird", taken), {
      code: "LIMIT",
      message: /^thirtythird: 32 plugins run already.*plugins\.NAME\.enabled/,
    });
  });

  it("is free again when its plugin has ended", () => {
    assert.equal(freeBit("c", new Set([1, 4])), 2);
  });
});
