import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KernelSymbols } from "./symbols.ts";

describe("kernel symbols", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "wirespan-symbols-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  function symbols(text: string): { symbols: KernelSymbols; said: string[] } {
    const path = join(folder, "kallsyms");
    writeFileSync(path, text);
    const said: string[] = [];
    return { symbols: new KernelSymbols((why) => said.push(why), path), said };
  }

  it("name the function that contains an address, with the offset", () => {
    const { symbols: found } = symbols(
      [
        "ffffffff81000000 T _text",
        "ffffffff81a00100 t tcp_v4_rcv",
        "ffffffff81a00000 T tcp_v4_do_rcv",
        "ffffffff81a00080 d not_text",
        "ffffffffc0001000 t nft_do_chain\t[nf_tables]",
        "",
      ].join("\n"),
    );
    assert.equal(found.name(0x81a00100, 0xffffffff), "tcp_v4_rcv+0x0");
    assert.equal(found.name(0x81a001ff, 0xffffffff), "tcp_v4_rcv+0xff");
    assert.equal(found.name(0x81a000ff, 0xffffffff), "tcp_v4_do_rcv+0xff");
    assert.equal(found.name(0xc0001010, 0xffffffff), "nft_do_chain+0x10");
    assert.equal(found.name(0x80ffffff, 0xffffffff), "0xffffffff80ffffff");
    assert.equal(found.name(0xd0000000, 0xffffffff), "0xffffffffd0000000");
  });

  it("are addresses if the kernel hides its own, which is logged once", () => {
    const { symbols: found, said } = symbols("0000000000000000 T _text\n0000000000000000 t tcp_v4_rcv\n");
    assert.equal(found.name(0x81a00100, 0xffffffff), "0xffffffff81a00100");
    assert.equal(found.name(0x00000001, 0xffffffff), "0xffffffff00000001");
    assert.equal(said.length, 1);
  });
});
