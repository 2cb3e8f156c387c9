import assert from "node:assert/strict";
import { Rig } from "../../test/support/rig.ts";
import tcpstates from "./index.ts";

const [ESTABLISHED, CLOSE, CLOSE_WAIT, LISTEN] = [1, 7, 8, 10];

describe("tcpstates's mapping", () => {
  it("sums the time in a state by workload and direction", () => {
    const rig = new Rig(tcpstates);
    const key = { workload: 7, state: CLOSE_WAIT, direction: "inbound" } as const;
    rig.table("dwells", [[key, { count: 2, sumNs: 5e9 }]]);
    rig.table("dwells_overflow", [
      [{ value: ESTABLISHED }, { count: 1, sumNs: 1e9 }],
      [{ value: LISTEN }, {}],
    ]);
    const name = "wirespan.tcp.state.duration";
    const series = {
      "process.executable.name": "app-7",
      "wirespan.connection.direction": "inbound",
      "network.connection.state": "close_wait",
    };
    assert.deepEqual(rig.collect(), [
      [name, series, { count: 2, sum: 5 }],
      [name, { "otel.metric.overflow": true }, { count: 1, sum: 1 }],
    ]);
  });

  it("counts sockets in each state that one can stay in, also zero", () => {
    const rig = new Rig(tcpstates);
    const sockets = new Uint32Array(16);
    sockets.set([0, 11, 22, 33, 44, 55, 66, 77, 88, 99, 110, 121]);
    rig.rows("sweep", [{ sockets: Float64Array.from(sockets) as never }]);
    const counts = rig
      .collect()
      .map(([, attributes, value]) => [attributes["network.connection.state"], value]);
    assert.deepEqual(Object.fromEntries(counts), {
      established: 11,
      syn_sent: 22,
      syn_received: 33,
      fin_wait_1: 44,
      fin_wait_2: 55,
      close_wait: 88,
      last_ack: 99,
      listen: 110,
      closing: 121,
    });
  });

  it("reports a change with both states; a listener has no span", () => {
    const rig = new Rig(tcpstates);
    const context = { pid: 5, comm: "curl" };
    rig.record("changes", { oldState: ESTABLISHED, newState: CLOSE, duration: 2e9, changedAt: 3e9, context });
    rig.record("changes", { oldState: CLOSE, newState: LISTEN });
    assert.deepEqual(
      rig.events.map(({ time, context }) => [time.sec, context !== undefined]),
      [
        [3, true],
        [0, false],
      ],
    );
    const [change, listen] = rig.takeEvents().map(([, attributes]) => attributes);
    for (const [name, value] of Object.entries({
      "network.connection.state": "closed",
      "wirespan.tcp.state.previous": "established",
      "wirespan.tcp.state.duration": 2,
      "wirespan.process.context.pid": 5,
      "wirespan.process.context.name": "curl",
    }))
      assert.equal(change?.[name], value, name);
    for (const name of ["wirespan.tcp.state.duration", "wirespan.process.context.pid"])
      assert.equal(listen?.[name], undefined, name);
  });
});
