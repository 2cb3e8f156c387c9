import assert from "node:assert/strict";
import { Rig } from "../../test/support/rig.ts";
import softirqs from "./index.ts";

const enums = { NET_RX_SOFTIRQ: { 2: "NET_TX_SOFTIRQ", 3: "NET_RX_SOFTIRQ" } };
const vectors = [
  [{ value: 3 }, { runs: 4, time: { count: 4, sumNs: 8e9 }, wait: { count: 1, sumNs: 1e9 } }, 1],
  [{ value: 2 }, { runs: 1, time: { count: 1, sumNs: 1e9 } }, 0],
  [{ value: 11 }, { runs: 1, time: { count: 1, sumNs: 1e9 } }, 0],
  [{ value: 5 }, {}, 0],
] as const;
const polls = [[{}, { polls: 3, packets: 90, exhausted: 1 }, 1]] as const;

describe("softirqs's mapping", () => {
  it("names vectors as the kernel does, and leaves out those that never ran", () => {
    const rig = new Rig(softirqs, { enums });
    rig.table("vectors", vectors);
    rig.table("polls", polls);
    const rx = { "wirespan.softirq.vector": "net_rx" };
    const tx = { "wirespan.softirq.vector": "net_tx" };
    const unnamed = { "wirespan.softirq.vector": "11" };
    assert.deepEqual(rig.collect(), [
      ["wirespan.softirq.duration", rx, { count: 4, sum: 8 }],
      ["wirespan.softirq.duration", tx, { count: 1, sum: 1 }],
      ["wirespan.softirq.duration", unnamed, { count: 1, sum: 1 }],
      ["wirespan.softirq.time", rx, 8],
      ["wirespan.softirq.time", tx, 1],
      ["wirespan.softirq.time", unnamed, 1],
      ["wirespan.softirq.runs", rx, 4],
      ["wirespan.softirq.runs", tx, 1],
      ["wirespan.softirq.runs", unnamed, 1],
      ["wirespan.softirq.latency", rx, { count: 1, sum: 1 }],
      ["wirespan.softirq.napi.polls", {}, 3],
      ["wirespan.softirq.napi.packets", {}, 90],
      ["wirespan.softirq.napi.exhausted", {}, 1],
    ]);
  });

  it("adds the CPU with perCpu", () => {
    const rig = new Rig(softirqs, { enums, settings: { perCpu: true } });
    rig.table("vectors", vectors);
    rig.table("polls", polls);
    const cpus = rig.collect().map(([name, attributes]) => [name, attributes["cpu.logical_number"]]);
    assert.deepEqual(
      cpus.filter(([name]) => name === "wirespan.softirq.runs"),
      [
        ["wirespan.softirq.runs", 1],
        ["wirespan.softirq.runs", 0],
        ["wirespan.softirq.runs", 0],
      ],
    );
    assert.deepEqual(cpus.at(-1), ["wirespan.softirq.napi.exhausted", 1]);
  });
});
