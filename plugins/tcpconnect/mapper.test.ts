import assert from "node:assert/strict";
import { Rig } from "../../test/support/rig.ts";
import tcpconnect from "./index.ts";

const NAME = "wirespan.tcp.connect.attempts";
const OUTBOUND = { "wirespan.connection.direction": "outbound" };
const APP = { "process.executable.name": "app-7", "network.type": "ipv4", ...OUTBOUND };
const ENDS = {
  family: 4,
  local: Uint8Array.of(10, 0, 0, 1),
  localPort: 40_000,
  peer: Uint8Array.of(10, 0, 0, 2),
  peerPort: 443,
};

describe("tcpconnect's mapping", () => {
  it("counts attempts by workload, family and outcome", () => {
    const rig = new Rig(tcpconnect);
    rig.table("attempts", [
      [{ workload: 7, ends: ENDS }, { count: 3 }],
      [{ workload: 7, ends: ENDS, closeReason: "timeout", error: 110 }, { count: 1 }],
      [{ workload: 1, ends: ENDS }, { count: 4 }],
    ]);
    rig.table("attempts_overflow", [[{}, { count: 2 }]]);
    assert.deepEqual(rig.collect(), [
      [NAME, APP, 3],
      [NAME, { ...APP, "error.type": "timed_out" }, 1],
      [NAME, { "otel.metric.overflow": true }, 6],
    ]);
  });

  it("adds addresses, and the source port, as settings say", () => {
    const flow = {
      "network.local.address": "10.0.0.1",
      "network.peer.address": "10.0.0.2",
      "network.peer.port": 443,
    };
    for (const [settings, added] of [
      [{ flows: true }, flow],
      [
        { flows: true, sourcePorts: true },
        { ...flow, "network.local.port": 40_000 },
      ],
      [{ sourcePorts: true }, {}],
    ] as const) {
      const rig = new Rig(tcpconnect, { settings });
      rig.table("attempts", [[{ workload: 7, ends: ENDS }, { count: 1 }]]);
      assert.deepEqual(rig.collect(), [[NAME, { ...APP, ...added }, 1]]);
    }
  });

  it("adds the name that DNS gave the process for the address", () => {
    const rig = new Rig(tcpconnect, { settings: { dns: true } });
    // An answer for a.io: 10.0.0.2, with a time to live of 60 s.
    const message = Buffer.alloc(1024);
    message.set(
      Buffer.from("000181800001000100000000016102696f0000010001c00c00010001" + "0000003c00040a000002", "hex"),
    );
    const [asker, serial, size] = [{ netnsCookie: 1, pid: 5, startedAt: 9 }, 77, 38];
    rig.record("dns", { serial, happenedAt: 2e9, size, message });
    rig.record("dns", { serial, happenedAt: 2e9, ...asker });
    const conn = { ends: ENDS, netnsCookie: 1, owner: { pid: 5, startedAt: 9 }, openedAt: 3e9 };
    assert.deepEqual(rig.enriched("connect", { conn }), {
      "dns.question.name": "a.io",
      "wirespan.dns.answer.age": 1,
    });
    assert.deepEqual(rig.enriched("connect", { conn: { ...conn, owner: { pid: 6, startedAt: 9 } } }), {});
  });
});
