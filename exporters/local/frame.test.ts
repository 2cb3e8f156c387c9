import assert from "node:assert/strict";
import { CONNECTION, outbound } from "../../test/support/page.ts";
import { RowBuilder } from "./columns.ts";
import { columnsOf, encodeFrame, FrameReader, type Head, rowsOf } from "./frame.ts";

function rows(): RowBuilder {
  const built = new RowBuilder(CONNECTION.attributes, 16);
  for (let i = 0; i < 5; i++) {
    const id = new Uint8Array(16).fill(i + 1);
    built.add(
      { traceId: id, spanId: id.subarray(8), start: i, duration: i, resource: 1, kind: 0 },
      outbound(i, { "wirespan.tcp.bytes_sent": i * 100 }),
    );
  }
  return built;
}

function frame(): Buffer {
  const built = rows();
  const { n, words } = built;
  return encodeFrame({ type: "rows", seq: 1, signal: 1, n, links: 0, words }, columnsOf(built));
}

function read(chunks: readonly Buffer[]) {
  const reader = new FrameReader();
  return chunks.flatMap((chunk) => [...reader.push(chunk)]);
}

describe("a frame", () => {
  it("returns its rows wherever the stream is split", () => {
    const both = Buffer.concat([frame(), encodeFrame({ type: "flush", seq: 2 }), frame()]);
    for (let at = 1; at < both.length; at += 13) {
      const frames = read([both.subarray(0, at), both.subarray(at)]);
      assert.deepEqual(
        frames.map(({ head }) => head.type),
        ["rows", "flush", "rows"],
      );
      const { head, body } = frames[2]!;
      assert.equal(head.type, "rows");
      if (head.type !== "rows") return;
      const back = rowsOf(head, CONNECTION.attributes, body);
      const sent = Object.keys(CONNECTION.attributes).indexOf("wirespan.tcp.bytes_sent");
      assert.deepEqual(Array.from(back.values.at(sent)!), [0, 100, 200, 300, 400]);
      assert.deepEqual(Array.from(back.start), [0, 1, 2, 3, 4]);
    }
  });

  it("is refused if it is invalid, or shorter than its header says", () => {
    assert.throws(() => read([Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n")]), RangeError);
    const [{ head, body } = assert.fail()] = read([frame()]);
    const longer = { ...head, n: 50_000 } as Extract<Head, { type: "rows" }>;
    assert.throws(() => rowsOf(longer, CONNECTION.attributes, body), RangeError);
  });
});
