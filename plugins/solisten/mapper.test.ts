import assert from "node:assert/strict";
import { constants } from "node:os";
import { Rig } from "../../test/support/rig.ts";
import solisten from "./index.ts";

const { errno } = constants;
const ends = { family: 4, local: Uint8Array.of(0, 0, 0, 0), localPort: 80 };
const task = { pid: 5, tid: 6, uid: 7, workload: 7, comm: "nginx" };
const queue = { protocol: 6, usage: 2, limit: 128 };
const SOCKET = {
  "network.transport": "tcp",
  "network.type": "ipv4",
  "server.address": "0.0.0.0",
  "wirespan.socket.protocol": "tcp",
  "server.port": 80,
  "wirespan.socket.id": "ff",
  "process.pid": 5,
  "process.executable.name": "app-7",
  "thread.name": "nginx",
  "wirespan.thread.tid": 6,
  "wirespan.process.uid": 7,
  "wirespan.netns.cookie": 9,
};

describe("solisten's mapping", () => {
  const socket = { cookie: 255, ends, task, queue, netnsCookie: 9 };

  it("reports a call of listen() with its backlog", () => {
    const rig = new Rig(solisten);
    rig.record("listens", { ...socket, kind: "call", backlog: 511, backlogKnown: true, again: true });
    assert.deepEqual(rig.takeEvents(), [
      [
        "wirespan.socket.listen",
        {
          ...SOCKET,
          "wirespan.socket.backlog_limit": 128,
          "wirespan.socket.backlog": 511,
          "wirespan.socket.listens_already": true,
          "wirespan.socket.errno": 0,
        },
      ],
    ]);
  });

  it("names the errors of listen()", () => {
    for (const [error, name] of [
      [errno.EADDRINUSE, "address_in_use"],
      [errno.EBADF, "bad_descriptor"],
      [errno.ENOTSOCK, "not_a_socket"],
      [errno.EINVAL, "invalid_state"],
      [errno.EOPNOTSUPP, "not_supported"],
      [errno.EACCES, "permission_denied"],
      [errno.EPERM, "permission_denied"],
      [errno.ENOMEM, "_OTHER"],
    ] as const) {
      const rig = new Rig(solisten);
      rig.record("listens", { kind: "call", task, error });
      const [[, attributes] = []] = rig.takeEvents();
      assert.deepEqual(
        [attributes?.["error.type"], attributes?.["wirespan.socket.errno"], attributes?.["server.address"]],
        [name, error, undefined],
      );
    }
  });

  it("reports the end of a listener with what it accepted and what still waits", () => {
    const rig = new Rig(solisten);
    const end = { ...socket, kind: "end", openedAt: 1e9, happenedAt: 4e9, arrived: 10 } as const;
    rig.record("listens", end);
    rig.record("listens", { ...end, beforeStart: true, arrived: 1 });
    const [seen, older] = rig.takeEvents().map(([name, attributes]) => ({ name, ...attributes }));
    for (const [name, value] of Object.entries({
      name: "wirespan.socket.listener.end",
      "wirespan.socket.listener.duration": 3,
      "wirespan.socket.accepted": 8,
      "wirespan.socket.waiting": 2,
    }))
      assert.equal((seen as Record<string, unknown>)[name], value, name);
    assert.equal((older as Record<string, unknown>)["wirespan.socket.listener.duration"], undefined);
    assert.equal((older as Record<string, unknown>)["wirespan.socket.accepted"], 0);
  });

  it("sums listeners of one port, family and workload, and warns once about one that accepts nothing", () => {
    const rig = new Rig(solisten);
    const listener = { cookie: 1, ends, owner: task, queue, netnsCookie: 9, netns: 3 };
    const rows = [listener, { ...listener, cookie: 2, unattended: 31e9 }];
    rig.rows("sweep", rows);
    const series = { "server.port": 80, "network.type": "ipv4", "process.executable.name": "app-7" };
    assert.deepEqual(rig.collect(), [
      ["wirespan.socket.listener.count", series, 2],
      ["wirespan.tcp.accept_queue.usage", series, 4],
      ["wirespan.tcp.accept_queue.limit", series, 256],
    ]);
    rig.rows("sweep", rows);
    const warnings = rig
      .takeEvents()
      .map(([name, attributes]) => [name, attributes["wirespan.socket.waiting_for"]]);
    assert.deepEqual(warnings, [["wirespan.socket.listener.unattended", 31]]);
    rig.rows("sweep", [listener]);
    rig.rows("sweep", rows);
    assert.equal(rig.takeEvents().length, 1, "again once it has been attended to in between");
  });
});
