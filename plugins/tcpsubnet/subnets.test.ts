import assert from "node:assert/strict";
import { WirespanError } from "../../core/plugin/errors.ts";
import { readSubnets } from "./subnets.ts";

const address = (...bytes: readonly number[]) => Uint8Array.from({ length: 16 }, (_, i) => bytes[i] ?? 0);

/** The message of the CONFIG_INVALID with which a list is rejected. */
function refusal(...list: readonly string[]): string {
  try {
    readSubnets(list);
  } catch (error) {
    assert.ok(error instanceof WirespanError);
    assert.equal(error.code, "CONFIG_INVALID");
    return error.message;
  }
  throw new Error("nothing was wrong with it");
}

describe("tcpsubnet's list of subnets", () => {
  it("numbers names in order behind `other`, and packs blocks as the program's trie takes them", () => {
    const { names, rows } = readSubnets(["10.0.0.0/8=corp", "fd00::/8", "172.16.0.0/12=corp"]);
    assert.deepEqual(names, ["other", "corp", "fd00::/8"]);
    assert.deepEqual(rows, [
      [{ bits: 40, family: 4, address: address(10) }, 1],
      [{ bits: 40, family: 6, address: address(0xfd) }, 2],
      [{ bits: 44, family: 4, address: address(172, 16) }, 1],
    ]);
  });

  it("takes an IPv4-mapped block as IPv4, and a single address as a block of one", () => {
    const { rows } = readSubnets(["::ffff:10.0.0.0/104=mapped", "::1"]);
    assert.deepEqual(rows, [
      [{ bits: 40, family: 4, address: address(10) }, 1],
      [{ bits: 160, family: 6, address: address(...new Array<number>(15).fill(0), 1) }, 2],
    ]);
  });

  it("is complete when each family has a block of all its addresses", () => {
    assert.equal(readSubnets(["0.0.0.0/0", "::/0=v6"]).complete, true);
    assert.equal(readSubnets(["0.0.0.0/0", "fd00::/8"]).complete, false);
    assert.equal(readSubnets(["10.0.0.0/8", "::/0"]).complete, false);
  });

  it("allows a block of the list to be named `other`", () => {
    assert.deepEqual(readSubnets(["10.0.0.0/8=other"]).names, ["other"]);
  });

  it("names every invalid entry with its position", () => {
    assert.equal(
      refusal("10.0.0.1/8=corp", "::/0", "10.0.0.0/33", "lan=10.0.0.0/8", "fd00::/8="),
      "plugins.tcpsubnet.subnets: " +
        'entry 1: "10.0.0.1/8" has bits set beyond its prefix length; the block is 10.0.0.0/8; ' +
        'entry 3: "10.0.0.0/33": the prefix length of an IPv4 block is 0 to 32; ' +
        'entry 4: "lan" is not an IP address or CIDR block; ' +
        'entry 5: "fd00::/8=" has no name behind the =',
    );
  });

  it("refuses one block under two names, and more names than there is room for", () => {
    assert.match(refusal("10.0.0.0/8=a", "::ffff:10.0.0.0/104=b"), /entry 2: .* is entry 1 already, as a$/);
    const many = Array.from({ length: 1024 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
    assert.match(refusal(...many), /1024 names, but there is room for 1023$/);
    assert.equal(readSubnets(many.slice(1)).names.length, 1024);
  });
});
