import assert from "node:assert/strict";
import { Rig } from "../../test/support/rig.ts";
import tcpdrop from "./index.ts";

const enums = { skb_drop_reason: { 2: "SKB_DROP_REASON_NOT_SPECIFIED", 3: "SKB_DROP_REASON_NO_SOCKET" } };
const NAMESPACE = { "wirespan.netns.cookie": 9, "wirespan.netns.inode": 4_026_531_840 };
const OWNER = { "process.executable.name": "app-7" };

describe("tcpdrop's mapping", () => {
  it("counts drops by reason, state, direction, family and workload", () => {
    const rig = new Rig(tcpdrop, { enums });
    rig.table("totals", [
      [{ workload: 7, reason: 3, state: 1, way: "receive", family: 4 }, { packets: 2 }],
      [{ reason: 2, way: "transmit", family: 6 }, { packets: 1 }],
      [{ reason: 999, way: "receive", family: 4 }, { packets: 5 }],
    ]);
    rig.table("totals_overflow", [
      [{ value: 0 }, { packets: 3 }],
      [{ value: 0 }, {}],
    ]);
    rig.table("listeners_overflow", [[{ value: 0 }, { packets: 4 }]]);
    const name = "wirespan.tcp.packet.dropped";
    const REASON = "wirespan.packet.drop.reason";
    assert.deepEqual(rig.collect(), [
      [
        name,
        {
          [REASON]: "NO_SOCKET",
          "network.connection.state": "established",
          "network.io.direction": "receive",
          "network.type": "ipv4",
          ...OWNER,
        },
        2,
      ],
      [name, { [REASON]: "NOT_SPECIFIED", "network.io.direction": "transmit", "network.type": "ipv6" }, 1],
      [name, { [REASON]: "REASON_999", "network.io.direction": "receive", "network.type": "ipv4" }, 5],
      [name, { "otel.metric.overflow": true }, 3],
      ["wirespan.tcp.listener.dropped", { "otel.metric.overflow": true }, 4],
    ]);
  });

  it("counts what listeners reject, and reports what is new as one event", () => {
    const rig = new Rig(tcpdrop, { enums });
    const key = { workload: 7, port: 80, netnsCookie: 9, netns: 4_026_531_840 };
    const series = { ...OWNER, "server.port": 80, ...NAMESPACE };
    for (const [packets, events] of [
      [3, [3]],
      [3, []],
      [5, [2]],
    ] as const) {
      rig.table("listeners", [[key, { packets }]]);
      assert.deepEqual(rig.collect(), [["wirespan.tcp.listener.dropped", series, packets]]);
      const reported = rig.takeEvents().map(([, attributes]) => attributes["wirespan.packet.count"]);
      assert.deepEqual(reported, events);
    }
  });

  it("reports no event of a listener with eventRate 0", () => {
    const rig = new Rig(tcpdrop, { enums, settings: { eventRate: 0 } });
    rig.table("listeners", [[{ workload: 7, port: 80 }, { packets: 3 }]]);
    assert.deepEqual(rig.events, []);
  });

  it("describes a packet with what could be read of it", () => {
    const rig = new Rig(tcpdrop, { enums });
    const packet = { family: 4, source: Uint8Array.of(10, 0, 0, 1), destination: Uint8Array.of(10, 0, 0, 2) };
    const conn = { netnsCookie: 9, netns: 4_026_531_840 };
    const drop = { reason: 3, way: "receive", packet, connection: { conn } } as const;
    rig.record("drops", drop);
    rig.record("drops", { ...drop, packet: { ...packet, sourcePort: 1, destinationPort: 80, flags: 0x12 } });
    rig.record("drops", { ...drop, hasConnection: true, hasIds: true, segments: 4, suppressed: 6 });
    assert.deepEqual(
      rig.events.map(({ context }) => context !== undefined),
      [false, false, true],
    );
    const [unreadable, readable, known] = rig.takeEvents().map(([, attributes]) => attributes);
    assert.deepEqual(unreadable, {
      ...NAMESPACE,
      "network.transport": "tcp",
      "network.type": "ipv4",
      "source.address": "10.0.0.1",
      "destination.address": "10.0.0.2",
      "wirespan.packet.drop.reason": "NO_SOCKET",
      "network.io.direction": "receive",
      "wirespan.packet.drop.location": unreadable?.["wirespan.packet.drop.location"],
    });
    assert.deepEqual(
      [readable?.["source.port"], readable?.["destination.port"], readable?.["wirespan.tcp.flags"]],
      [1, 80, ["syn", "ack"]],
    );
    assert.equal(known?.["wirespan.connection.id"], "0");
    assert.equal(known?.["wirespan.packet.segments"], 4);
    assert.equal(known?.["wirespan.event.suppressed"], 6);
  });
});
