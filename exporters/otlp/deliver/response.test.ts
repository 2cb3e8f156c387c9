import assert from "node:assert/strict";
import fc from "fast-check";
import { readAnswer, readRetryDelay, readStatusMessage } from "./response.ts";

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}

const field = (number: number, bytes: Buffer): Buffer =>
  Buffer.concat([Buffer.from([number * 8 + 2]), varint(bytes.length), bytes]);
const rejecting = (count: number, message: string): Buffer =>
  field(1, Buffer.concat([Buffer.from([8]), varint(count), field(2, Buffer.from(message))]));
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

describe("OTLP responses", () => {
  it("mean success if they are empty, or have fields of a later version", () => {
    const nothing = { rejected: 0, message: "" };
    assert.deepEqual(readAnswer(Buffer.alloc(0), 5), nothing);
    assert.deepEqual(readAnswer(json({}), 5), nothing);
    assert.deepEqual(readAnswer(json({ later: 1, partialSuccess: {} }), 5), nothing);
    assert.deepEqual(readAnswer(json({ partialSuccess: null }), 5), nothing);
    assert.deepEqual(readAnswer(field(1, Buffer.alloc(0)), 5), nothing);
    const later = Buffer.concat([
      field(9, Buffer.from("x")),
      Buffer.from([10 * 8, 5]),
      field(1, Buffer.from([8, 2])),
    ]);
    assert.deepEqual(readAnswer(later, 5), { rejected: 2, message: "" });
  });

  it("report how many were rejected, and why, in any order and either encoding", () => {
    const expected = { rejected: 300, message: "zu früh" };
    const inner = Buffer.concat([field(2, Buffer.from("zu früh")), Buffer.from([8, 0xac, 0x02])]);
    assert.deepEqual(readAnswer(field(1, inner), 300), expected);
    for (const count of ["rejectedSpans", "rejectedDataPoints", "rejectedLogRecords", "rejected_spans"]) {
      for (const number of [300, "300"]) {
        const partialSuccess = { errorMessage: "zu früh", [count]: number };
        assert.deepEqual(readAnswer(json({ partialSuccess }), 300), expected);
        assert.deepEqual(
          readAnswer(Buffer.concat([Buffer.from("\r\n "), json({ partialSuccess })]), 300),
          expected,
        );
      }
    }
  });

  it("are invalid with an impossible number", () => {
    for (const number of [
      "abc",
      -7,
      "-7",
      1.5,
      "1.5",
      "",
      "0x7",
      true,
      [7],
      {},
      1e300,
      "99999999999999999999",
      11,
    ]) {
      assert.equal(
        readAnswer(json({ partialSuccess: { rejectedSpans: number } }), 10),
        undefined,
        String(number),
      );
    }
    assert.equal(readAnswer(rejecting(11, ""), 10), undefined);
    // -7 as an int64.
    const negative = Buffer.from([8, 0xf9, 255, 255, 255, 255, 255, 255, 255, 255, 1]);
    assert.equal(readAnswer(field(1, negative), 10), undefined);
    assert.equal(readAnswer(field(1, field(1, Buffer.from("7"))), 10), undefined);
  });

  it("are invalid if they are something else", () => {
    const others = [
      "<!doctype html><html><title>Sign in</title></html>",
      "\n<html>",
      "OK",
      "ok",
      "success",
      "null",
      "[]",
      "true",
      '"ok"',
      '{"error":"log in"}',
      '{"partialSuccess":"yes"}',
      '{"partialSuccess":{"rejectedSpans":',
      "200 OK, all of it was taken, thank you very much for all these spans and points",
      "\u0000\u0000",
    ];
    for (const text of others) assert.equal(readAnswer(Buffer.from(text), 10), undefined, text);
  });

  it("are read from their beginning if it contains the count", () => {
    const long = "e".repeat(5000);
    const count = { rejected: 7, message: "e".repeat(100) };
    const binary = rejecting(7, long).subarray(0, 107);
    assert.equal(readAnswer(binary, 10), undefined, "nobody said that it is cut off");
    const read = readAnswer(binary, 10, false);
    assert.equal(read?.rejected, count.rejected);
    assert.match(read?.message ?? "", /^e+$/);
    for (const partialSuccess of [
      { rejectedSpans: "7", errorMessage: long },
      { rejectedDataPoints: 7, errorMessage: long },
    ]) {
      assert.equal(readAnswer(json({ partialSuccess }).subarray(0, 200), 10, false)?.rejected, 7);
    }
    const late = json({ partialSuccess: { errorMessage: long, rejectedSpans: 7 } });
    assert.equal(readAnswer(late.subarray(0, 200), 10, false), undefined);
    const behind = field(1, Buffer.concat([field(2, Buffer.from(long)), Buffer.from([8, 7])]));
    assert.equal(readAnswer(behind.subarray(0, 200), 10, false), undefined);
  });

  it("report the pause of a RetryInfo, and none if the status has other details", () => {
    const any = (type: string, value: Buffer): Buffer =>
      field(
        3,
        Buffer.concat([field(1, Buffer.from(`type.googleapis.com/google.rpc.${type}`)), field(2, value)]),
      );
    const duration = field(1, Buffer.from([8, 3, 16, 0x80, 0xca, 0xb5, 0xee, 0x01]));
    const status = Buffer.concat([
      Buffer.from([8, 8]),
      field(2, Buffer.from("slow")),
      any("ErrorInfo", Buffer.alloc(0)),
    ]);
    assert.equal(readRetryDelay(status), undefined);
    assert.equal(readRetryDelay(Buffer.concat([status, any("RetryInfo", duration)])), 3500);
    const negative = field(1, Buffer.from([8, 0xf9, 255, 255, 255, 255, 255, 255, 255, 255, 1]));
    assert.equal(readRetryDelay(Buffer.concat([status, any("RetryInfo", negative)])), undefined);
    assert.equal(readStatusMessage(status), "slow");
  });

  it("are invalid or a RangeError if they are garbage, never a loop, another error or an impossible number", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.boolean(), (bytes, whole) => {
        const answer = readAnswer(bytes, 10, whole);
        if (answer !== undefined)
          assert.ok(Number.isInteger(answer.rejected) && answer.rejected >= 0 && answer.rejected <= 10);
        for (const read of [readRetryDelay, readStatusMessage]) {
          try {
            read(bytes);
          } catch (error) {
            assert.ok(error instanceof RangeError, String(error));
          }
        }
      }),
      { numRuns: 2000 },
    );
  });
});
