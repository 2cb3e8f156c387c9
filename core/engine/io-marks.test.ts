import assert from "node:assert/strict";
import { IoMarks } from "./io-marks.ts";

describe("a plugin's byte mark in connections", () => {
  it("has its own slot, and a run that only a restart continues", () => {
    const marks = new IoMarks();
    assert.deepEqual(marks.of("a", false), { io_slot: 0, io_run: 1 });
    assert.deepEqual(marks.of("b", false), { io_slot: 1, io_run: 2 });
    assert.deepEqual(marks.of("a", true), { io_slot: 0, io_run: 1 });
    assert.deepEqual(marks.of("a", false), { io_slot: 0, io_run: 3 });
  });

  it("is refused by name if no slot is left", () => {
    const marks = new IoMarks();
    for (const name of ["a", "b", "c"]) marks.of(name, false);
    assert.throws(() => marks.of("d", false), { code: "LIMIT", message: /^d: 3 plugins/ });
    assert.equal(marks.of("c", false).io_slot, 2);
  });

  it("never has run 0, which means none", () => {
    const marks = new IoMarks();
    for (let i = 0; i < 70_000; i++) {
      const { io_run } = marks.of("a", false);
      assert.ok(io_run > 0 && io_run < 65_536);
    }
  });
});
