import assert from "node:assert/strict";
import { needBackends } from "./find.ts";
import { startPrometheus, startVictoria } from "./prometheus.ts";

for (const [name, start] of [
  ["prometheus", startPrometheus],
  ["victoria", startVictoria],
] as const) {
  describe(`the tests' metric store: ${name}`, () => {
    before(function () {
      needBackends(this, name);
    });

    it("answers queries, rejects an invalid one, and accepts OTLP at its endpoint", async () => {
      await using store = await start();
      const [one] = await store.query("vector(1)");
      assert.equal(one?.value?.[1], "1");
      await assert.rejects(store.query("vector("), /vector\(: 4\d\d /);
      // An empty protobuf message is an export request without metrics.
      const headers = { "content-type": "application/x-protobuf" };
      const response = await fetch(store.otlpMetrics, { method: "POST", headers, body: new Uint8Array() });
      await response.body?.cancel();
      assert.equal(response.status, 200);
    });
  });
}
