import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { type BpfMap, native } from "./index.ts";
import { load } from "./test/fixture.ts";

const cpus = native.features().cpus;

function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

function u64(...values: number[]): Uint8Array {
  return new Uint8Array(BigUint64Array.from(values.map(BigInt)).buffer);
}

function read(map: BpfMap, room = map.maxEntries): Map<number, number> {
  const keys = new Uint8Array(room * map.keySize);
  const values = new Uint8Array(room * map.valueSize);
  const count = map.read(keys, values);
  const numbers = new BigUint64Array(values.buffer);
  return new Map(Array.from(new Uint32Array(keys.buffer, 0, count), (key, i) => [key, Number(numbers[i])]));
}

/** Opens and closes one connection on the loopback device. */
async function connectOnce(): Promise<void> {
  const server = createServer((socket) => socket.end()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1").resume();
  await once(client, "close");
  server.close();
  await once(server, "close");
}

/** Keys that a hash with seed 0 and `buckets` buckets stores in bucket 0: the kernel's jhash2 of one word. */
function keysOfOneBucket(count: number, buckets: number): number[] {
  const rotated = (word: number, by: number) => (word << by) | (word >>> (32 - by));
  const hash = (key: number) => {
    let [a, b, c] = [0xdeadbeef + 4 + key, 0xdeadbeef + 4, 0xdeadbeef + 4];
    c = (c ^ b) - rotated(b, 14);
    a = (a ^ c) - rotated(c, 11);
    b = (b ^ a) - rotated(a, 25);
    c = (c ^ b) - rotated(b, 16);
    a = (a ^ c) - rotated(c, 4);
    b = (b ^ a) - rotated(a, 14);
    return ((c ^ b) - rotated(b, 24)) >>> 0;
  };
  const keys: number[] = [];
  for (let key = 0; keys.length < count; key++) if (hash(key) % buckets === 0) keys.push(key);
  return keys;
}

describe("BpfMap", () => {
  it("has its name and sizes", async () => {
    using object = await load([]);
    const { name, keySize, valueSize, maxEntries } = object.map("shares");
    assert.deepEqual(
      { name, keySize, valueSize, maxEntries },
      {
        name: "shares",
        keySize: 4,
        valueSize: 24,
        maxEntries: 4,
      },
    );
  });

  it("reads a hash of 5,000 entries, each once", async () => {
    using object = await load([]);
    const table = object.map("table");
    const expected = new Map<number, number>();
    for (let i = 0; i < 5000; i++) {
      table.update(u32(i * 7), u64(i + 2 ** 40));
      expected.set(i * 7, i + 2 ** 40);
    }
    const found = read(table);
    assert.equal(found.size, 5000);
    for (const [key, value] of expected) assert.equal(found.get(key), value);
  });

  it("reads a hash whose one bucket is larger than a batch", async () => {
    // A batch is 1 MiB: 32 of these values.
    using object = await load([]);
    const crowded = object.map("crowded");
    const chosen = keysOfOneBucket(40, crowded.maxEntries);
    const value = new Uint8Array(crowded.valueSize);
    for (const key of chosen) crowded.update(u32(key), value.fill(key));
    const keys = new Uint8Array(40 * 4);
    const values = new Uint8Array(40 * crowded.valueSize);
    assert.equal(crowded.read(keys, values), 40);
    const found = new Uint32Array(keys.buffer);
    assert.deepEqual(new Set(found), new Set(chosen));
    found.forEach((key, i) => {
      assert.equal(values[i * crowded.valueSize], key & 0xff);
      assert.equal(values[(i + 1) * crowded.valueSize - 1], key & 0xff);
    });
  });

  it("reads into arrays that fit exactly, and throws ENOSPC for one entry less", async () => {
    using object = await load([]);
    const table = object.map("table");
    for (let i = 0; i < 100; i++) table.update(u32(i), u64(i));
    assert.equal(read(table, 100).size, 100);
    assert.throws(() => read(table, 99), { code: "ENOSPC", step: "read table" });
    const shares = object.map("shares");
    assert.equal(shares.read(new Uint8Array(16), new Uint8Array(96)), 4);
    assert.throws(() => shares.read(new Uint8Array(12), new Uint8Array(96)), { code: "ENOSPC" });
  });

  it("reads nothing from an empty hash", async () => {
    using object = await load([]);
    assert.equal(read(object.map("table")).size, 0);
  });

  it("looks up one entry, reports a missing one, and refuses other lengths", async () => {
    using object = await load([]);
    const table = object.map("table");
    table.update(u32(3), u64(2 ** 40));
    const value = u64(7);
    assert.equal(table.lookUp(u32(4), value), false);
    assert.deepEqual(value, u64(7));
    assert.equal(table.lookUp(u32(3), value), true);
    assert.deepEqual(value, u64(2 ** 40));
    assert.throws(() => table.lookUp(u32(3), new Uint8Array(7)), { code: "EINVAL", step: "look up" });
    assert.throws(() => object.map("shares").lookUp(u32(0), new Uint8Array(24)), { code: "EINVAL" });
  });

  it("deletes an entry and reports a missing one", async () => {
    using object = await load([]);
    const table = object.map("table");
    table.update(u32(1), u64(1));
    assert.equal(table.delete(u32(1)), true);
    assert.equal(table.delete(u32(1)), false);
    assert.equal(read(table).size, 0);
  });

  it("sums per-CPU values word by word and takes the largest on request", async () => {
    using object = await load([]);
    const shares = object.map("shares");
    for (let entry = 0; entry < 4; entry++) {
      const words = Array.from({ length: cpus * 3 }, (_, i) => entry * 1000 + ((i * 7) % 11) + 2 ** 33);
      shares.update(u32(entry), u64(...words));
    }
    const keys = new Uint8Array(4 * 4);
    const each = new Uint8Array(4 * cpus * 24);
    assert.equal(shares.readPerCpu(keys, each), 4);
    const all = new Uint8Array(4 * 24);
    assert.equal(shares.read(keys, all, Uint32Array.of(1)), 4);
    const perCpu = new BigUint64Array(each.buffer);
    const summed = new BigUint64Array(all.buffer);
    for (let entry = 0; entry < 4; entry++) {
      for (let word = 0; word < 3; word++) {
        const values = Array.from({ length: cpus }, (_, cpu) => perCpu[(entry * cpus + cpu) * 3 + word]!);
        const expected =
          word === 1 ? values.reduce((a, b) => (a > b ? a : b)) : values.reduce((a, b) => a + b);
        assert.equal(summed[entry * 3 + word], expected);
        assert.ok(expected > 0n);
      }
    }
  });

  it("returns per-CPU values whose size is not a multiple of 8 separately, without unused ones, and refuses to sum them", async () => {
    using object = await load([]);
    const odd = object.map("odd_shares");
    const bytes = Uint8Array.from({ length: cpus * 12 }, (_, i) => i + 1);
    odd.update(u32(1), bytes);
    const keys = new Uint8Array(8);
    const values = new Uint8Array(2 * cpus * 12);
    assert.equal(odd.readPerCpu(keys, values), 1);
    assert.deepEqual(keys.subarray(0, 4), u32(1));
    assert.deepEqual(values.subarray(0, cpus * 12), bytes);
    assert.throws(() => odd.read(keys, values), { code: "EINVAL" });
  });

  it("refuses keys and values of a wrong length", async () => {
    using object = await load([]);
    const table = object.map("table");
    assert.throws(() => table.update(u32(1), new Uint8Array(7)), { code: "EINVAL", step: "update" });
    assert.throws(() => table.update(new Uint8Array(3), u64(1)), { code: "EINVAL" });
    assert.throws(() => table.delete(new Uint8Array(5)), { code: "EINVAL", step: "delete" });
    assert.throws(() => object.map("shares").update(u32(0), u64(1)), { code: "EINVAL" });
    assert.throws(() => table.readPerCpu(new Uint8Array(4), new Uint8Array(8)), { code: "EINVAL" });
  });

  it("reads one by one if the map type has no batch lookup", async () => {
    using object = await load(["fixture_state_stack"]);
    object.attach("fixture_state_stack");
    await connectOnce();
    object.detach("fixture_state_stack");
    const stacks = object.map("stacks");
    const keys = new Uint8Array(stacks.maxEntries * 4);
    const values = new Uint8Array(stacks.maxEntries * stacks.valueSize);
    const count = stacks.read(keys, values);
    assert.ok(count > 0);
    assert.equal(new Set(new Uint32Array(keys.buffer, 0, count)).size, count);
    const addresses = new BigUint64Array(values.buffer);
    for (let i = 0; i < count; i++) assert.notEqual(addresses[(i * stacks.valueSize) / 8], 0n);
  });

  it("sees what an attached program counts, and nothing after it is detached", async () => {
    using object = await load(["fixture_state"]);
    const seen = object.map("seen");
    object.attach("fixture_state");
    await connectOnce();
    object.detach("fixture_state");
    const counted = read(seen).get(0)!;
    // Two ends, and at least the start and the end of each.
    assert.ok(counted >= 4, `${counted} state changes`);
    await connectOnce();
    assert.equal(read(seen).get(0), counted);
  });

  it("throws EBADF once its object is closed, and keeps its sizes", async () => {
    const object = await load([]);
    const table = object.map("table");
    object.close();
    assert.throws(() => read(table), { code: "EBADF", step: "read table" });
    assert.throws(() => table.update(u32(1), u64(1)), { code: "EBADF" });
    assert.throws(() => table.delete(u32(1)), { code: "EBADF" });
    assert.throws(() => native.openRing(table), { code: "EBADF" });
    assert.equal(table.valueSize, 8);
  });
});
