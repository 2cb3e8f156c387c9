// tcpconnlat with attempts to connect, compared with what their programs and the kernel's counters report.
import assert from "node:assert/strict";
import { constants } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { type Agent, type Row, startAgent } from "../../test/support/agent.ts";
import { Ends, inodeOf } from "../../test/support/connection-ends.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { addresses, pair } from "../../test/support/topology.ts";
import { until } from "../../test/support/until.ts";
import { build, type Connection, type Options, one, pick, run, start } from "../../test/support/workload.ts";

const { EACCES, EADDRNOTAVAIL, ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT } = constants.errno;

const seconds = (row: Row): number => (Date.parse(String(row.end)) - Date.parse(String(row.start))) / 1000;

/** What its program reported about an attempt, and its outcome. */
function assertAttempt(row: Row, line: Connection, error: string | undefined, errno?: number): void {
  assert.equal(row.name, "tcp connect");
  assert.equal(row["error.type"], error);
  assert.equal(row.status, error ? "error" : "unset");
  assert.equal(row["wirespan.errno"], errno);
  assert.equal(row["network.peer.address"], line.remote.replace(/^::ffff:/, ""));
  assert.equal(row["network.peer.port"], line.remotePort);
  assert.equal(row["process.pid"], line.pid);
  assert.equal(row["thread.name"], line.comm);
  assert.equal(row["wirespan.connection.direction"], "outbound");
}

const RETRANSMITS = "wirespan.tcp.syn.retransmits";
const REASON = "wirespan.tcp.close.reason";
const RTT = "wirespan.tcp.rtt.smoothed";

describe("tcpconnlat", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  describe("of one agent", () => {
    let agent: Agent;

    before(async () => {
      agent = await startAgent(["trace", "tcpconnlat", "--failed-at-once", "--json"]);
    });

    after(async () => {
      await agent?.[Symbol.asyncDispose]();
    });

    for (const address of [addresses.b, addresses.b6]) {
      it(`reports a handshake to ${address} with its round trip`, async () => {
        await using net = await pair();
        const ends = new Ends(agent, net.a);
        const end = one(await run(net.a, "clientCloses", { address, server: net.b }), "end", "client");
        const row = await ends.one();
        assertAttempt(row, end, undefined);
        assert.equal(row["network.local.port"], end.localPort);
        assert.equal(row["wirespan.connection.id"], end.cookie.toString(16));
        assert.equal(row[RETRANSMITS], 0);
        assert.ok(Number(row[RTT]) > 0);
        // Date.parse has a resolution of milliseconds.
        assert.ok(seconds(row) <= (end.endNs - end.startNs) / 1e9 + 0.002);
      });

      it(`reports a refusal by ${address}`, async () => {
        await using net = await pair();
        const ends = new Ends(agent, net.a);
        const end = one(await run(net.a, "attempt", { address }), "end");
        const row = await ends.one();
        assertAttempt(row, end, "connection_refused", ECONNREFUSED);
        assert.equal(row[REASON], "refused");
        assert.equal(row[RTT], undefined);
      });
    }

    it("reports a reset by a rule as a refusal", async () => {
      await using net = await pair();
      await net.b.rule("input", "tcp dport 9", "reject with tcp reset");
      const ends = new Ends(agent, net.a);
      const end = one(await run(net.a, "attempt", { address: addresses.b }), "end");
      assertAttempt(await ends.one(), end, "connection_refused", ECONNREFUSED);
    });

    it("reports an ICMP refusal as unreachable, with the SYNs that were retransmitted", async () => {
      await using net = await pair();
      await net.b.rule("input", "tcp dport 9", "reject with icmpx admin-prohibited");
      const ends = new Ends(agent, net.a);
      const moved = await net.a.moved(async () => {
        const end = one(await run(net.a, "attempt", { address: addresses.b }), "end");
        assertAttempt(await ends.one(), end, "host_unreachable", EHOSTUNREACH);
      });
      assert.equal((await ends.one())[RETRANSMITS], moved["Tcp.RetransSegs"] ?? 0);
    });

    it("reports a timeout, its SYNs, and the owner, although a timer ends it", async () => {
      await using net = await pair();
      await net.b.rule("input", "tcp dport 9", "drop");
      const ends = new Ends(agent, net.a);
      const moved = await net.a.moved(async () => {
        const end = one(await run(net.a, "attempt", { address: addresses.b, synRetries: 1 }), "end");
        const row = await ends.one();
        assertAttempt(row, end, "timed_out", ETIMEDOUT);
        assert.ok(Math.abs(seconds(row) - (end.endNs - end.startNs) / 1e9) < 0.5);
      });
      assert.equal((await ends.one())[RETRANSMITS], moved["Tcp.RetransSegs"]);
    });

    it("does not report a connect whose process was killed as a success", async () => {
      await using net = await pair();
      await net.b.rule("input", "tcp dport 9", "drop");
      const ends = new Ends(agent, net.a);
      const connecting = one(await run(net.a, "killedConnecting", { address: addresses.b }), "connecting");
      const row = await ends.one();
      assert.equal(row["process.pid"], connecting.pid);
      assert.deepEqual(
        [row["error.type"], row[REASON], row["wirespan.errno"]],
        ["aborted", "killed", undefined],
      );
    });

    it("reports attempts that fail without a SYN: no route, not permitted", async () => {
      await using netns = await Netns.create();
      const ends = new Ends(agent, netns);
      const unrouted = one(await run(netns, "attempt", { address: "10.99.0.2" }), "end");
      assertAttempt(await ends.one(), unrouted, "network_unreachable", ENETUNREACH);
      await netns.ip("route", "add", "prohibit", "10.98.0.0/16");
      const prohibited = one(await run(netns, "attempt", { address: "10.98.0.2" }), "end");
      assert.equal(prohibited.errno, EACCES);
      assertAttempt((await ends.all(2))[1]!, prohibited, "permission_denied", EACCES);
      const unrouted6 = one(await run(netns, "attempt", { address: "fd99::2" }), "end");
      assertAttempt((await ends.all(3))[2]!, unrouted6, "network_unreachable", ENETUNREACH);
      const mapped = one(await run(netns, "attempt", { address: "::ffff:10.99.0.2" }), "end");
      const row = (await ends.all(4))[3]!;
      assertAttempt(row, mapped, "network_unreachable", ENETUNREACH);
      assert.deepEqual([row["network.type"], row["wirespan.connection.mapped"]], ["ipv4", true]);
    });

    it("reports the lack of a free local port once", async () => {
      await using net = await pair();
      await net.a.sysctl({ "net.ipv4.ip_local_port_range": "50000 50000" });
      const ends = new Ends(agent, net.a);
      await using held = await start(net.a, "held", { address: addresses.b, server: net.b });
      const opened = await held.until("opened");
      const port = opened.remotePort;
      const [end] = pick(await run(net.a, "attempt", { address: addresses.b, port }), "end");
      assert.equal(end?.errno, EADDRNOTAVAIL);
      held.goOn();
      await held.done();
      const [first, second] = await ends.all(2);
      assertAttempt(first!, opened, undefined);
      assertAttempt(second!, end!, "address_not_available", EADDRNOTAVAIL);
    });

    it("measures to the answer if connect() does not wait for it", async () => {
      await using net = await pair();
      const ends = new Ends(agent, net.a);
      const answered = one(
        await run(net.a, "nonblocking", { address: addresses.b, server: net.b }),
        "end",
        "client",
      );
      assertAttempt(await ends.one(), answered, undefined);
      const refused = one(await run(net.a, "nonblockingRefused", { address: addresses.b }), "end");
      assertAttempt((await ends.all(2))[1]!, refused, "connection_refused", ECONNREFUSED);
    });

    it("reports an attempt that was closed before an answer as aborted", async () => {
      await using net = await pair();
      await net.b.rule("input", "tcp dport 9", "drop");
      const ends = new Ends(agent, net.a);
      const end = one(await run(net.a, "abandoned", { address: addresses.b }), "end");
      const row = await ends.one();
      assertAttempt(row, end, "aborted");
      assert.equal(row[REASON], "aborted");
      assert.ok(seconds(row) >= 0.1);
    });

    it("reports IPv4 through an IPv6 socket as IPv4, once", async () => {
      await using netns = await Netns.create();
      const ends = new Ends(agent, netns);
      const lines = await run(netns, "clientCloses", { address: "::ffff:127.0.0.1", listen: "::" });
      const row = await ends.one();
      assertAttempt(row, one(lines, "end", "client"), undefined);
      assert.deepEqual([row["network.type"], row["wirespan.connection.mapped"]], ["ipv4", true]);
    });

    it("measures a simultaneous open to its end, once", async () => {
      await using netns = await Netns.create();
      const ends = new Ends(agent, netns);
      const end = one(await run(netns, "selfConnect", { port: 7018 }), "end");
      assertAttempt(await ends.one(), end, undefined);
    });

    it("marks fast open on the connection that sent data with its SYN", async () => {
      await using netns = await Netns.create();
      await netns.sysctl({ "net.ipv4.tcp_fastopen": 3 });
      const ends = new Ends(agent, netns);
      await run(netns, "fastOpen");
      const rows = await ends.all(2);
      assert.deepEqual(
        rows.map((row) => row["wirespan.tcp.fastopen"]),
        [undefined, true],
      );
    });
  });

  describe("of a SYN that waits for the first data", () => {
    /** Milliseconds. */
    const DELAY = 700;
    let agent: Agent;

    before(async () => {
      agent = await startAgent(["trace", "tcpconnlat", "--json"]);
    });

    after(async () => {
      await agent?.[Symbol.asyncDispose]();
    });

    /**
     * The attempt of the second connection: its row, and how often its SYN was retransmitted. A rule with
     * this verdict is in place when it sends its first data, until it has matched one packet.
     */
    async function deferred(
      options: Options,
      verdict?: string,
    ): Promise<{ readonly row: Row; readonly retransmitted: number }> {
      await using netns = await Netns.create();
      await netns.sysctl({ "net.ipv4.tcp_fastopen": 3 });
      const ends = new Ends(agent, netns);
      await using running = await start(netns, "deferred", { delay: DELAY, ...options });
      const second = () => pick(running.lines, "opened")[1];
      await until("the second connect()", () => second() !== undefined);
      const rule = verdict && (await netns.rule("input", `tcp dport ${second()!.remotePort}`, verdict));
      const moved = await netns.moved(async () => {
        running.goOn();
        if (!rule) return await running.done();
        await until("its SYN", async () => (await rule.packets()) > 0);
        await rule.remove();
        return await running.done();
      });
      const end = pick(running.lines, "end", "client")[1]!;
      const row = (await ends.all(2))[1]!;
      // The wait before its SYN is no part of it.
      const most = (end.endNs - end.startNs) / 1e9 - DELAY / 1000;
      assert.ok(seconds(row) <= most, `${seconds(row)} of ${most} s`);
      return { row, retransmitted: moved["TcpExt.TCPSynRetrans"] ?? 0 };
    }

    it("measures from the SYN, not from connect()", async () => {
      const { row } = await deferred({});
      assert.deepEqual([row["wirespan.tcp.fastopen"], row[RETRANSMITS]], [true, 0]);
    });

    it("measures from the first SYN, if that is retransmitted", async () => {
      const { row, retransmitted } = await deferred({}, "drop");
      assert.ok(retransmitted > 0);
      assert.equal(row[RETRANSMITS], retransmitted);
      assert.equal(row[RTT], undefined);
      assert.ok(seconds(row) >= 0.9, `${seconds(row)} s`);
    });

    it("measures a refusal from the SYN", async () => {
      const { row } = await deferred({ count: 2 }, "reject with tcp reset");
      assert.equal(row["error.type"], "connection_refused");
    });

    it("reports no SYN if there was no data", async () => {
      const { row } = await deferred({ up: 0 });
      assert.equal(row["error.type"], "aborted");
    });
  });

  it("with a minimum shows only slower attempts, without round-trip times that may include a wait", async () => {
    await using net = await pair();
    await using agent = await startAgent(["trace", "tcpconnlat", "500.5", "--json"]);
    const ends = new Ends(agent, net.a);
    await run(net.a, "attempt", { address: addresses.b });
    await run(net.a, "clientCloses", { address: addresses.b, server: net.b, port: 7100 });
    const drop = await net.b.rule("input", "tcp dport 7101", "drop");
    const slow = run(net.a, "clientCloses", { address: addresses.b, server: net.b, port: 7101 });
    await delay(500);
    await drop.remove();
    const end = one(await slow, "end", "client");
    await run(net.a, "clientCloses", { address: addresses.b, server: net.b, port: 7102 });
    await agent.stop();
    const row = await ends.one();
    assertAttempt(row, end, undefined);
    assert.equal(row[RETRANSMITS], 1);
    assert.ok(seconds(row) >= 1, `${seconds(row)} s`);
    assert.equal(row[RTT], undefined, "the answer may be to either SYN");
  });

  it("counts every attempt in one series per outcome, and has bcc's options", async () => {
    await using net = await pair();
    const only = `plugins.tcpconnlat.filter.include.netns=${inodeOf(net.a)}`;
    await using agent = await startAgent(["trace", "tcpconnlat", "-4", "--signals", "--set", only]);
    await run(net.a, "attempt", { address: addresses.b, count: 300 });
    await run(net.a, "attempt", { address: addresses.b6, count: 5 });
    await run(net.a, "burst", { address: addresses.b, server: net.b, count: 200 });
    await agent.stop();
    const rows = agent.rows.filter(({ name }) => name === "wirespan.tcp.connect.duration");
    const last = new Map(rows.map((row) => [row["error.type"], row]));
    const counts = [...last].map(
      ([error, row]) => [error, (row.histogram as { count: number }).count] as const,
    );
    assert.deepEqual(
      new Map(counts),
      new Map<unknown, number>([
        ["connection_refused", 300],
        [undefined, 200],
      ]),
    );
    for (const row of last.values()) assert.equal(row["process.executable.name"], "pcli");
    const spans = agent.rows.filter(({ signal }) => signal === "span");
    assert.equal(spans.length, 500);
  });

  it("prints bcc's columns and the result", async () => {
    await using net = await pair();
    await using agent = await startAgent([
      "trace",
      "tcpconnlat",
      "-t",
      "-L",
      "-p",
      `${process.pid}`,
      "--csv",
    ]);
    await run(net.a, "attempt", { address: addresses.b });
    const { stdout } = await agent.stop();
    assert.deepEqual(stdout, ["TIME(s),PID,COMM,IP,SADDR,LPORT,DADDR,DPORT,LAT(ms),RESULT"]);
  });
});
