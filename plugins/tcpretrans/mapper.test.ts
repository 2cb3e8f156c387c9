import assert from "node:assert/strict";
import { Rig } from "../../test/support/rig.ts";
import tcpretrans from "./index.ts";

const SERIES = {
  "process.executable.name": "app-7",
  "network.type": "ipv4",
  "wirespan.connection.direction": "outbound",
  "wirespan.tcp.retransmit.type": "fast",
  "network.connection.state": "established",
};
const key = { workload: 7, family: 4, direction: "outbound", type: "fast", state: 1 } as const;

describe("tcpretrans's mapping", () => {
  it("counts segments and bytes, and failures apart", () => {
    const rig = new Rig(tcpretrans);
    rig.table("totals", [
      [key, { attempts: 3, segments: 3, bytes: 4000 }],
      [
        { ...key, error: -11 },
        { attempts: 2, segments: 0, bytes: 0 },
      ],
      [
        { ...key, error: -16 },
        { attempts: 1, segments: 1, bytes: 900 },
      ],
    ]);
    rig.table("totals_overflow", [
      [{ value: 0 }, { attempts: 5, segments: 5, bytes: 50 }],
      [{ value: 0 }, {}],
    ]);
    rig.table("flows_overflow", [[{ value: 0 }, { attempts: 6, segments: 6, bytes: 60 }]]);
    const overflow = { "otel.metric.overflow": true };
    assert.deepEqual(rig.collect(), [
      ["wirespan.tcp.retransmits", SERIES, 3],
      ["wirespan.tcp.retransmits", { ...SERIES, "error.type": "queued" }, 1],
      ["wirespan.tcp.retransmits", overflow, 5],
      ["wirespan.tcp.retransmit.io", SERIES, 4000],
      ["wirespan.tcp.retransmit.io", overflow, 50],
      ["wirespan.tcp.retransmit.failures", { ...SERIES, "error.type": "window_closed" }, 2],
      ["wirespan.tcp.retransmit.failures", { ...SERIES, "error.type": "queued" }, 1],
      ["wirespan.tcp.flow.retransmits", overflow, 6],
    ]);
  });

  it("names the errors of an attempt", () => {
    for (const [error, name] of [
      [0, undefined],
      [-12, "no_memory"],
      [-105, "no_memory"],
      [-101, "network_unreachable"],
      [-113, "host_unreachable"],
      [-1, "filtered"],
      [1, "queue_full"],
      [-22, "_OTHER"],
    ] as const) {
      const rig = new Rig(tcpretrans);
      rig.record("retransmits", { attempt: { error, type: "rto", state: 1 } });
      assert.equal(rig.takeEvents()[0]?.[1]["error.type"], name, String(error));
    }
  });

  it("counts by connection with both addresses and the namespace", () => {
    const rig = new Rig(tcpretrans, { settings: { flows: true } });
    const ends = {
      family: 4,
      local: Uint8Array.of(10, 0, 0, 1),
      localPort: 80,
      peer: Uint8Array.of(10, 0, 0, 2),
      peerPort: 5000,
    };
    rig.table("flows", [[{ workload: 7, ends, netnsCookie: 9, netns: 3 }, { segments: 4 }]]);
    const flow = {
      "process.executable.name": "app-7",
      "network.type": "ipv4",
      "network.local.address": "10.0.0.1",
      "network.local.port": 80,
      "network.peer.address": "10.0.0.2",
      "network.peer.port": 5000,
      "wirespan.netns.cookie": 9,
      "wirespan.netns.inode": 3,
    };
    assert.deepEqual(rig.collect(), [["wirespan.tcp.flow.retransmits", flow, 4]]);
  });

  it("reports a segment, under the ids of its connection once both ends are known", () => {
    const rig = new Rig(tcpretrans);
    const attempt = {
      type: "tlp",
      state: 8,
      sequence: 4_000_000_000,
      flags: 0x1_18,
      segments: 1,
      bytes: 700,
      interface: "eth0",
      ifindex: 2,
    } as const;
    const traffic = { cwnd: 10, srttUs: 2000 };
    rig.record("retransmits", { attempt, happenedAt: 5e9, suppressed: 3, connection: { traffic } });
    rig.record("retransmits", { attempt, connection: { conn: { peerIsn: 1 } } });
    assert.deepEqual(
      rig.events.map(({ context, time }) => [context !== undefined, time.sec]),
      [
        [false, 5],
        [true, 0],
      ],
    );
    const [first, second] = rig.takeEvents().map(([, attributes]) => attributes);
    for (const [name, value] of Object.entries({
      "wirespan.tcp.retransmit.type": "tlp",
      "network.connection.state": "close_wait",
      "wirespan.tcp.sequence": 4_000_000_000,
      "wirespan.tcp.flags": 0x18,
      "wirespan.tcp.segments": 1,
      "wirespan.tcp.bytes": 700,
      "network.interface.name": "eth0",
      "wirespan.interface.index": 2,
      "wirespan.tcp.cwnd": 10,
      "wirespan.tcp.rtt.smoothed": 0.002,
      "wirespan.event.suppressed": 3,
    }))
      assert.equal(first?.[name], value, name);
    for (const name of ["wirespan.tcp.cwnd", "wirespan.tcp.rtt.smoothed", "wirespan.event.suppressed"])
      assert.equal(second?.[name], undefined, name);
  });
});
