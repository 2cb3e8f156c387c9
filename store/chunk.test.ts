import assert from "node:assert/strict";
import type { AttributeSpecs } from "../core/plugin/signals.ts";
import { IDS, RowBuilder } from "../exporters/local/columns.ts";
import { bloomOf, decodeChunk, encodeChunk, mayHold, Workspace } from "./chunk.ts";

const spec = (type: "string" | "int" | "double" | "boolean") =>
  ({ type, requirement: "recommended", description: "" }) as const;
const ATTRIBUTES = {
  word: spec("string"),
  count: spec("int"),
  wide: spec("int"),
  rate: spec("double"),
  flag: spec("boolean"),
  never: spec("int"),
  same: spec("int"),
} satisfies AttributeSpecs;

/** `n` rows whose values are functions of their number; in every seventh, optional values are absent. */
function rowsOf(n: number): RowBuilder {
  const rows = new RowBuilder(ATTRIBUTES, n);
  for (let i = 0; i < n; i++) {
    const isAbsent = i % 7 === 0;
    const id = Uint8Array.from({ length: 16 }, (_, b) => (i * 31 + b * 17) & 0xff);
    rows.add(
      {
        traceId: id,
        spanId: id.subarray(0, 8),
        parentSpanId: i % 2 === 0 ? id.subarray(8) : undefined,
        start: 1.8e15 + i * 1000,
        duration: i * 12_345,
        resource: i % 300,
        kind: i % 3,
        error: i % 5 === 0 ? `error ${i % 10}` : undefined,
        links: i % 3 === 0 ? [{ traceId: id, spanId: id.subarray(0, 8) }] : [],
      },
      {
        word: isAbsent ? undefined : `word ${i % 11}`,
        count: isAbsent ? undefined : i - 100,
        wide: i * 1e12,
        rate: isAbsent ? undefined : i / 8,
        flag: isAbsent ? undefined : i % 2 === 0,
        same: 7,
      },
    );
  }
  return rows;
}

describe("a chunk", () => {
  for (const n of [1, 2, 255, 2048]) {
    it(`returns ${n} rows unchanged`, () => {
      const rows = rowsOf(n);
      const { head, data } = encodeChunk(rows);
      const back = decodeChunk(ATTRIBUTES, n, head, data, new Workspace());
      assert.deepEqual(Array.from(back.ids), Array.from(rows.ids.subarray(0, n * IDS)));
      assert.deepEqual(Array.from(back.links), Array.from(rows.links.subarray(0, rows.linkBytes)));
      assert.deepEqual(back.words, rows.words);
      for (const key of ["start", "duration", "resource", "kind", "error", "linkCount"] as const)
        assert.deepEqual(Array.from(back[key]), Array.from(rows[key].subarray(0, n)), key);
      for (const [i, values] of rows.values.entries())
        assert.deepEqual(
          Array.from(back.values.at(i)!),
          Array.from(values.subarray(0, n)),
          Object.keys(ATTRIBUTES)[i],
        );
    });
  }

  it("is refused if it is truncated", () => {
    const { head } = encodeChunk(rowsOf(100));
    const { data } = encodeChunk(rowsOf(50));
    assert.throws(() => decodeChunk(ATTRIBUTES, 100, head, data, new Workspace()), RangeError);
  });
});

describe("the filter of a chunk's trace ids", () => {
  it("passes all of its own, and at most one in thirty others", () => {
    const rows = rowsOf(2048);
    const filter = bloomOf(rows.ids, 2048);
    for (let i = 0; i < 2048; i++) assert.ok(mayHold(filter, rows.ids.subarray(i * IDS, i * IDS + 16)));
    let passed = 0;
    const other = new Uint8Array(16);
    for (let i = 0; i < 3000; i++) {
      new DataView(other.buffer).setUint32(0, Math.imul(i + 1, 0x9e3779b1));
      new DataView(other.buffer).setUint32(4, Math.imul(i + 1, 0x85ebca6b));
      new DataView(other.buffer).setUint32(8, Math.imul(i + 1, 0xc2b2ae35));
      new DataView(other.buffer).setUint32(12, Math.imul(i + 1, 0x27d4eb2f));
      if (mayHold(filter, other)) passed++;
    }
    assert.ok(passed < 100, `${passed} of 3000`);
  });
});
