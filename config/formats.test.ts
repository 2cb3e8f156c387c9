import assert from "node:assert/strict";
import fc from "fast-check";
import { BadValue, cidrs, duration, fraction, map, ports, type Reader, readerOf, size } from "./formats.ts";

const refuses = (reader: Reader, ...texts: string[]): void => {
  for (const text of texts) assert.throws(() => reader.read(text), BadValue, text);
};

describe("formats", () => {
  it("read durations as milliseconds", () => {
    const read = (text: string) => duration().read(text);
    assert.deepEqual(
      ["0", "500ms", "10s", "5m", "2h", "1.5s"].map(read),
      [0, 500, 10_000, 300_000, 7_200_000, 1500],
    );
    assert.deepEqual(["3us", "3µs", "250ns", "0.5ms"].map(read), [0.003, 0.003, 0.00025, 0.5]);
    refuses(duration(), "", "10", "-1s", "1d", "1 s", "s", "1e3ms", "Infinitys", "1.s");
    refuses(duration(1), "0", "0.5ms");
    assert.equal(duration().read("596h"), 596 * 3_600_000);
    // A timer would treat these as 1 ms.
    refuses(duration(), "597h", "720h", "2147483648ms", "35792m", "999999999999999h");
  });

  it("read sizes as bytes", () => {
    const read = (text: string) => size().read(text);
    assert.deepEqual(
      ["0", "512", "1B", "4KiB", "32MiB", "1GiB", "1kB", "1.5KiB"].map(read),
      [0, 512, 1, 4096, 33554432, 1073741824, 1000, 1536],
    );
    refuses(size(), "", "-1", "1.5", "1 MiB", "1TiB", "0x10", "999999999999GiB");
  });

  it("read fractions", () => {
    const read = (text: string) => fraction.read(text);
    assert.deepEqual(
      ["0", "1", "1.0", "0.01", ".5", "1e-3", " 0.25 "].map(read),
      [0, 1, 1, 0.01, 0.5, 0.001, 0.25],
    );
    refuses(fraction, "", "-0.1", "1.01", "2", "10%", "1/10", "NaN", "Infinity", "0x1", "1e999", ".", "0,1");
  });

  it("format values so that they are read as the same values", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (n) => {
        assert.equal(fraction.read(fraction.show(n)), n);
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 40 }), (n) => {
        assert.equal(size().read(size().show(n)), n);
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 596 * 3_600_000 }), (n) => {
        assert.equal(duration().read(duration().show(n)), n);
      }),
    );
    fc.assert(
      fc.property(
        fc.dictionary(fc.stringMatching(/^[a-z.]{1,9}$/), fc.string({ unit: "grapheme" })),
        (entries) => {
          const values = new Map(Object.entries(entries).map(([key, value]) => [key, value.trim()]));
          assert.deepEqual(map.read(map.show(values)), values);
        },
      ),
    );
  });

  it("read ports and ranges of ports", () => {
    assert.deepEqual(ports.read("22, 8000-8999,0,65535"), ["22", "8000-8999", "0", "65535"]);
    refuses(ports, "65536", "9-8", "-1", "1-", "http", "1.5", "1-2-3");
  });

  it("read addresses and CIDRs", () => {
    const good = ["10.0.0.0/8", "127.0.0.1", "::/0", "fd00::/8", "::ffff:10.0.0.1/128"];
    assert.deepEqual(cidrs.read(good.join(",")), good);
    refuses(
      cidrs,
      "10.0.0.0/33",
      "::/129",
      "10.0.0",
      "10.0.0.0/",
      "/8",
      "fe80::1%eth0",
      "host",
      "10.0.0.0/8/8",
    );
  });

  it("read nothing but booleans and counts as such", () => {
    assert.equal(readerOf("boolean").read("TRUE"), true);
    refuses(readerOf("boolean"), "", "1", "yes", "constructor");
    assert.equal(readerOf("count").read("12"), 12);
    refuses(readerOf("count"), "", "-1", "1.0", "1e3", "99999999999999999999");
  });

  it("read pairs with percent-encoding", () => {
    assert.deepEqual(
      map.read("a=1, b=x%20y,c=,d=e=f"),
      new Map([
        ["a", "1"],
        ["b", "x y"],
        ["c", ""],
        ["d", "e=f"],
      ]),
    );
    refuses(map, "a", "=1", "a=%zz");
  });
});
