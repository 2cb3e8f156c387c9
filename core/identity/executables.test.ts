import assert from "node:assert/strict";
import { Executables } from "./executables.ts";

/** A table like the kernel's; counts the lookups. */
function tableOf(names: ReadonlyMap<number, string | Uint8Array>) {
  let asked = 0;
  return {
    valueSize: 256,
    get asked() {
      return asked;
    },
    lookUp(key: Uint8Array, value: Uint8Array) {
      asked++;
      const name = names.get(Number(new DataView(key.buffer, key.byteOffset).getBigUint64(0, true)));
      if (name === undefined) return false;
      value.fill(0).set(Buffer.from(name));
      return true;
    },
  };
}

describe("Executables", () => {
  it("asks for each name once, whatever its length", () => {
    const long = "x".repeat(255);
    const table = tableOf(new Map([[2 ** 53 - 1, long]]));
    const executables = new Executables(table);
    assert.equal(executables.name(2 ** 53 - 1), long);
    assert.equal(executables.name(2 ** 53 - 1), long);
    assert.equal(table.asked, 1);
  });

  it("has no name for a kernel thread, nor for what did not fit", () => {
    const table = tableOf(new Map());
    const executables = new Executables(table);
    assert.equal(executables.name(0), "");
    assert.equal(table.asked, 0);
    assert.equal(executables.name(7), "");
    assert.equal(executables.name(7), "");
    assert.equal(table.asked, 1);
  });

  it("retries a name that was not written yet", () => {
    const names = new Map([[7, ""]]);
    const executables = new Executables(tableOf(names));
    assert.equal(executables.name(7), "");
    names.set(7, "late");
    assert.equal(executables.name(7), "late");
  });

  it("distinguishes names that are not UTF-8", () => {
    const names = new Map([
      [1, Uint8Array.of(0x61, 0xff)],
      [2, Uint8Array.of(0x61, 0xfe)],
    ]);
    const executables = new Executables(tableOf(names));
    assert.equal(executables.name(1), "a\\xff");
    assert.equal(executables.name(2), "a\\xfe");
  });
});
