import assert from "node:assert/strict";
import { constants } from "node:os";
import { Rig } from "../../test/support/rig.ts";
import tcpaccept from "./index.ts";

const { errno } = constants;
const INBOUND = { "wirespan.connection.direction": "inbound" };
const APP = { "process.executable.name": "app-7", "network.type": "ipv4", ...INBOUND };

describe("tcpaccept's mapping", () => {
  it("counts accepted connections, and times those that were never accepted too", () => {
    const rig = new Rig(tcpaccept);
    const [accepted, queued] = [0, 1];
    rig.table("accepts", [
      [
        { workload: 7, family: 4, queued: accepted },
        { connections: 3, duration: { count: 3, sumNs: 6e9 } },
      ],
      [
        { workload: 7, family: 4, queued },
        { connections: 1, duration: { count: 1, sumNs: 2e9 } },
      ],
      [{ workload: 7, family: 6, queued: accepted }, { connections: 1 }],
    ]);
    rig.table("accepts_overflow", [
      [{ value: accepted }, { connections: 5, duration: { count: 4, sumNs: 4e9 } }],
      [{ value: queued }, { connections: 2, duration: { count: 2, sumNs: 1e9 } }],
    ]);
    assert.deepEqual(rig.collect(), [
      ["wirespan.tcp.accept.duration", APP, { count: 3, sum: 6 }],
      ["wirespan.tcp.accept.duration", { ...APP, "error.type": "never_accepted" }, { count: 1, sum: 2 }],
      ["wirespan.tcp.accept.duration", { "otel.metric.overflow": true }, { count: 6, sum: 5 }],
      ["wirespan.tcp.connection.accepted", APP, 3],
      ["wirespan.tcp.connection.accepted", { ...APP, "network.type": "ipv6" }, 1],
      ["wirespan.tcp.connection.accepted", { "otel.metric.overflow": true }, 5],
    ]);
  });

  it("uses the largest exported spans as exemplars of the rows that counted them", () => {
    const rig = new Rig(tcpaccept);
    const conn = { owner: { pid: 5, workload: 7 }, ends: { family: 4 }, openedAt: 1e9 };
    rig.leaves("accept", { conn: { ...conn, acceptedAt: 3e9, closedAt: 9e9 } });
    rig.leaves("accept", { conn: { ...conn, acceptedAt: 2e9 } });
    rig.leaves("accept", { conn: { ...conn, acceptedAt: 8e9, beforeStart: true } });
    rig.leaves("accept", { conn: { ...conn, queued: true, closedAt: 6e9 } });
    const sum = { connections: 2, duration: { count: 2, sumNs: 3e9 } };
    rig.table("accepts", [
      [{ workload: 7, family: 4, queued: 0 }, sum],
      [{ workload: 7, family: 4, queued: 1 }, sum],
    ]);
    const exemplars = rig
      .collect()
      .flatMap(([, , value]) => (typeof value === "number" ? [] : [value.exemplar]));
    assert.deepEqual(exemplars, [2, 5]);
  });

  it("names the errors of accept(), in sums and in events", () => {
    const rig = new Rig(tcpaccept);
    for (const [number, name] of [
      [errno.EMFILE, "too_many_open_files"],
      [errno.ENFILE, "too_many_open_files_in_system"],
      [errno.ENOBUFS, "out_of_memory"],
      [errno.ECONNABORTED, "connection_aborted"],
      [errno.EPERM, "permission_denied"],
      [errno.EINVAL, "_OTHER"],
    ] as const) {
      rig.table("failures", [[{ workload: 7, family: 4, error: number }, { calls: 2 }]]);
      assert.deepEqual(rig.collect(), [["wirespan.tcp.accept.errors", { ...APP, "error.type": name }, 2]]);
      rig.record("failed_accepts", { conn: { error: number, direction: "inbound" }, suppressed: 4 });
      const [[event, attributes] = []] = rig.takeEvents();
      assert.equal(event, "wirespan.tcp.accept.error");
      assert.equal(attributes?.["error.type"], name);
      assert.equal(attributes?.["wirespan.errno"], number);
      assert.equal(attributes?.["wirespan.event.suppressed"], 4);
    }
    rig.table("failures_overflow", [[{}, { calls: 9 }]]);
    assert.deepEqual(rig.collect(), [["wirespan.tcp.accept.errors", { "otel.metric.overflow": true }, 9]]);
  });

  it("reports a failed call with only the listener's end, and its owner", () => {
    const rig = new Rig(tcpaccept);
    const ends = { family: 4, local: Uint8Array.of(10, 0, 0, 1), localPort: 80, peerPort: 9 };
    const owner = { pid: 5, workload: 7 };
    rig.record("failed_accepts", { conn: { ends, owner, openedAt: 2.5e9, error: errno.EMFILE } });
    const [event] = rig.events;
    assert.deepEqual(event?.time, { sec: 2, nsec: 5e8 });
    assert.deepEqual(event?.resource.attributes, { "service.name": "app-7" });
    const [[, attributes] = []] = rig.takeEvents();
    assert.equal(attributes?.["network.local.address"], "10.0.0.1");
    assert.equal(attributes?.["network.local.port"], 80);
    assert.equal(attributes?.["network.peer.port"], undefined);
    assert.equal(attributes?.["wirespan.event.suppressed"], undefined);
  });

  it("adds retransmitted SYN-ACKs and TCP Fast Open to the span", () => {
    const rig = new Rig(tcpaccept);
    assert.deepEqual(rig.enriched("accept", { conn: { handshakeRetransmits: 2, fastopen: true } }), {
      "wirespan.tcp.synack.retransmits": 2,
      "wirespan.tcp.fastopen": true,
    });
  });
});
