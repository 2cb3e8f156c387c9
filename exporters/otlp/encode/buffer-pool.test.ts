import assert from "node:assert/strict";
import { connectionSpan } from "../../../test/support/telemetry.ts";
import type { Batch } from "./batch.ts";
import { BufferPool } from "./buffer-pool.ts";
import { Encoder } from "./encoder.ts";

describe("buffers of requests", () => {
  it("are reused if they are large enough, and only a few are kept", () => {
    const pool = new BufferPool();
    const first = pool.take(300_000);
    assert.equal(first.length, 512 * 1024);
    pool.give(first);
    assert.notEqual(pool.take(600_000), first);
    assert.equal(pool.take(500_000), first);
    assert.notEqual(pool.take(500_000), first, "it is in use");
    const many = [1, 2, 3, 4, 5].map((i) => pool.take(i * 1_000_000));
    for (const each of many) pool.give(each);
    assert.equal(pool.take(1_000_000), many[2], "the three largest are kept");
  });

  it("keep their contents until every exporter is done with them", () => {
    const encoder = new Encoder();
    const unencodable = (_kind: string, _count: number, error: unknown): void => assert.fail(String(error));
    const held: { readonly batch: Batch; readonly bytes: Buffer }[] = [];
    encoder.add({ accept: (batch) => batch.done(), unencodable });
    encoder.add({ accept: (batch) => held.push({ batch, bytes: Buffer.from(batch.bytes) }), unencodable });
    let next = 0;
    const more = (): void => {
      for (let i = 0; i < 2048 * 5; i++) encoder.span(connectionSpan(next++));
    };
    more();
    assert.equal(held.length, 5);
    for (const { batch, bytes } of held) assert.ok(batch.bytes.equals(bytes), "overwritten");
    for (const { batch } of held) batch.done();
    more();
    const again = held
      .slice(5)
      .filter(({ batch }) => held.slice(0, 5).some((one) => one.batch.bytes.buffer === batch.bytes.buffer));
    assert.equal(again.length, 3);
  });
});
