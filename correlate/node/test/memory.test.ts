import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { skip } from "../../../test/support/skip.ts";
import { register, serverCertificate } from "./app.ts";
import { Memory } from "./memory.ts";
import { versions } from "./nodes.ts";
import { collide, Reader } from "./reader.js";

describe("correlate/node: the table as another process sees it", () => {
  for (const { major, program, missing } of versions) {
    it(`Node ${major}: 1000 https requests on 8 connections are in it, each at both ends`, async function () {
      if (!program) skip(this, missing);
      using certificate = serverCertificate();
      if (!certificate) skip(this, "no openssl on this machine");
      // Two connections in one slot are a coincidence, which this test ignores.
      for (let attempt = 0; attempt < 5; attempt++) if (await watch(program, certificate.folder)) return;
      assert.fail("connections shared a slot five times");
    });
  }
});

/** Whether each connection had its own slot; if so, everything was as expected. */
async function watch(program: string, folder: string): Promise<boolean> {
  const app = join(import.meta.dirname, "apps/rounds.js");
  const child = spawn(program, [`--import=${register}`, app, folder], { stdio: ["pipe", "pipe", "inherit"] });
  const gone = once(child, "close");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const round = async (): Promise<string[]> => {
    child.stdin.write("\n");
    return JSON.parse((await lines.next()).value ?? "") as string[];
  };
  try {
    const first = await round();
    if (collide(first.map((each) => each.split(" ")[0] ?? ""))) return false;
    using memory = new Memory(child.pid!);
    const reader = new Reader(new Uint8Array(64 + 4096 * 256));
    memory.copy(reader.table);
    reader.collect();
    for (let i = 0; i < 125; i++) {
      const expected = await round();
      memory.copy(reader.table);
      const found = reader
        .collect()
        .flatMap(({ key, contexts }) => contexts.map((context) => `${key} ${context}`));
      assert.deepEqual(found.sort(), expected.sort());
    }
    return true;
  } finally {
    child.stdin.end();
    await gone;
  }
}
