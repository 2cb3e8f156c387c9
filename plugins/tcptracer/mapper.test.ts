import assert from "node:assert/strict";
import { spansWith } from "../../core/plugin/connection.ts";
import { Rig } from "../../test/support/rig.ts";
import tcptracer from "./index.ts";

describe("tcptracer's mapping", () => {
  it("requests all three spans as they are, and reports nothing of its own", () => {
    const rig = new Rig(tcptracer);
    assert.deepEqual(spansWith([tcptracer.spans ?? {}]), spansWith([]));
    assert.deepEqual(Object.keys(tcptracer.spans ?? {}).sort(), ["accept", "connect", "connection"]);
    assert.deepEqual([rig.collect(), rig.takeEvents()], [[], []]);
  });
});
