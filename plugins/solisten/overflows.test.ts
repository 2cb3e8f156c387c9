import assert from "node:assert/strict";
import { parseOverflows } from "./overflows.ts";

describe("the count of listen queue overflows", () => {
  it("is found by name, at any position", () => {
    const netstat = "TcpExt: A ListenOverflows B\nTcpExt: 1 42 3\nIpExt: ListenOverflows\nIpExt: 7\n";
    assert.equal(parseOverflows(netstat), 42);
  });

  it("is unknown if the kernel has none", () => {
    assert.equal(parseOverflows("TcpExt: A B\nTcpExt: 1 3\n"), undefined);
    assert.equal(parseOverflows(""), undefined);
  });
});
