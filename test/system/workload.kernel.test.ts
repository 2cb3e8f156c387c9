// The workloads against the kernel's own account (netstat, nft, ss, /proc): what agents are measured by must
// itself be right.
// Here: who closes and how, and who holds the connection then.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { Netns, needsRoot } from "../support/netns.ts";
import { addresses, pair } from "../support/topology.ts";
import { build, netnsCookie, one, pick, run, start } from "../support/workload.ts";

const { ECONNREFUSED, ECONNRESET, EPIPE } = constants.errno;
const ms = 1e6;

describe("workloads", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  describe("that close a connection", () => {
    it("clientCloses: the client first, the server 50 ms later", async () => {
      await using netns = await Netns.create();
      let ends: Awaited<ReturnType<typeof run>> = [];
      const moved = await netns.moved(async () => {
        ends = await run(netns, "clientCloses");
      });
      const [client, server] = [one(ends, "end", "client"), one(ends, "end", "server")];
      assert.deepEqual([client.sent, client.received, client.errno], [1000, 500, 0]);
      assert.deepEqual([server.sent, server.received, server.errno], [500, 1000, 0]);
      assert.deepEqual([client.comm, server.comm], ["pcli", "psrv"]);
      assert.deepEqual([client.localPort, client.remotePort], [server.remotePort, server.localPort]);
      // Both look at the clock after their close, the first one maybe much later.
      assert.ok(server.endNs > client.endNs);
      assert.ok(client.startNs <= client.openNs && client.openNs <= client.endNs);
      assert.notEqual(client.cookie, server.cookie);
      assert.equal(client.netns, await netnsCookie(netns));
      // The kernel's bytes count the SYN (active side) and a received FIN.
      assert.deepEqual([client.bytesAcked, server.bytesReceived], [1001, 1001]);
      assert.deepEqual([moved["Tcp.ActiveOpens"], moved["Tcp.PassiveOpens"]], [1, 1]);
    });

    it("serverCloses: the server first, each client 45 ms later", async () => {
      await using netns = await Netns.create();
      const lines = await run(netns, "serverCloses", { count: 50 });
      const clients = pick(lines, "end", "client");
      const servers = pick(lines, "end", "server");
      assert.deepEqual([clients.length, servers.length], [50, 50]);
      for (const client of clients) {
        const server = servers.find(({ remotePort }) => remotePort === client.localPort);
        assert.ok(server && client.endNs > server.endNs);
        assert.deepEqual([client.received, server.received, client.errno], [500, 1000, 0]);
      }
    });

    it("halfClose: one half, and 3,000 bytes come 100 ms later", async () => {
      await using netns = await Netns.create();
      const client = one(await run(netns, "halfClose"), "end", "client");
      assert.deepEqual([client.sent, client.received], [100, 3000]);
      assert.ok(client.endNs - client.openNs >= 100 * ms);
    });

    it("reset: by reset", async () => {
      await using netns = await Netns.create();
      const moved = await netns.moved(async () => {
        const lines = await run(netns, "reset");
        assert.deepEqual(
          [one(lines, "end", "client").errno, one(lines, "end", "server").errno],
          [0, ECONNRESET],
        );
      });
      assert.deepEqual([moved["Tcp.OutRsts"], moved["Tcp.EstabResets"]], [1, 2]);
    });

    it("reusedPort: three times on the same two ports, by reset", async () => {
      await using netns = await Netns.create();
      const lines = await run(netns, "reusedPort", { port: 7019, sourcePort: 7020 });
      const clients = pick(lines, "end", "client");
      const servers = pick(lines, "end", "server");
      assert.deepEqual(
        clients.map(({ sent }) => sent),
        [100, 200, 300],
      );
      assert.deepEqual(
        servers.map(({ received }) => received),
        [100, 200, 300],
      );
      assert.ok(servers.every(({ errno, remotePort }) => errno === ECONNRESET && remotePort === 7020));
      assert.equal(new Set([...clients, ...servers].map(({ cookie }) => cookie)).size, 6);
    });

    it("unread: with 300 bytes unread", async () => {
      await using netns = await Netns.create();
      const moved = await netns.moved(async () => {
        const lines = await run(netns, "unread");
        assert.equal(one(lines, "unread").bytes, 300);
        assert.equal(one(lines, "end", "client").errno, ECONNRESET);
      });
      assert.equal(moved["TcpExt.TCPAbortOnClose"], 1);
    });

    it("late: data arrives when the reader is gone", async () => {
      await using netns = await Netns.create();
      const moved = await netns.moved(async () => {
        assert.equal(one(await run(netns, "late"), "end", "client").errno, EPIPE);
      });
      // From the closed socket or, once the FIN is acknowledged, from what waits in its place.
      assert.equal(moved["Tcp.OutRsts"], 1);
    });
  });

  describe("that hand a connection on", () => {
    it("inheritedByChild: to a forked child", async () => {
      await using netns = await Netns.create();
      const lines = await run(netns, "inheritedByChild");
      const [opened, end] = [one(lines, "opened"), one(lines, "end", "client")];
      assert.deepEqual([opened.comm, end.comm, end.sent], ["pcli", "pchild", 10]);
      assert.notEqual(opened.pid, end.pid);
      assert.equal(opened.cookie, end.cookie);
    });

    it("passedToChild: over a unix socket", async () => {
      await using netns = await Netns.create();
      const lines = await run(netns, "passedToChild");
      const [accepted, end] = [one(lines, "accepted"), one(lines, "end", "server")];
      assert.deepEqual([accepted.comm, end.comm, end.sent], ["psrv", "pheir", 77]);
      assert.equal(accepted.cookie, end.cookie);
      assert.equal(one(lines, "end", "client").received, 77);
    });

    it("acceptedByThread: to another thread that accepts", async () => {
      await using netns = await Netns.create();
      const lines = await run(netns, "acceptedByThread");
      const [listening, end] = [one(lines, "listening"), one(lines, "end", "server")];
      assert.equal(listening.tid, listening.pid);
      assert.equal(end.pid, listening.pid);
      assert.notEqual(end.tid, end.pid);
    });

    it("executed: to another program in the same process", async () => {
      await using netns = await Netns.create();
      const lines = await run(netns, "executed");
      const [opened, end] = [one(lines, "opened"), one(lines, "end", "heir")];
      assert.deepEqual([opened.comm, end.comm], ["pcli", "pexec"]);
      assert.deepEqual([opened.pid, opened.cookie], [end.pid, end.cookie]);
      assert.equal(one(lines, "end", "server").received, 50);
    });
  });

  it("speak IPv6 as well as IPv4", async () => {
    await using net = await pair();
    for (const name of [
      "clientCloses",
      "serverCloses",
      "inheritedByChild",
      "passedToChild",
      "halfClose",
      "reset",
      "unread",
    ] as const) {
      const lines = await run(net.a, name, { address: addresses.b6, server: net.b });
      assert.ok(
        pick(lines, "end").every(({ family, mapped }) => family === "ipv6" && !mapped),
        name,
      );
      assert.equal(one(lines, "end", "server").remote, addresses.a6);
    }
    assert.equal(one(await run(net.a, "attempt", { address: addresses.b6 }), "end").errno, ECONNREFUSED);
  });

  it("fail with their output if they cannot run or take too long", async () => {
    await using netns = await Netns.create();
    await assert.rejects(run(netns, "reusedPort"), /sourcePort= is missing/);
    await using held = await start(netns, "held", { limit: 300 });
    const { pid } = await held.until("opened");
    await assert.rejects(held.until("end"), /not done after 300 ms\n.*"listening"/);
    assert.ok(!existsSync(`/proc/${pid}`) || /State:\s*Z/.test(readFileSync(`/proc/${pid}/status`, "utf8")));
  });
});
