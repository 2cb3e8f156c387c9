import assert from "node:assert/strict";
import {
  attemptAnswer,
  attemptVectors,
  connectionAnswer,
  connectionVectors,
  idsOf,
  inTraceId,
  inTraceVectors,
  keyOf,
} from "./ids.ts";
import { siphash128 } from "./siphash.ts";

describe("the ids of docs/ids.md", () => {
  it("use SipHash-2-4-128 as published by its authors", () => {
    const key = Uint8Array.from({ length: 16 }, (_, i) => i);
    // vectors_sip128 of the reference code, by length of the message 00 01 02 …; checked with OpenSSL.
    const reference: readonly (readonly [number, string])[] = [
      [0, "a3817f04ba25a8e66df67214c7550293"],
      [1, "da87c1d86b99af44347659119b22fc45"],
      [8, "3b62a9ba6258f5610f83e264f31497b4"],
      [15, "5493e99933b0a8117e08ec0f97cfc3d9"],
      [16, "6ee2a4ca67b054bbfd3315bf85230577"],
      [32, "7c3956ca5eeafc3e363e9d556546eb68"],
      [63, "5150d1772f50834a503e069a973fbd7c"],
    ];
    for (const [length, hex] of reference) {
      const message = Uint8Array.from({ length }, (_, i) => i);
      assert.equal(Buffer.from(siphash128(key, message)).toString("hex"), hex);
    }
  });

  it("agree with its vectors", () => {
    assert.equal(connectionVectors().length, 7);
    for (const { salt, numbers, ids } of connectionVectors()) {
      assert.deepEqual(
        idsOf((domain) => connectionAnswer(keyOf(salt), domain, numbers)),
        ids,
      );
    }
    assert.equal(attemptVectors().length, 3);
    for (const { salt, attempt, ids } of attemptVectors()) {
      const { trace, opener, connect } = idsOf((domain) => attemptAnswer(keyOf(salt), domain, attempt));
      assert.deepEqual({ trace, opener, connect }, ids);
    }
    assert.equal(inTraceVectors().length, 6);
    for (const { salt, event, id } of inTraceVectors()) assert.equal(inTraceId(keyOf(salt), event), id);
  });
});
