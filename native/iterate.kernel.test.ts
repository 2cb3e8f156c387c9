import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { createServer } from "node:net";
import { load } from "./test/fixture.ts";

const openDescriptors = (): number => readdirSync("/proc/self/fd").length;

describe("BpfObject.iterate", () => {
  it("returns all that the program wrote, including this process's threads", async () => {
    using object = await load(["tasks"]);
    const bytes = await object.iterate("tasks");
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    const own = new Set<number>();
    for (let i = 0; i < words.length; i += 2) if (words[i + 1] === process.pid) own.add(words[i]!);
    for (const thread of readdirSync("/proc/self/task")) assert.ok(own.has(Number(thread)), thread);
  });

  it("walks the map it is given, with more output than one read takes", async () => {
    using object = await load(["elements"]);
    const table = object.map("table");
    for (let i = 0; i < 8192; i++) {
      table.update(
        new Uint8Array(Uint32Array.of(i).buffer),
        new Uint8Array(BigUint64Array.of(BigInt(i) * 3n).buffer),
      );
    }
    const bytes = await object.iterate("elements", "table");
    const rows = new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8);
    assert.equal(rows.length, 2 * 8192);
    const found = new Map<bigint, bigint>();
    for (let i = 0; i < rows.length; i += 2) found.set(rows[i]!, rows[i + 1]!);
    assert.equal(found.size, 8192);
    for (const [key, value] of found) assert.equal(value, key * 3n);
  });

  it("runs a program of another object after that one was closed, until it is closed itself", async () => {
    using object = await load(["tasks"]);
    const before = openDescriptors();
    const other = await load(["elements"], { reuse: { table: object.map("table") } });
    object.adoptIterator(other, "elements", "table");
    other.close();
    // The iterator's link, and nothing of the other object.
    assert.equal(openDescriptors(), before + 1);
    object
      .map("table")
      .update(new Uint8Array(Uint32Array.of(5).buffer), new Uint8Array(BigUint64Array.of(50n).buffer));
    for (let time = 0; time < 2; time++) {
      const bytes = await object.iterate("elements");
      assert.deepEqual([...new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8)], [5n, 50n]);
    }
    object.close();
    await assert.rejects(object.iterate("elements"), { code: "EBADF" });
  });

  it("walks the sockets of a storage map", async () => {
    using object = await load(["sockets", "on_socket"]);
    assert.deepEqual(await object.iterate("sockets", "of_socket"), new Uint8Array());
    object.attach("on_socket");
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const bytes = await object.iterate("sockets", "of_socket");
    server.close();
    const listen = 10n;
    assert.ok(new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8).includes(listen));
  });

  it("continues while its object is closed", async () => {
    const object = await load(["tasks"]);
    const iterations = [object.iterate("tasks"), object.iterate("tasks")];
    object.close();
    for (const bytes of await Promise.all(iterations)) assert.ok(bytes.length >= 16);
  });

  it("names the program that cannot iterate and the map that is not there", async () => {
    using object = await load(["produce", "elements"]);
    await assert.rejects(object.iterate("produce"), { step: "iterate", program: "produce" });
    await assert.rejects(object.iterate("nonesuch"), { code: "ENOENT", program: "nonesuch" });
    await assert.rejects(object.iterate("elements", "nonesuch"), {
      code: "ENOENT",
      step: "iterate nonesuch",
    });
    await assert.rejects(object.iterate("elements"), { step: "iterate", program: "elements" });
  });
});
