import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { receiveDatagrams } from "../test/support/datagrams.ts";
import { native } from "./index.ts";

describe("sendDatagram", () => {
  let folder: string;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "wirespan-datagram-"));
  });
  after(async () => {
    await rm(folder, { recursive: true });
  });

  for (const kind of ["a path", "the longest path", "an abstract name"] as const) {
    it(`sends whole texts to ${kind}, in order`, async () => {
      const address = {
        "a path": join(folder, "socket"),
        "the longest path": `${folder}/`.padEnd(107, "x"),
        "an abstract name": `@wirespan-${process.pid}`,
      }[kind];
      await using datagrams = await receiveDatagrams(address);
      native.sendDatagram(address, "READY=1\nSTATUS=näher");
      native.sendDatagram(address, "STOPPING=1");
      await datagrams.until("both", ({ length }) => length === 2);
      assert.deepEqual(datagrams.received, ["READY=1\nSTATUS=näher", "STOPPING=1"]);
    });
  }

  it("fails with the kernel's code if there is no receiver", async () => {
    const file = join(folder, "file");
    await writeFile(file, "");
    const failures = {
      [join(folder, "nonesuch")]: "ENOENT",
      [file]: "ECONNREFUSED",
      [`@wirespan-nonesuch-${process.pid}`]: "ECONNREFUSED",
      [`/${"x".repeat(107)}`]: "ENAMETOOLONG",
    };
    for (const [address, code] of Object.entries(failures))
      assert.throws(() => native.sendDatagram(address, "x"), { code, step: "send datagram" }, address);
  });
});
