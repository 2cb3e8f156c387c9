import assert from "node:assert/strict";
import { Rig } from "../../test/support/rig.ts";
import tcptop from "./index.ts";

const IO = "wirespan.tcp.process.io";
const [SENT, RECEIVED] = [{ "network.io.direction": "transmit" }, { "network.io.direction": "receive" }];
const OVERFLOW = { "otel.metric.overflow": true };
const task = (pid: number) => ({ pid, workload: pid, startedAt: 1 });
const row = (pid: number, sentBytes: number) =>
  [
    { pid, startedAt: 1, span: 1 },
    { sentBytes, receivedBytes: 1, task: task(pid) },
  ] as const;

describe("tcptop's mapping", () => {
  it("gives the processes with the most traffic a series, and sums up the others", () => {
    const rig = new Rig(tcptop, { settings: { processes: 1 } });
    rig.table("processes", [row(7, 10), row(8, 1000)]);
    rig.table("rests", [[{ value: 0 }, { sentBytes: 5, receivedBytes: 6 }]]);
    const app = { "process.pid": 8, "process.executable.name": "app-8" };
    assert.deepEqual(rig.collect(), [
      [IO, { ...app, ...SENT }, 1000],
      [IO, { ...app, ...RECEIVED }, 1],
      [IO, { ...OVERFLOW, ...SENT }, 15],
      [IO, { ...OVERFLOW, ...RECEIVED }, 7],
    ]);
  });

  it("reports the connections with the most traffic, swept or closed, and one event for all others", () => {
    for (const [sort, most] of [
      ["all", 3],
      ["sent", 1],
      ["received", 3],
    ] as const) {
      const rig = new Rig(tcptop, { settings: { connections: 1, sort } });
      const flow = (cookie: number, sentBytes: number, receivedBytes: number) => ({
        conn: { cookie, owner: task(7) },
        sentBytes,
        receivedBytes,
      });
      rig.rows("sweep", [flow(1, 50, 0), flow(2, 10, 5)]);
      const removed = rig.table("closed", [
        [{}, flow(3, 20, 60)],
        [{}, flow(2, 1, 1)],
      ]);
      rig.table("rests", [[{ value: 1 }, { sentBytes: 100, receivedBytes: 200 }]]);
      rig.collect();
      assert.deepEqual(removed, [0, 1], "what was read is taken out of the table");
      const [top, others] = rig.takeEvents().map(([, attributes]) => attributes);
      assert.equal(top?.["wirespan.connection.id"], String(most));
      assert.equal(others?.["wirespan.tcp.top.others"], 2);
      const total = (name: string) => Number(top?.[name]) + Number(others?.[name]);
      assert.deepEqual(
        [total("wirespan.tcp.bytes_sent"), total("wirespan.tcp.bytes_received")],
        [50 + 10 + 20 + 1 + 100, 5 + 60 + 1 + 200],
      );
    }
  });
});
