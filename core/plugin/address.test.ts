import assert from "node:assert/strict";
import { BlockList, isIP, SocketAddress } from "node:net";
import fc from "fast-check";
import { type Cidr, formatAddress, parseAddress, parseCidr } from "./address.ts";

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
const sixteen = fc.uint8Array({ minLength: 16, maxLength: 16 });
// Random bytes rarely contain a run of zeros, to which the rules apply.
const sparse = fc
  .array(fc.constantFrom(0, 0, 0, 1, 0xff, 0xabcd), { minLength: 8, maxLength: 8 })
  .map((groups) => Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 0xff])));

function cidr(text: string): Cidr {
  const block = parseCidr(text);
  assert.ok(typeof block !== "string", String(block));
  return block;
}

describe("formatAddress", () => {
  const table: readonly [string, string][] = [
    ["2001 0db8 0000 0000 0000 0000 0002 0001", "2001:db8::2:1"],
    ["2001 0db8 0000 0001 0001 0001 0001 0001", "2001:db8:0:1:1:1:1:1"],
    ["2001 0000 0000 0001 0000 0000 0000 0001", "2001:0:0:1::1"],
    ["2001 0db8 0000 0000 0001 0000 0000 0001", "2001:db8::1:0:0:1"],
    ["0000 0000 0000 0000 0000 0000 0000 0000", "::"],
    ["0000 0000 0000 0000 0000 0000 0000 0001", "::1"],
    ["fe80 0000 0000 0000 0000 0000 0000 0000", "fe80::"],
    ["0001 0000 0000 0000 0000 0000 0000 0000", "1::"],
    ["0000 0001 0002 0003 0004 0005 0006 0007", "0:1:2:3:4:5:6:7"],
    ["0000 0000 0000 0000 0000 ffff c000 0201", "::ffff:192.0.2.1"],
    ["0064 ff9b 0000 0000 0000 0000 0102 0304", "64:ff9b::102:304"],
    ["ABCD EF01 2345 6789 ABCD EF01 2345 6789", "abcd:ef01:2345:6789:abcd:ef01:2345:6789"],
  ];
  for (const [bytes, text] of table) {
    it(`writes ${text}`, () => assert.equal(formatAddress(hex(bytes), "ipv6"), text));
  }

  it("writes IPv6 as Node does", () => {
    fc.assert(
      fc.property(fc.oneof(sixteen, sparse), (bytes) => {
        // Node writes the deprecated IPv4-compatible block ::/96 with dots; RFC 5952 does not require it.
        fc.pre(bytes.subarray(0, 12).some((byte) => byte !== 0));
        const plain = Buffer.from(bytes).toString("hex").match(/.{4}/g)!.join(":");
        const node = new SocketAddress({ address: plain, family: "ipv6" }).address;
        assert.equal(formatAddress(bytes, "ipv6"), node);
        assert.equal(formatAddress(bytes, "ipv6"), node, "from the cache");
      }),
      { numRuns: 2000 },
    );
  });

  it("writes IPv4 from the first four bytes", () => {
    fc.assert(
      fc.property(sixteen, (bytes) => {
        const text = bytes.subarray(0, 4).join(".");
        assert.equal(formatAddress(bytes, "ipv4"), text);
        assert.equal(formatAddress(bytes.subarray(0, 4), "ipv4"), text);
      }),
    );
  });

  it("never confuses addresses that share a slot of the cache", () => {
    const bytes = new Uint8Array(16);
    bytes[0] = 0x20;
    for (const round of [0, 1]) {
      for (let i = 0; i < 20_000; i++) {
        bytes[14] = i >> 8;
        bytes[15] = i & 0xff;
        const last = i === 0 ? "" : i.toString(16);
        assert.equal(formatAddress(bytes, "ipv6"), `2000::${last}`, `round ${round}`);
        assert.equal(formatAddress(bytes.subarray(12), "ipv4"), `0.0.${i >> 8}.${i & 0xff}`);
      }
    }
  });
});

describe("parseAddress", () => {
  // Pieces of addresses in any order: most texts are wrong in only one place.
  const piece = fc.constantFrom(
    "::",
    ":",
    ":",
    ".",
    "0",
    "1",
    "255",
    "256",
    "01",
    "ff",
    "abcd",
    "12345",
    "1.2.3.4",
    "g",
  );
  const built = fc.array(piece, { maxLength: 17 }).map((pieces) => pieces.join(""));
  const grouped = fc
    .tuple(
      fc.array(fc.constantFrom("0", "1", "FFFF", "", "1.2.3.4", "1.2.3.04"), { maxLength: 9 }),
      fc.boolean(),
    )
    .map(([groups, compressed]) => (compressed ? "::" : "") + groups.join(":"));

  it("accepts exactly what Node accepts as an address without a zone", () => {
    let taken = 0;
    fc.assert(
      fc.property(fc.oneof(built, grouped, fc.ipV6(), fc.ipV4()), (text) => {
        const is = isIP(text) !== 0;
        if (is) taken++;
        assert.equal(parseAddress(text) !== undefined, is, text);
      }),
      { numRuns: 5000 },
    );
    assert.ok(taken > 500, `${taken} were addresses`);
  });
});

describe("parseCidr", () => {
  it("reads blocks and single addresses of both families", () => {
    assert.deepEqual(cidr("10.0.0.0/8"), { bytes: hex("0a".padEnd(32, "0")), prefix: 8, family: "ipv4" });
    assert.deepEqual(cidr("192.0.2.7"), {
      bytes: hex("c0000207".padEnd(32, "0")),
      prefix: 32,
      family: "ipv4",
    });
    assert.deepEqual(cidr("2001:DB8::/32"), {
      bytes: hex("20010db8".padEnd(32, "0")),
      prefix: 32,
      family: "ipv6",
    });
    assert.deepEqual(cidr("::1"), { bytes: hex("1".padStart(32, "0")), prefix: 128, family: "ipv6" });
    assert.deepEqual(cidr("::/0").prefix, 0);
    assert.deepEqual(cidr("0.0.0.0/0").prefix, 0);
    assert.deepEqual(cidr("64:ff9b::1.2.3.4").bytes, hex("0064ff9b000000000000000001020304"));
  });

  it("reads an IPv4-mapped block as the IPv4 block that it is", () => {
    assert.deepEqual(cidr("::ffff:10.0.0.0/104"), cidr("10.0.0.0/8"));
    assert.deepEqual(cidr("::ffff:0:0/96"), cidr("0.0.0.0/0"));
  });

  const wrong: readonly [string, RegExp][] = [
    ["", /"" is not an IP address or CIDR block/],
    ["/8", /not an IP address/],
    ["10.0.0/8", /not an IP address/],
    ["10.0.0.256", /not an IP address/],
    ["localhost", /not an IP address/],
    ["fe80::1%eth0", /not an IP address/],
    ["1::2::3", /not an IP address/],
    [" 10.0.0.0/8", /not an IP address/],
    ["10.0.0.0/33", /prefix length of an IPv4 block is 0 to 32/],
    ["10.0.0.0/", /prefix length of an IPv4 block is 0 to 32/],
    ["10.0.0.0/08", /prefix length/],
    ["10.0.0.0/8/8", /prefix length/],
    ["10.0.0.0/-1", /prefix length/],
    ["::/129", /prefix length of an IPv6 block is 0 to 128/],
    ["10.1.2.3/8", /bits set beyond its prefix length; the block is 10\.0\.0\.0\/8/],
    ["2001:db8::1/32", /the block is 2001:db8::\/32/],
    ["0.0.0.1/0", /the block is 0\.0\.0\.0\/0/],
  ];
  for (const [text, why] of wrong) {
    it(`rejects ${JSON.stringify(text)} and says why`, () => {
      const answer = parseCidr(text);
      assert.ok(typeof answer === "string");
      assert.match(answer, why);
    });
  }

  it("reads back every address that formatAddress writes", () => {
    fc.assert(
      fc.property(fc.oneof(sixteen, sparse), (bytes) => {
        const text = formatAddress(bytes, "ipv6");
        const mapped = text.startsWith("::ffff:") && text.includes(".");
        const read = cidr(text);
        assert.equal(formatAddress(read.bytes, read.family), mapped ? text.slice(7) : text);
        assert.equal(
          formatAddress(cidr(formatAddress(bytes, "ipv4")).bytes, "ipv4"),
          formatAddress(bytes, "ipv4"),
        );
      }),
    );
  });

  it("means the same block as Node's BlockList", () => {
    const v4 = fc.tuple(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.integer({ min: 1, max: 32 }));
    const v6 = fc.tuple(fc.oneof(sixteen, sparse), fc.integer({ min: 1, max: 128 }));
    const check =
      (family: "ipv4" | "ipv6") =>
      ([bytes, prefix]: [Uint8Array, number]): void => {
        const said = parseCidr(`${formatAddress(bytes, family)}/${prefix}`);
        const block = typeof said === "string" ? cidr(said.slice(said.lastIndexOf(" ") + 1)) : said;
        fc.pre(block.family === family);
        const list = new BlockList();
        list.addSubnet(formatAddress(block.bytes, family), prefix, family);
        assert.ok(list.check(formatAddress(bytes, family), family));
        const outside = bytes.slice();
        outside[(prefix - 1) >> 3]! ^= 0x80 >> ((prefix - 1) & 7);
        assert.ok(!list.check(formatAddress(outside, family), family));
      };
    fc.assert(fc.property(v4, check("ipv4")));
    fc.assert(fc.property(v6, check("ipv6")));
  });
});
