import assert from "node:assert/strict";
import fc from "fast-check";
import { readPartialSuccess, readRetryDelay, readStatusMessage } from "./response.ts";

const field = (number: number, bytes: Buffer): Buffer =>
  Buffer.concat([Buffer.from([number * 8 + 2, bytes.length]), bytes]);

describe("OTLP responses", () => {
  it("are whole success when empty, or with fields of a later version", () => {
    assert.deepEqual(readPartialSuccess(Buffer.alloc(0)), { rejected: 0, message: "" });
    const later = Buffer.concat([
      field(9, Buffer.from("x")),
      Buffer.from([10 * 8, 5]),
      field(1, Buffer.from([8, 2])),
    ]);
    assert.deepEqual(readPartialSuccess(later), { rejected: 2, message: "" });
  });

  it("tell how many were rejected, and why, in any order", () => {
    const inner = Buffer.concat([field(2, Buffer.from("zu früh")), Buffer.from([8, 0xac, 0x02])]);
    assert.deepEqual(readPartialSuccess(field(1, inner)), { rejected: 300, message: "zu früh" });
  });

  it("tell the pause of a RetryInfo, and none where the status has other details", () => {
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
    assert.equal(readStatusMessage(status), "slow");
  });

  it("that are nonsense end in a RangeError, never in a loop or another error", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        for (const read of [readPartialSuccess, readRetryDelay, readStatusMessage]) {
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
