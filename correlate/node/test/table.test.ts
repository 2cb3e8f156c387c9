import assert from "node:assert/strict";
import { writeAddress } from "../src/address.js";
import { setConnecting, slotOf, table, takeOver, write } from "../src/table.js";
import { fromHeader, fromSpanContext } from "../src/traceparent.js";
import { Reader } from "./reader.js";

const words = new Uint32Array(table.buffer);
const key = { localPort: 40_000, remotePort: 443, localAddress: "10.0.0.1", remoteAddress: "10.0.0.2" };
const slot = slotOf(key.localPort, key.remotePort);
const word = (64 + 256 * slot) >> 2;

function text(n: number, flags = "01"): string {
  return `00-${String(n).padStart(32, "0")}-${String(n).padStart(16, "0")}-${flags}`;
}

describe("correlate/node: the table", () => {
  it("uses the slot that the specification defines for two ports", () => {
    assert.equal(slot, (40_000 * 31 + 443) % 4096);
  });

  it("returns what was written, including flags", () => {
    const reader = new Reader(table);
    takeOver(slot, key);
    reader.read(slot);
    for (const flags of ["00", "01", "03", "ff"]) write(slot, text(7, flags));
    const found = reader.read(slot);
    assert.deepEqual(
      found?.contexts,
      ["00", "01", "03", "ff"].map((flags) => text(7, flags)),
    );
    assert.equal(found?.key, "40000>443");
    assert.equal(found?.local, "00000000000000000000ffff0a000001");
    assert.equal(found?.remote, "00000000000000000000ffff0a000002");
  });

  it("marks bytes without a context, and those with invalid ids", () => {
    const reader = new Reader(table);
    const zero = text(0);
    const bad = [
      undefined,
      zero,
      text(1).replace("1", "g"),
      text(1, "0x"),
      `00-${"0".repeat(32)}-${"1".repeat(16)}-01`,
    ];
    for (const one of [...bad, text(1).toUpperCase().replace(/1/g, "A")]) {
      takeOver(slot, key);
      reader.read(slot);
      write(slot, text(1));
      assert.equal(reader.read(slot)?.ended, false);
      write(slot, one);
      assert.equal(reader.read(slot)?.ended, true, String(one));
    }
  });

  it("keeps the last seven and counts the rest", () => {
    const reader = new Reader(table);
    takeOver(slot, key);
    reader.read(slot);
    for (let n = 1; n <= 10; n++) write(slot, text(n));
    const found = reader.read(slot);
    assert.deepEqual(
      found?.contexts,
      [4, 5, 6, 7, 8, 9, 10].map((n) => text(n)),
    );
    assert.equal(found?.overrun, 3);
  });

  it("leaves nothing of the previous owner in a slot, and continues to count", () => {
    takeOver(slot, key);
    for (let n = 1; n <= 7; n++) write(slot, text(n));
    const before = words[word]!;
    takeOver(slot, { ...key, localAddress: "10.0.0.9" });
    assert.equal(words[word], before + 2);
    const found = new Reader(table).read(slot);
    assert.deepEqual(found?.contexts, []);
    assert.equal(found?.local, "00000000000000000000ffff0a000009");
  });

  it("continues after an interrupted write", () => {
    const reader = new Reader(table);
    takeOver(slot, key);
    reader.read(slot);
    words[word]!++;
    assert.equal(reader.read(slot), undefined);
    write(slot, text(5));
    assert.equal(words[word]! % 2, 0);
    assert.deepEqual(reader.read(slot)?.contexts, [text(5)]);
  });

  it("counts past 2^32", () => {
    const reader = new Reader(table);
    takeOver(slot, key);
    words[word] = 2 ** 32 - 4;
    reader.read(slot);
    for (const n of [1, 2, 3]) {
      write(slot, text(n));
      assert.deepEqual(reader.read(slot)?.contexts, [text(n)]);
    }
    assert.equal(words[word], 2);
  });

  it("labels the next connect(), and then none", () => {
    const reader = new Reader(table);
    setConnecting(text(3));
    assert.equal(reader.connecting, text(3));
    setConnecting(undefined);
    assert.equal(reader.connecting, undefined);
  });
});

describe("correlate/node: addresses", () => {
  const rows: readonly [address: string, bytes: string][] = [
    ["127.0.0.1", "00000000000000000000ffff7f000001"],
    ["::ffff:192.168.1.20", "00000000000000000000ffffc0a80114"],
    ["::", "00000000000000000000000000000000"],
    ["::1", "00000000000000000000000000000001"],
    ["fe80::1%eth0", "fe800000000000000000000000000001"],
    ["2001:db8::8:800:200c:417a", "20010db80000000000080800200c417a"],
    ["1:2:3:4:5:6:7:8", "00010002000300040005000600070008"],
    ["2001:db8::", "20010db8000000000000000000000000"],
    ["64:ff9b::1.2.3.4", "0064ff9b000000000000000001020304"],
  ];
  for (const [address, bytes] of rows) {
    it(address, () => {
      const to = new Uint8Array(20).fill(255);
      writeAddress(to, 2, address);
      assert.equal(Buffer.from(to).toString("hex"), `ffff${bytes}ffff`);
    });
  }
});

describe("correlate/node: contexts", () => {
  it("accepts a W3C Trace Context header, including one of a later version", () => {
    const good = text(1);
    assert.equal(fromHeader(good), good);
    assert.equal(fromHeader([good, text(2)]), good);
    assert.equal(fromHeader(good.replace("00", "01")), good.replace("00", "01"));
    assert.equal(fromHeader(`${good.replace("00", "cc")}-more`), good.replace("00", "cc"));
    for (const bad of [
      undefined,
      7,
      "",
      good.slice(1),
      `${good}-more`,
      `${good.replace("00", "cc")}.`,
      good.replace("00", "ff"),
      good.replaceAll("-", "_"),
    ]) {
      assert.equal(fromHeader(bad), undefined, String(bad));
    }
  });

  it("accepts a span context with all of its flags", () => {
    const [, traceId, spanId] = text(4).split("-");
    assert.equal(fromSpanContext({ traceId, spanId, traceFlags: 3 }), text(4, "03"));
    assert.equal(fromSpanContext({ traceId, spanId, traceFlags: 0x1ff }), text(4, "ff"));
    for (const bad of [
      undefined,
      null,
      7,
      {},
      { traceId },
      { traceId, spanId: "1" },
      { traceId: 5, spanId },
    ]) {
      assert.equal(fromSpanContext(bad), undefined);
    }
  });
});
