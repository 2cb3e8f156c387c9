import assert from "node:assert/strict";
import fc from "fast-check";
import { readObject } from "./btf.ts";

const isSaid = (error: unknown) => error instanceof Error && error.message.length > 0;

describe("a file that is not a BPF object", () => {
  it("is refused as not an ELF file", () => {
    for (const bytes of [Buffer.alloc(0), Buffer.from("#!/bin/sh\n"), Buffer.alloc(4096)]) {
      assert.throws(() => readObject(bytes), { message: "not a 64-bit little-endian ELF file" });
    }
  });

  it("is refused with a clear error, whatever follows the ELF magic", () => {
    const mark = Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 58, maxLength: 400 }), (rest) => {
        assert.throws(() => readObject(Buffer.concat([mark, rest])), isSaid);
      }),
      { numRuns: 2_000 },
    );
  });
});
