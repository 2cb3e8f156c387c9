// Names of kernel addresses, compared with /proc/kallsyms.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { watch } from "../../test/support/engine.ts";
import { needsRoot } from "../../test/support/netns.ts";
import { skip } from "../../test/support/skip.ts";
import { KernelSymbols } from "./symbols.ts";

describe("kernel symbols", () => {
  before(function () {
    needsRoot(this);
  });

  it("name the function that contains an address, and the offset; other addresses have no name", async function () {
    const addresses = new Map(
      readFileSync("/proc/kallsyms", "latin1")
        .split("\n")
        .map((line) => line.split(/\s/))
        .filter(([address, type = ""]) => /^f{8}/.test(address!) && /^t$/i.test(type))
        .map(([address, , name]) => [name!, BigInt(`0x${address}`)]),
    );
    if (addresses.size === 0) skip(this, "the kernel hides its addresses (kernel.kptr_restrict)");
    await using watched = await watch(["tcplife"]);
    const { object } = watched.engine.tracker.loaded;
    const symbols = new KernelSymbols((context) => object.run("name_address", context));
    const name = (address: bigint) => symbols.name(Number(address & 0xffffffffn), Number(address >> 32n));
    for (const wanted of ["tcp_v4_rcv", "tcp_close", "kfree_skbmem"]) {
      const address = addresses.get(wanted)!;
      assert.equal(name(address), `${wanted}+0x0`);
      assert.equal(name(address + 1n), `${wanted}+0x1`);
      assert.equal(name(address), `${wanted}+0x0`);
    }
    assert.equal(name(0xffffffff00000010n), undefined);
    assert.equal(name(0n), undefined);
  });
});
