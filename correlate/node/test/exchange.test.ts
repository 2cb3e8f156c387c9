import assert from "node:assert/strict";
import { skip } from "../../../test/support/skip.ts";
import { run, serverCertificate } from "./app.ts";
import { versions } from "./nodes.ts";

describe("correlate/node: requests", () => {
  let certificate: ReturnType<typeof serverCertificate>;
  before(() => {
    certificate = serverCertificate();
  });
  after(() => certificate?.[Symbol.dispose]());

  for (const { major, program, missing } of versions) {
    const many = major === 24 ? 1000 : 200;
    const rows: readonly [kind: string, requests: number, concurrency: number][] = [
      ["http", many, 8],
      ["https", many, 8],
      ["fetch", 200, 8],
      ["fetchs", 200, 8],
      ["h2c", 203, 7],
      ["h2", major === 24 ? 1001 : 203, 7],
    ];
    // The middle version only runs the kinds with TLS.
    const some = rows.filter(([kind]) => major !== 22 || ["https", "fetchs", "h2"].includes(kind));
    for (const [kind, requests, concurrency] of some) {
      it(`Node ${major}: each of ${requests} ${kind} requests, ${concurrency} at once, labels its connection at both ends`, async function () {
        if (!program) skip(this, missing);
        if (!certificate) skip(this, "no openssl on this machine");
        const counts = await run(program, "exchange.js", [kind, requests, concurrency, certificate.folder]);
        const expected = 2 * (requests + 1);
        assert.deepEqual(counts, {
          expected,
          right: expected,
          wrong: 0,
          overrun: 0,
          ended: 0,
          written: expected,
          failures: 0,
        });
      });
    }

    it(`Node ${major}: those of 16 concurrent streams that do not fit into the ring are counted`, async function () {
      if (!program) skip(this, missing);
      if (!certificate) skip(this, "no openssl on this machine");
      const counts = await run(program, "exchange.js", ["h2", 320, 16, certificate.folder]);
      assert.equal(counts.expected, 2 * 321);
      assert.equal(counts.right + counts.overrun, counts.expected);
      assert.equal(counts.wrong, 0);
      assert.ok(counts.overrun > 0, "16 streams fit into rings of 7");
    });
  }
});
