import assert from "node:assert/strict";
import { NOW, Rig } from "../../test/support/rig.ts";
import tcplife from "./index.ts";

const traffic = {
  sentBytes: 100,
  receivedBytes: 200,
  retransmittedBytes: 10,
  sentSegments: 5,
  receivedSegments: 6,
  retransmits: 1,
  lost: 2,
};
const COUNTS = {
  "wirespan.tcp.segments_sent": 5,
  "wirespan.tcp.segments_received": 6,
  "wirespan.tcp.retransmits": 1,
  "wirespan.tcp.bytes_retransmitted": 10,
  "wirespan.tcp.lost": 2,
};

describe("tcplife's mapping", () => {
  it("sums lives by workload, direction, family and close reason", () => {
    const rig = new Rig(tcplife);
    rig.table("lives", [
      [
        { workload: 7, family: 4, direction: "inbound", closeReason: "fin_remote" },
        {
          connections: 2,
          duration: { count: 2, sumNs: 4e9 },
          rtt: { count: 1, sumNs: 1e6 },
          sentBytes: 10,
          receivedBytes: 20,
        },
      ],
      // Open connections: bytes only.
      [{ workload: 7, direction: "outbound" }, { sentBytes: 1 }],
    ]);
    rig.table("lives_overflow", [
      [{}, { connections: 3, duration: { count: 3, sumNs: 3e9 }, sentBytes: 5, receivedBytes: 6 }],
      [{}, {}],
    ]);
    const app = { "process.executable.name": "app-7" };
    const closed = {
      ...app,
      "network.type": "ipv4",
      "wirespan.connection.direction": "inbound",
      "wirespan.tcp.close.reason": "fin_remote",
    };
    const living = {
      ...app,
      "wirespan.connection.direction": "outbound",
      "wirespan.tcp.close.reason": "none",
    };
    const overflow = { "otel.metric.overflow": true };
    const [sent, received] = [{ "network.io.direction": "transmit" }, { "network.io.direction": "receive" }];
    assert.deepEqual(rig.collect(), [
      ["wirespan.tcp.connection.duration", closed, { count: 2, sum: 4 }],
      ["wirespan.tcp.connection.duration", overflow, { count: 3, sum: 3 }],
      ["wirespan.tcp.connection.rtt", closed, { count: 1, sum: 0.001 }],
      ["wirespan.tcp.connection.closed", closed, 2],
      ["wirespan.tcp.connection.closed", overflow, 3],
      ["wirespan.tcp.io", { ...closed, ...sent }, 10],
      ["wirespan.tcp.io", { ...closed, ...received }, 20],
      ["wirespan.tcp.io", { ...living, ...sent }, 1],
      ["wirespan.tcp.io", { ...living, ...received }, 0],
      ["wirespan.tcp.io", { ...overflow, ...sent }, 5],
      ["wirespan.tcp.io", { ...overflow, ...received }, 6],
    ]);
  });

  it("has the largest of the spans that leave as exemplars of the rows that have counted them", () => {
    const rig = new Rig(tcplife);
    const conn = {
      ...{ owner: { pid: 5, workload: 7 }, ends: { family: 4 }, openedAt: 1e9 },
      ...({ direction: "inbound", closeReason: "fin_remote" } as const),
    };
    rig.leaves("connection", { conn: { ...conn, closedAt: 4e9 }, traffic: { srttUs: 100 } });
    rig.leaves("connection", { conn: { ...conn, closedAt: 3e9 }, traffic: { srttUs: 300 } });
    rig.leaves("connection", { conn: { ...conn, closedAt: 9e9, beforeStart: true } });
    rig.leaves("connection", { conn: { ...conn, closedAt: 8e9, begunUnseen: true } });
    rig.leaves("connection", { conn: { ...conn, closedAt: 7e9, closeReason: "rst_sent" } });
    const life = { connections: 2, duration: { count: 2, sumNs: 5e9 }, rtt: { count: 2, sumNs: 4e5 } };
    const key = { workload: 7, family: 4, direction: "inbound", closeReason: "fin_remote" } as const;
    rig.table("lives", [
      [key, life],
      [{ ...key, direction: "outbound" }, life],
    ]);
    const exemplars = rig
      .collect()
      .flatMap(([name, , value]) => (typeof value === "number" ? [] : [[name.slice(24), value.exemplar]]));
    assert.deepEqual(exemplars, [
      ["duration", 3],
      ["duration", undefined],
      ["rtt", 0.0003],
      ["rtt", undefined],
    ]);
  });

  it("adds the socket's statistics to the span, without those that the kernel does not have", () => {
    const rig = new Rig(tcplife);
    for (const [more, added] of [
      [{}, {}],
      [{ rttVarUs: 9 }, {}],
      [
        { srttUs: 500, rttVarUs: 250 },
        { "wirespan.tcp.rtt.smoothed": 0.0005, "wirespan.tcp.rtt.variation": 0.00025 },
      ],
      [{ minRttUs: 100 }, { "wirespan.tcp.rtt.min": 0.0001 }],
      [
        { cwnd: 10, reordering: 3 },
        { "wirespan.tcp.reordering": 3, "wirespan.tcp.cwnd": 10 },
      ],
      [{ spurious: 2 }, { "wirespan.tcp.spurious_retransmits": 2 }],
      [{ unread: 7 }, { "wirespan.tcp.bytes_unread": 7 }],
    ] as const)
      assert.deepEqual(rig.enriched("connection", { traffic: { ...traffic, ...more } }), {
        ...COUNTS,
        ...added,
      });
    const fastopen = rig.enriched("connection", { traffic, conn: { fastopen: true } });
    assert.deepEqual(fastopen, { ...COUNTS, "wirespan.tcp.fastopen": true });
  });

  it("reports an open connection with its bytes so far, under the ids of its span", () => {
    const rig = new Rig(tcplife);
    const [traceId, spanId] = [new Uint8Array(16).fill(1), new Uint8Array(8).fill(2)];
    rig.rows("sweep", [{ traceId, spanId, traffic, conn: { owner: { pid: 5, workload: 7 } } }]);
    const [event] = rig.events;
    assert.deepEqual(event?.context, { traceId, spanId });
    assert.deepEqual(event?.time, { sec: NOW / 1e9, nsec: 0 });
    assert.deepEqual(event?.resource.attributes, { "service.name": "app-7" });
    const [[name, attributes] = []] = rig.takeEvents();
    assert.equal(name, "wirespan.tcp.connection.checkpoint");
    assert.equal(attributes?.["wirespan.tcp.bytes_sent"], 100);
    assert.equal(attributes?.["wirespan.tcp.bytes_received"], 200);
    assert.equal(attributes?.["wirespan.tcp.segments_sent"], 5);
    assert.equal(attributes?.["process.pid"], 5);
  });
});
