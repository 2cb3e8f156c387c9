// The workloads against the kernel's own account (netstat, nft, ss, /proc): what agents are measured by must
// itself be right.
// Here: attempts to connect, and unusual handshakes.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { Netns, needsRoot } from "../support/netns.ts";
import { skip } from "../support/skip.ts";
import { addresses, pair } from "../support/topology.ts";
import { build, one, pick, run, start } from "../support/workload.ts";

const { ECONNREFUSED, ECONNRESET, EHOSTUNREACH, EINPROGRESS, ENETUNREACH, ETIMEDOUT } = constants.errno;
const SYN_SENT = 2;
const ms = 1e6;

describe("workloads", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  describe("that attempt to connect", () => {
    it("attempt: to a closed port", async () => {
      await using net = await pair();
      const moved = await net.b.moved(async () => {
        const end = one(await run(net.a, "attempt", { address: addresses.b }), "end");
        assert.deepEqual([end.errno, end.remotePort], [ECONNREFUSED, 9]);
      });
      assert.equal(moved["Tcp.OutRsts"], 1);
    });

    it("attempt: to a port that a rule rejects with a reset", async () => {
      await using net = await pair();
      const rule = await net.b.rule("input", "tcp dport 9", "reject with tcp reset");
      assert.equal(one(await run(net.a, "attempt", { address: addresses.b }), "end").errno, ECONNREFUSED);
      assert.equal(await rule.packets(), 1);
    });

    it("attempt: to a port that a rule rejects as prohibited", async () => {
      await using net = await pair();
      const rule = await net.b.rule("input", "tcp dport 9", "reject with icmpx admin-prohibited");
      const moved = await net.a.moved(async () => {
        assert.equal(one(await run(net.a, "attempt", { address: addresses.b }), "end").errno, EHOSTUNREACH);
      });
      // The first answer is only noted where connect() still holds the socket: then a second SYN goes out.
      assert.equal(await rule.packets(), 1 + (moved["Tcp.RetransSegs"] ?? 0));
    });

    it("attempt: to a port that a rule drops, until the retries are used up", async () => {
      await using net = await pair();
      const rule = await net.b.rule("input", "tcp dport 9", "drop");
      const moved = await net.a.moved(async () => {
        const end = one(await run(net.a, "attempt", { address: addresses.b, synRetries: 1 }), "end");
        assert.equal(end.errno, ETIMEDOUT);
      });
      const retransmits = moved["Tcp.RetransSegs"] ?? 0;
      // Kernels with linear SYN timeouts send one more than asked.
      assert.ok(retransmits === 1 || retransmits === 2, `${retransmits} retransmits`);
      assert.equal(await rule.packets(), 1 + retransmits);
      assert.equal(moved["Tcp.AttemptFails"], 1);
    });

    it("killedConnecting: killed meanwhile", async () => {
      await using net = await pair();
      const rule = await net.b.rule("input", "tcp dport 9", "drop");
      const moved = await net.a.moved(async () => {
        const lines = await run(net.a, "killedConnecting", { address: addresses.b });
        const [connecting, killed] = [one(lines, "connecting"), one(lines, "killed")];
        assert.equal(killed.child, connecting.pid);
        assert.ok(killed.atNs - connecting.atNs >= 300 * ms);
        assert.ok(!existsSync(`/proc/${killed.child}`));
      });
      assert.equal(await rule.packets(), 1);
      assert.deepEqual([moved["Tcp.ActiveOpens"], moved["TcpExt.TCPTimeouts"]], [1, undefined]);
    });

    it("attempt: to a destination without a route", async () => {
      await using netns = await Netns.create();
      const moved = await netns.moved(async () => {
        assert.equal(one(await run(netns, "attempt", { address: "10.99.0.2" }), "end").errno, ENETUNREACH);
      });
      assert.equal(moved["Tcp.ActiveOpens"], undefined);
    });

    it("nonblocking, nonblockingRefused, abandoned: answered, refused, given up", async () => {
      await using net = await pair();
      const lines = await run(net.a, "nonblocking", { address: addresses.b, server: net.b });
      const answered = one(lines, "end", "client");
      assert.deepEqual([answered.connectErrno, answered.errno, answered.received], [EINPROGRESS, 0, 500]);
      const refused = one(await run(net.a, "nonblockingRefused", { address: addresses.b }), "end");
      assert.deepEqual([refused.connectErrno, refused.errno], [EINPROGRESS, ECONNREFUSED]);
      const rule = await net.b.rule("input", "tcp dport 9", "drop");
      const abandoned = one(await run(net.a, "abandoned", { address: addresses.b }), "end");
      assert.deepEqual([abandoned.state, abandoned.errno], [SYN_SENT, 0]);
      assert.equal(await rule.packets(), 1);
    });

    it("clientCloses: with IPv4 through an IPv6 socket", async () => {
      await using netns = await Netns.create();
      const lines = await run(netns, "clientCloses", { address: "::ffff:127.0.0.1", listen: "::" });
      assert.equal(one(lines, "listening").local, "::");
      for (const end of pick(lines, "end")) assert.deepEqual([end.family, end.mapped], ["ipv6", true]);
    });

    it("run as another user, under other names", async () => {
      await using netns = await Netns.create();
      await using held = await start(netns, "held", {
        uid: 65534,
        clientComm: "two words",
        serverComm: "a/b:c",
      });
      const opened = await held.until("opened");
      assert.equal(opened.comm, "two words");
      assert.equal(readFileSync(`/proc/${opened.pid}/comm`, "utf8"), "two words\n");
      const sockets = await netns.run("ss", "-tneH", `sport = :${opened.localPort}`);
      assert.match(sockets, /uid:65534/);
      held.goOn();
      assert.equal(one(await held.done(), "end", "server").comm, "a/b:c");
    });
  });

  describe("with unusual handshakes", () => {
    it("selfConnect: a socket that is its own peer", async () => {
      await using netns = await Netns.create();
      const moved = await netns.moved(async () => {
        const end = one(await run(netns, "selfConnect", { port: 7018 }), "end");
        assert.deepEqual([end.local, end.localPort], [end.remote, end.remotePort]);
        assert.deepEqual([end.sent, end.received], [10, 10]);
      });
      assert.deepEqual([moved["Tcp.ActiveOpens"], moved["Tcp.PassiveOpens"]], [1, undefined]);
    });

    it("fastOpen: data in the second SYN", async () => {
      await using netns = await Netns.create();
      await netns.sysctl({ "net.ipv4.tcp_fastopen": 3 });
      const moved = await netns.moved(async () => {
        const lines = await run(netns, "fastOpen");
        for (const role of ["client", "server"] as const) {
          const ends = pick(lines, "end", role);
          assert.deepEqual(
            ends.map(({ fastopen }) => fastopen),
            [false, true],
          );
          assert.deepEqual(
            ends.map(({ sent, received }) => sent + received),
            [200, 200],
          );
        }
      });
      assert.equal(moved["TcpExt.TCPFastOpenCookieReqd"], 1);
      assert.equal(moved["TcpExt.TCPFastOpenActive"], 1);
      assert.equal(moved["TcpExt.TCPFastOpenPassive"], 1);
    });

    it("multipath: multipath", async function () {
      await using netns = await Netns.create();
      if (!existsSync("/proc/sys/net/mptcp/enabled")) skip(this, "this kernel has no MPTCP");
      await netns.sysctl({ "net.mptcp.enabled": 1 });
      const moved = await netns.moved(async () => {
        const lines = await run(netns, "multipath");
        assert.deepEqual(
          pick(lines, "multipath").map(({ fallback }) => fallback),
          [false, false],
        );
        assert.equal(one(lines, "end", "client").sent, 1234);
        assert.equal(one(lines, "end", "server").received, 1234);
      });
      assert.equal(moved["MPTcpExt.MPCapableSYNRX"], 1);
    });

    it("unaccepted: never accepted", async () => {
      await using netns = await Netns.create();
      const syns = await netns.rule("input", "tcp dport 7022 tcp flags & (syn | ack) == syn", "");
      const moved = await netns.moved(async () => {
        const ends = pick(await run(netns, "unaccepted", { port: 7022 }), "end", "client");
        const queued = ends.filter(({ errno }) => errno === ECONNRESET);
        const refused = ends.filter(({ errno }) => errno === 0);
        assert.deepEqual([queued.length, refused.length], [2, 2]);
        assert.ok(refused.every(({ state, retransmits }) => state === SYN_SENT && retransmits === 1));
      });
      assert.equal(await syns.packets(), 6);
      assert.deepEqual([moved["TcpExt.ListenOverflows"], moved["TcpExt.ListenDrops"]], [4, 4]);
    });
  });
});
