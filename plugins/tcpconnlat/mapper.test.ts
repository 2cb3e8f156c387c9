import assert from "node:assert/strict";
import { Rig } from "../../test/support/rig.ts";
import tcpconnlat from "./index.ts";

describe("tcpconnlat's mapping", () => {
  it("sums durations by workload, family and outcome", () => {
    const rig = new Rig(tcpconnlat);
    rig.table("handshakes", [
      [
        { workload: 7, family: 4 },
        { count: 2, sumNs: 3e9 },
      ],
      [
        { workload: 7, family: 6, closeReason: "refused", error: 111 },
        { count: 1, sumNs: 1e6 },
      ],
      [
        { workload: 0, family: 4, closeReason: "unreachable", error: 101 },
        { count: 1, sumNs: 1e6 },
      ],
    ]);
    rig.table("handshakes_overflow", [[{}, { count: 5, sumNs: 5e9 }]]);
    const name = "wirespan.tcp.connect.duration";
    const direction = { "wirespan.connection.direction": "outbound" };
    const app = { "process.executable.name": "app-7", ...direction };
    assert.deepEqual(rig.collect(), [
      [name, { ...app, "network.type": "ipv4" }, { count: 2, sum: 3 }],
      [
        name,
        { ...app, "network.type": "ipv6", "error.type": "connection_refused" },
        { count: 1, sum: 0.001 },
      ],
      [
        name,
        { ...direction, "network.type": "ipv4", "error.type": "network_unreachable" },
        { count: 1, sum: 0.001 },
      ],
      [name, { "otel.metric.overflow": true }, { count: 5, sum: 5 }],
    ]);
  });

  it("uses the largest exported spans as exemplars of the rows that counted them", () => {
    const rig = new Rig(tcpconnlat);
    const conn = { owner: { pid: 5, workload: 7 }, ends: { family: 4 }, openedAt: 1e9 };
    // It was reset later.
    const reset = { closeReason: "rst_received", error: 104, closedAt: 9e9 } as const;
    rig.leaves("connect", { conn: { ...conn, establishedAt: 3e9, ...reset } });
    rig.leaves("connect", { conn: { ...conn, establishedAt: 2e9 } });
    rig.leaves("connect", { conn: { ...conn, closeReason: "refused", error: 111, closedAt: 1.5e9 } });
    const sum = { count: 2, sumNs: 3e9 };
    rig.table("handshakes", [
      [{ workload: 7, family: 4 }, sum],
      [{ workload: 7, family: 4, closeReason: "refused", error: 111 }, sum],
      [{ workload: 7, family: 6 }, sum],
    ]);
    assert.deepEqual(
      rig.collect().map(([, , value]) => value),
      [
        { count: 2, sum: 3, exemplar: 2 },
        { count: 2, sum: 3, exemplar: 0.5 },
        { count: 2, sum: 3 },
      ],
    );
  });

  it("adds the round-trip time of a handshake only if a single SYN was sent", () => {
    const rig = new Rig(tcpconnlat);
    const RETRANSMITS = "wirespan.tcp.syn.retransmits";
    const traffic = { srttUs: 250 };
    for (const [conn, added] of [
      [{ establishedAt: 1 }, { [RETRANSMITS]: 0, "wirespan.tcp.rtt.smoothed": 0.00025 }],
      [{ establishedAt: 1, handshakeRetransmits: 2 }, { [RETRANSMITS]: 2 }],
      [{ establishedAt: 0 }, { [RETRANSMITS]: 0 }],
      [{ fastopen: true }, { [RETRANSMITS]: 0, "wirespan.tcp.fastopen": true }],
    ] as const)
      assert.deepEqual(rig.enriched("connect", { conn, traffic }), added);
  });
});
