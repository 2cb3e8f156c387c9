// tcplife with real connections, compared with what their programs and the kernel report.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { type Agent, type Row, startAgent } from "../../test/support/agent.ts";
import { assertRow, Ends, expectedRow, pairs } from "../../test/support/connection-ends.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { skip } from "../../test/support/skip.ts";
import { addresses, pair, routed, routedAddresses } from "../../test/support/topology.ts";
import { build, one, pick, run } from "../../test/support/workload.ts";

const REASON = "wirespan.tcp.close.reason";
const SENT = "wirespan.tcp.bytes_sent";
const RECEIVED = "wirespan.tcp.bytes_received";

/** Seconds from start to end. */
function seconds(row: Row): number {
  return (Date.parse(String(row.end)) - Date.parse(String(row.start))) / 1000;
}

const families = [
  { family: "IPv4", address: addresses.b },
  { family: "IPv6", address: addresses.b6 },
] as const;

describe("tcplife", () => {
  let agent: Agent;

  before(async function () {
    needsRoot(this);
    await build();
    // Room for what other tests do at the same time.
    agent = await startAgent(["trace", "tcplife", "--json", "--set", "ring.core=64MiB"]);
  });

  after(async () => {
    await agent?.[Symbol.asyncDispose]();
  });

  for (const { family, address } of families) {
    describe(`over ${family}`, () => {
      it("reports both ends of a connection that the client closes first", async () => {
        await using net = await pair();
        const ends = new Ends(agent, net.a, net.b);
        const lines = await run(net.a, "clientCloses", { address, server: net.b });
        const { opener, acceptor } = await ends.both();
        const [client, server] = [one(lines, "end", "client"), one(lines, "end", "server")];
        const common = { status: "unset", "error.type": undefined, kind: "internal" };
        assertRow(opener, {
          ...expectedRow(client),
          ...common,
          [REASON]: "fin_local",
          "process.executable.name": "pcli",
          "wirespan.process.source": "connect",
          "wirespan.process.uid": 0,
        });
        assertRow(acceptor, {
          ...expectedRow(server),
          ...common,
          [REASON]: "fin_remote",
          "process.executable.name": "psrv",
          "wirespan.process.source": "io",
        });
        assert.deepEqual([opener[SENT], opener[RECEIVED]], [1000, 500]);
        assert.ok(seconds(acceptor) >= 0.05, "the server closed 50 ms later");
      });

      it("reports a server that closes first on its own, 200 times of 200", async () => {
        await using net = await pair();
        const ends = new Ends(agent, net.a, net.b);
        const lines = await run(net.a, "serverCloses", { address, server: net.b, count: 200 });
        const both = pairs(await ends.all(400));
        const [client, server] = [one(lines, "listening", "server"), pick(lines, "end", "client")[0]];
        assert.equal(both.length, 200);
        for (const { opener, acceptor } of both) {
          assertRow(acceptor, {
            "thread.name": "psrv",
            "process.pid": client.pid,
            [REASON]: "fin_local",
            [SENT]: 500,
            [RECEIVED]: 1000,
          });
          assertRow(opener, {
            "thread.name": "pcli",
            "process.pid": server?.pid,
            [REASON]: "fin_remote",
            [SENT]: 1000,
            [RECEIVED]: 500,
          });
        }
      });

      it("reports who opened and who closed if a child inherits the connection", async () => {
        await using net = await pair();
        const ends = new Ends(agent, net.a, net.b);
        const lines = await run(net.a, "inheritedByChild", { address, server: net.b });
        const { opener } = await ends.both();
        const [opened, closed] = [one(lines, "opened"), one(lines, "end", "client")];
        assert.notEqual(opened.pid, closed.pid);
        assertRow(opener, {
          ...expectedRow(opened),
          [SENT]: 10,
          [REASON]: "fin_local",
          "wirespan.process.last_user.pid": closed.pid,
          "wirespan.process.last_user.name": "pchild",
          "wirespan.process.closer.pid": closed.pid,
          "wirespan.process.closer.name": "pchild",
        });
      });

      it("counts what arrives after a half close", async () => {
        await using net = await pair();
        const ends = new Ends(agent, net.a, net.b);
        const lines = await run(net.a, "halfClose", { address, server: net.b });
        const { opener, acceptor } = await ends.both();
        assertRow(opener, {
          ...expectedRow(one(lines, "end", "client")),
          [REASON]: "fin_local",
          [RECEIVED]: 3000,
          // The connection ends while the client may still have to read.
          "wirespan.tcp.bytes_unread": undefined,
        });
        assertRow(acceptor, {
          ...expectedRow(one(lines, "end", "server")),
          [REASON]: "fin_remote",
          [SENT]: 3000,
        });
      });

      it("reports a reset from both sides", async () => {
        await using net = await pair();
        const ends = new Ends(agent, net.a, net.b);
        const lines = await run(net.a, "reset", { address, server: net.b });
        const { opener, acceptor } = await ends.both();
        assertRow(opener, {
          ...expectedRow(one(lines, "end", "client")),
          [REASON]: "rst_sent",
          status: "unset",
        });
        assertRow(acceptor, {
          ...expectedRow(one(lines, "end", "server")),
          [REASON]: "rst_received",
          status: "error",
          "error.type": "connection_reset",
          "wirespan.process.closer.pid": undefined,
        });
      });

      it("reports what a side left unread before its reset", async () => {
        await using net = await pair();
        const ends = new Ends(agent, net.a, net.b);
        const lines = await run(net.a, "unread", { address, server: net.b });
        const { opener, acceptor } = await ends.both();
        assertRow(acceptor, {
          ...expectedRow(one(lines, "end", "server")),
          [REASON]: "rst_sent",
          [RECEIVED]: 300,
          "wirespan.tcp.bytes_unread": one(lines, "unread").bytes,
        });
        assertRow(opener, {
          ...expectedRow(one(lines, "end", "client")),
          [REASON]: "rst_received",
          "error.type": "connection_reset",
          "wirespan.tcp.bytes_unread": undefined,
        });
      });

      it("never merges connections that use the same ports one after the other", async () => {
        await using net = await pair();
        const ends = new Ends(agent, net.a, net.b);
        await run(net.a, "reusedPort", { address, server: net.b, sourcePort: 40019 });
        const both = pairs(await ends.all(6));
        assert.deepEqual(
          both.map(({ opener }) => opener[SENT]),
          [100, 200, 300],
        );
        assert.deepEqual(
          both.map(({ acceptor }) => acceptor[RECEIVED]),
          [100, 200, 300],
        );
        assert.equal(new Set(both.map(({ opener }) => opener["wirespan.connection.id"])).size, 3);
        for (const { opener } of both) assert.equal(opener["network.local.port"], 40019);
      });
    });
  }

  it("reports IPv4 over IPv6 sockets as IPv4, marked", async () => {
    await using netns = await Netns.create();
    const ends = new Ends(agent, netns);
    const lines = await run(netns, "clientCloses", { address: "::ffff:127.0.0.1", listen: "::" });
    const { opener, acceptor } = await ends.both();
    assertRow(opener, expectedRow(one(lines, "end", "client")));
    assertRow(acceptor, expectedRow(one(lines, "end", "server")));
    assertRow(opener, { "network.type": "ipv4", "wirespan.connection.mapped": true, [SENT]: 1000 });
  });

  it("keeps both ends in one trace if a router rewrites both addresses", async () => {
    await using net = await routed();
    const ends = new Ends(agent, net.client, net.server);
    const lines = await run(net.client, "clientCloses", {
      address: routedAddresses.routerForClient,
      listen: routedAddresses.server,
      server: net.server,
    });
    const { opener, acceptor } = await ends.both();
    assertRow(opener, expectedRow(one(lines, "end", "client")));
    assertRow(acceptor, expectedRow(one(lines, "end", "server")));
    assert.notEqual(opener["network.peer.address"], acceptor["network.local.address"]);
    assert.notEqual(opener["network.local.address"], acceptor["network.peer.address"]);
  });

  it("names the process that a connection was passed to and that used it first", async () => {
    await using netns = await Netns.create();
    const ends = new Ends(agent, netns);
    const lines = await run(netns, "passedToChild");
    const { acceptor } = await ends.both();
    const [accepted, closed] = [one(lines, "accepted"), one(lines, "end", "server")];
    assertRow(acceptor, { [SENT]: 77, "thread.name": "pheir" });
    // Without a hook on accept the first sender is assumed to be the owner.
    assertRow(acceptor, { "process.pid": closed.pid, "wirespan.process.source": "io" });
    assert.notEqual(accepted.pid, closed.pid);
  });

  it("reports the executable that opened and the one that it became", async () => {
    await using netns = await Netns.create();
    const ends = new Ends(agent, netns);
    const lines = await run(netns, "executed");
    const { opener } = await ends.both();
    assertRow(opener, {
      ...expectedRow(one(lines, "opened")),
      [SENT]: 50,
      "process.executable.name": "pcli",
      "wirespan.process.closer.pid": undefined,
      "wirespan.process.closer.name": "pexec",
    });
  });

  it("reports one connection of a socket that is its own peer", async () => {
    await using netns = await Netns.create();
    const ends = new Ends(agent, netns);
    const line = one(await run(netns, "selfConnect", { port: 7018 }), "end");
    const row = await ends.one();
    assertRow(row, { ...expectedRow(line), [SENT]: 10, [RECEIVED]: 10, status: "unset" });
    assert.equal(row["network.local.port"], row["network.peer.port"]);
  });

  it("marks the connection whose SYN carried data, and counts that data", async () => {
    await using netns = await Netns.create();
    await netns.sysctl({ "net.ipv4.tcp_fastopen": 3 });
    const ends = new Ends(agent, netns);
    await run(netns, "fastOpen");
    const both = pairs(await ends.all(4));
    const fastopen = "wirespan.tcp.fastopen";
    assert.deepEqual(
      both.map(({ opener, acceptor }) => [opener[fastopen], acceptor[fastopen]]),
      [
        [undefined, undefined],
        [true, true],
      ],
    );
    for (const { opener, acceptor } of both) {
      assertRow(opener, { [SENT]: 200, [RECEIVED]: 0, "thread.name": "pcli" });
      assertRow(acceptor, { [SENT]: 0, [RECEIVED]: 200, "thread.name": "psrv" });
    }
  });

  it("reports a multipath connection once, as its one subflow", async function () {
    if (!existsSync("/proc/sys/net/mptcp/enabled")) skip(this, "this kernel has no MPTCP");
    await using netns = await Netns.create();
    await netns.sysctl({ "net.mptcp.enabled": 1 });
    const ends = new Ends(agent, netns);
    await run(netns, "multipath");
    const { opener, acceptor } = await ends.both();
    assertRow(opener, { [SENT]: 1234, [RECEIVED]: 0, "thread.name": "pcli" });
    assertRow(acceptor, { [SENT]: 0, [RECEIVED]: 1234, "thread.name": "psrv" });
  });

  it("reports what was never accepted", async () => {
    await using netns = await Netns.create();
    const ends = new Ends(agent, netns);
    const lines = await run(netns, "unaccepted", { port: 7022 });
    const rows = await ends.all(6);
    const aborted = rows.filter((row) => row[REASON] === "aborted");
    assert.equal(aborted.length, 2);
    for (const row of aborted) {
      assertRow(row, { status: "error", "error.type": "aborted", "wirespan.tcp.retransmits": 1 });
    }
    const queued = pairs(rows.filter((row) => row[REASON] !== "aborted"));
    assert.equal(queued.length, 2);
    for (const { opener, acceptor } of queued) {
      assertRow(opener, { [REASON]: "rst_received", "error.type": "connection_reset" });
      assertRow(acceptor, {
        [REASON]: "rst_sent",
        "thread.name": "psrv",
        "process.pid": one(lines, "listening").pid,
        "wirespan.process.source": "listener",
      });
    }
  });

  it("names 500 processes that end immediately", async () => {
    await using netns = await Netns.create();
    const ends = new Ends(agent, netns);
    const lines = await run(netns, "shortLived");
    const both = pairs(await ends.all(1000));
    const named = new Map(pick(lines, "exiting").map((line) => [line.localPort, line]));
    assert.equal(named.size, 500);
    for (const { opener } of both) {
      const line = named.get(opener["network.local.port"] as number);
      assertRow(opener, {
        "thread.name": line?.comm,
        "process.pid": line?.pid,
        "process.executable.name": "pcli",
        [SENT]: 1,
      });
    }
  });

  it("distinguishes twins in two namespaces", async () => {
    await using a = await Netns.create();
    await using b = await Netns.create();
    const ends = [new Ends(agent, a), new Ends(agent, b)] as const;
    const same = { port: 7026, sourcePort: 40026 };
    await Promise.all([run(a, "held", { ...same, up: 111 }), run(b, "held", { ...same, up: 222 })]);
    const both = [await ends[0].both(), await ends[1].both()] as const;
    assert.deepEqual(
      both.map(({ opener, acceptor }) => [opener[SENT], acceptor[RECEIVED]]),
      [
        [111, 111],
        [222, 222],
      ],
    );
    assert.equal(both[0].opener["network.local.port"], both[1].opener["network.local.port"]);
    assert.notEqual(both[0].opener.trace_id, both[1].opener.trace_id);
  });
});
