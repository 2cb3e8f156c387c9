import assert from "node:assert/strict";
import { Rig } from "../../test/support/rig.ts";
import netqtop from "./index.ts";

const QUEUE = {
  "network.interface.name": "eth0",
  "wirespan.interface.index": 2,
  "wirespan.netns.cookie": 9,
  "wirespan.netns.inode": 3,
  "network.io.direction": "transmit",
  "wirespan.netdev.queue.id": 1,
};
const { "network.io.direction": _, "wirespan.netdev.queue.id": __, ...INTERFACE } = QUEUE;
const id = { name: "eth0", ifindex: 2, netnsCookie: 9, netns: 3, queue: 1 };
const queue = {
  ...id,
  tag: 2 + 2 ** 32,
  way: "transmit",
  frames: 3,
  morePackets: 2,
  bytes: 1000,
  classes: Float64Array.of(1, 0, 2, 0, 0, 0),
  sizes: new Float64Array(160),
} as const;

describe("netqtop's mapping", () => {
  it("reports each queue's packets, bytes, and frames by size", () => {
    const rig = new Rig(netqtop);
    rig.table("queues", [[{ value: 0 }, queue, 0]]);
    const frames = (size: string) => ({ ...QUEUE, "wirespan.netdev.frame.size": size });
    assert.deepEqual(rig.collect(), [
      ["wirespan.netdev.queue.packets", QUEUE, 5],
      ["wirespan.netdev.queue.frames", frames("0-64"), 1],
      ["wirespan.netdev.queue.frames", frames("512-2048"), 2],
      ["wirespan.netdev.queue.io", QUEUE, 1000],
      ["wirespan.netdev.queue.packet.size", QUEUE, { count: 3, sum: 1000 }],
    ]);
  });

  it("adds what a CPU's table evicted, and the remainder that has no queue", () => {
    const rig = new Rig(netqtop);
    rig.record("evicted", queue);
    rig.table("queues", [
      [{ value: 0 }, queue, 1],
      [{ value: 256 }, { frames: 4, morePackets: 1, bytes: 400 }, 1],
    ]);
    const found = rig.collect().map(([name, attributes, value]) => [name, attributes, value] as const);
    const overflow = found.filter(([, attributes]) => attributes["otel.metric.overflow"]);
    assert.deepEqual(overflow, [
      ["wirespan.netdev.queue.packets", { "otel.metric.overflow": true }, 5],
      ["wirespan.netdev.queue.frames", { "otel.metric.overflow": true }, 4],
      ["wirespan.netdev.queue.io", { "otel.metric.overflow": true }, 400],
    ]);
    assert.deepEqual(found[0], ["wirespan.netdev.queue.packets", QUEUE, 10]);
  });

  it("reports the driver's results, its polls, and waits", () => {
    const rig = new Rig(netqtop);
    rig.table("links", [[id, { busy: 1, congested: 3, polls: 5, packets: 60, exhausted: 2 }]]);
    rig.table("waits", [[id, { time: { count: 2, sumNs: 1e9 } }]]);
    const failed = (result: string) => ({ ...INTERFACE, "wirespan.netdev.transmit.result": result });
    assert.deepEqual(rig.collect(), [
      ["wirespan.netdev.transmit.failures", failed("busy"), 1],
      ["wirespan.netdev.transmit.failures", failed("congested"), 3],
      ["wirespan.netdev.queue.wait", QUEUE, { count: 2, sum: 1 }],
      ["wirespan.netdev.napi.polls", INTERFACE, 5],
      ["wirespan.netdev.napi.packets", INTERFACE, 60],
      ["wirespan.netdev.napi.exhausted", INTERFACE, 2],
    ]);
  });

  it("reads what an interface on top of another received from its own statistics", () => {
    const packets = [10, 14];
    const links = () => {
      const link = { index: 5, name: "vlan9", kind: "vlan", packets: packets.shift() ?? 14, bytes: 100 };
      return { namespaces: [{ netns: 3, cookie: 9, links: [link] }], refused: undefined };
    };
    const rig = new Rig(netqtop, { links });
    rig.table("queues", []);
    const vlan = {
      ...QUEUE,
      "network.interface.name": "vlan9",
      "wirespan.interface.index": 5,
      "network.io.direction": "receive",
      "wirespan.netdev.queue.id": 0,
    };
    assert.deepEqual(rig.collect(), [
      ["wirespan.netdev.queue.frames", vlan, 4],
      ["wirespan.netdev.queue.io", vlan, 0],
    ]);
  });
});
