import assert from "node:assert/strict";
import { Rig } from "../../test/support/rig.ts";
import tcpsubnet from "./index.ts";

const [SENT, RECEIVED] = [{ "network.io.direction": "transmit" }, { "network.io.direction": "receive" }];
const sum = {
  sentBytes: 1,
  receivedBytes: 2,
  retransmits: 3,
  droppedSent: 4,
  droppedReceived: 5,
  outbound: 6,
  inbound: 7,
};
const seriesOf = (
  name: string,
  [sent, received, again, lostSent, lostReceived, opened, accepted]: number[],
) => {
  const subnet = { "wirespan.subnet.name": name };
  return [
    ["wirespan.tcp.subnet.io", { ...subnet, ...SENT }, sent],
    ["wirespan.tcp.subnet.io", { ...subnet, ...RECEIVED }, received],
    ["wirespan.tcp.subnet.connections", { ...subnet, "wirespan.connection.direction": "outbound" }, opened],
    ["wirespan.tcp.subnet.connections", { ...subnet, "wirespan.connection.direction": "inbound" }, accepted],
    ["wirespan.tcp.subnet.retransmits", subnet, again],
    ["wirespan.tcp.subnet.packet.dropped", { ...subnet, ...SENT }, lostSent],
    ["wirespan.tcp.subnet.packet.dropped", { ...subnet, ...RECEIVED }, lostReceived],
  ];
};

describe("tcpsubnet's mapping", () => {
  it("reports subnets by name even without traffic, `other` only with traffic", () => {
    const none = [0, 0, 0, 0, 0, 0, 0];
    const all = [1, 2, 3, 4, 5, 6, 7];
    for (const [rows, expected] of [
      [[{}, {}], [["corp", none]]],
      [[{}, sum], [["corp", all]]],
      [
        [{ retransmits: 1 }, {}],
        [
          ["corp", none],
          ["other", [0, 0, 1, 0, 0, 0, 0]],
        ],
      ],
    ] as const) {
      const rig = new Rig(tcpsubnet, { settings: { subnets: ["10.0.0.0/8=corp"] } });
      rig.table(
        "sums",
        rows.map((row, value) => [{ value }, row]),
      );
      const found = rig.collect().map((series) => [...series]);
      const wanted = expected.flatMap(([name, values]) => seriesOf(name, [...values]));
      const order = (series: unknown[]) => JSON.stringify(series);
      assert.deepEqual(found.map(order).sort(), wanted.map(order).sort());
    }
  });

  it("ends at the last subnet: rows beyond it are unused", () => {
    const rig = new Rig(tcpsubnet, { settings: { subnets: ["10.0.0.0/8=corp"] } });
    rig.table("sums", [
      [{ value: 1 }, sum],
      [{ value: 2 }, sum],
    ]);
    assert.deepEqual(
      [...new Set(rig.collect().map(([, attributes]) => attributes["wirespan.subnet.name"]))],
      ["corp"],
    );
  });
});
