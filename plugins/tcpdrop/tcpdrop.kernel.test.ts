import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { native } from "../../native/index.ts";
import { type Agent, type Row, startAgent } from "../../test/support/agent.ts";
import { witnessRules } from "../../test/support/drops.ts";
import { type Netns, needsRoot } from "../../test/support/netns.ts";
import { addresses, pair } from "../../test/support/topology.ts";
import { build, one, run } from "../../test/support/workload.ts";

const REASON = "wirespan.packet.drop.reason";
const inode = (netns: Netns): number => statSync(netns.path).ino;

/** An agent that observes only these namespaces. */
function watch(netns: readonly Netns[], ...args: readonly string[]): Promise<Agent> {
  const ids = netns.map(inode).join(",");
  return startAgent(["trace", "tcpdrop", "--json", "--netns-id", ids, ...args]);
}

async function drops(agent: Agent): Promise<readonly Row[]> {
  await sleep(200);
  await agent.stop();
  return agent.rows.filter(({ name }) => name === "wirespan.tcp.packet.drop");
}

function counts(
  rows: readonly Row[],
  of: (row: Row) => unknown = (row) => row[REASON],
): Record<string, number> {
  const found: Record<string, number> = {};
  for (const row of rows) {
    const key = String(of(row));
    found[key] = (found[key] ?? 0) + 1;
  }
  return found;
}

/** The sum of a metric's points at the last collection. */
function total(agent: Agent, name: string): number {
  const points = agent.rows.filter((row) => row.name === name);
  const latest = points.at(-1)?.time;
  return points.filter((row) => row.time === latest).reduce((sum, row) => sum + Number(row.value), 0);
}

describe("tcpdrop", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  it("reports what rules drop on input and output, with the sender's process if it is on this host", async () => {
    await using net = await pair();
    await net.a.sysctl({ "net.ipv4.tcp_syn_linear_timeouts": 0 });
    const refused = await net.b.rule("input", "tcp dport 9", "drop");
    await using _shown = await witnessRules(net.b, [refused]);
    await using agent = await watch([net.a, net.b]);
    const [first] = await Promise.all([
      run(net.a, "attempt", { address: addresses.b, synRetries: 1 }),
      (async () => {
        await sleep(400);
        const out = await net.a.rule("output", "tcp dport 11", "drop");
        await run(net.a, "attempt", { address: addresses.b, port: 11, synRetries: 1 }).catch(() => []);
        return out;
      })(),
    ]).then(async ([said, out]) => [said, await out.packets()] as const);
    const rows = await drops(agent);
    assert.ok(rows.every((row) => row[REASON] === "NETFILTER_DROP"));
    const incoming = rows.filter((row) => row["network.io.direction"] === "receive");
    const outgoing = rows.filter((row) => row["network.io.direction"] === "transmit");
    assert.equal(incoming.length, await refused.packets());
    assert.ok(incoming.length >= 2 && outgoing.length >= 1);
    const end = one(first, "end");
    for (const row of incoming) {
      assert.equal(row["destination.port"], 9);
      assert.equal(row["source.address"], addresses.a);
      assert.equal(row["wirespan.netns.inode"], inode(net.b));
      assert.equal(row["network.interface.name"], "wire0");
      assert.deepEqual(row["wirespan.tcp.flags"], ["syn"]);
      assert.equal(row["process.pid"], undefined);
    }
    for (const row of outgoing) {
      assert.equal(row["destination.port"], 11);
      assert.equal(row["network.connection.state"], "syn_sent");
      assert.equal(row["thread.name"], "pcli");
      assert.equal(row["wirespan.netns.inode"], inode(net.a));
    }
    assert.ok(end);
  });

  it("reports the addresses of IPv6 packets as they travel, in and out", async () => {
    await using net = await pair();
    const refused = await net.b.rule("input", "tcp dport 9", "drop");
    const kept = await net.a.rule("output", "tcp dport 11", "drop");
    await using _shown = await witnessRules(net.b, [refused]);
    await using _shownThere = await witnessRules(net.a, [kept]);
    await using agent = await watch([net.a, net.b]);
    const give = { address: addresses.b6, synRetries: 1 };
    await Promise.all([run(net.a, "attempt", give), run(net.a, "attempt", { ...give, port: 11 })]);
    const rows = await drops(agent);
    assert.deepEqual(
      counts(rows, (row) => `${row["network.io.direction"]} ${row["destination.port"]}`),
      { "receive 9": await refused.packets(), "transmit 11": await kept.packets() },
    );
    for (const row of rows) {
      assert.equal(row["source.address"], addresses.a6);
      assert.equal(row["destination.address"], addresses.b6);
    }
  });

  it("reads packets that are dropped before IP has found their TCP header", async () => {
    await using net = await pair();
    await net.b.run("nft", "add table netdev early");
    await net.b.run(
      ...["nft", 'add chain netdev early in { type filter hook ingress device "wire0" priority 0; }'],
    );
    await net.b.run("nft", "add rule netdev early in tcp dport 9 counter drop");
    const dropped = {
      packets: async () => {
        const listed = await net.b.run("nft", "list", "table", "netdev", "early");
        return Number(/packets (\d+)/.exec(listed)![1]);
      },
    };
    await using _shown = await witnessRules(net.b, [dropped]);
    await using agent = await watch([net.b]);
    const ends = [
      [addresses.a, addresses.b],
      [addresses.a6, addresses.b6],
    ] as const;
    const sourcePort = 40911;
    await Promise.all(
      ends.map(([, address]) => run(net.a, "attempt", { address, sourcePort, synRetries: 1 })),
    );
    const rows = await drops(agent);
    assert.equal(rows.length, await dropped.packets());
    for (const [from, to] of ends) {
      const own = rows.filter((row) => row["source.address"] === from);
      assert.ok(own.length >= 2);
      for (const row of own) {
        assert.deepEqual(
          [row["source.port"], row["destination.address"], row["destination.port"]],
          [sourcePort, to, 9],
        );
        assert.equal(row["network.io.direction"], "receive");
        assert.equal(row["wirespan.netns.inode"], inode(net.b));
        // The packet still has its sender's socket.
        assert.equal(row["process.pid"], undefined);
        assert.deepEqual(row["wirespan.tcp.flags"], ["syn"]);
        assert.equal(row["network.interface.name"], "wire0");
      }
    }
  });

  it("counts two drops, not fourteen, for twelve orderly connections and two refused", async () => {
    await using net = await pair();
    await using agent = await watch([net.a, net.b]);
    await run(net.a, "clientCloses", { server: net.b, address: addresses.b, count: 12 });
    await run(net.a, "attempt", { address: addresses.b });
    await run(net.a, "attempt", { address: addresses.b6 });
    const rows = await drops(agent);
    assert.deepEqual(counts(rows), { NO_SOCKET: 2 });
    assert.deepEqual(
      counts(rows, (row) => row["network.type"]),
      { ipv4: 1, ipv6: 1 },
    );
    for (const row of rows) {
      assert.equal(row["destination.port"], 9);
      assert.equal(row["wirespan.netns.inode"], inode(net.b));
      assert.equal(row["network.connection.state"], undefined);
    }
  });

  it("never mistakes UDP for TCP", async () => {
    await using net = await pair();
    const rule = await net.b.rule("input", "meta l4proto udp", "drop");
    await using agent = await watch([net.a, net.b]);
    await run(net.a, "datagrams", { address: addresses.b, count: 100, server: net.b, limit: 5000 }).catch(
      () => [],
    );
    assert.ok((await rule.packets()) >= 100);
    assert.deepEqual(await drops(agent), []);
  });

  it("names the connection and its owner if data arrives after the reader has closed", async function () {
    if (native.tracepointArity("kfree_skb") < 4) this.skip();
    await using net = await pair();
    // While the closed socket itself waits, rather than the TIME_WAIT socket that replaces it and has no owner.
    await net.b.sysctl({ "net.ipv4.tcp_fin_timeout": 120 });
    await using agent = await watch([net.a, net.b]);
    const said = await run(net.a, "late", { server: net.b, address: addresses.b });
    const server = one(said, "end", "server");
    const rows = await drops(agent);
    assert.deepEqual(counts(rows), { TCP_ABORT_ON_DATA: 1 });
    const [row] = rows;
    assert.equal(row!["process.pid"], server.pid);
    assert.equal(row!["thread.name"], "psrv");
    assert.equal(row!["wirespan.connection.id"], server.cookie.toString(16));
    assert.match(String(row!.trace_id), /^[0-9a-f]{32}$/);
    assert.equal(row!["network.io.direction"], "receive");
  });

  it("reports data that arrives when no process can read it, although the kernel gives no reason", async () => {
    await using net = await pair();
    await net.b.sysctl({ "net.ipv4.tcp_fin_timeout": 5 });
    await using agent = await watch([net.a, net.b]);
    const moved = await net.b.moved(() => run(net.a, "late", { server: net.b, address: addresses.b }));
    const rows = await drops(agent);
    const [row] = rows;
    assert.equal(rows.length, 1);
    // The closed socket exists until its FIN is acknowledged; after that a TIME_WAIT socket replaces it.
    const aborted = moved["TcpExt.TCPAbortOnData"] === 1;
    assert.equal(row![REASON], aborted ? "TCP_ABORT_ON_DATA" : "NOT_SPECIFIED");
    assert.equal(row!["source.address"], addresses.a);
  });

  it("reports where in the kernel, and the call stack", async () => {
    await using net = await pair();
    await using agent = await watch([net.b]);
    await run(net.a, "attempt", { address: addresses.b });
    const [row] = await drops(agent);
    const location = String(row!["wirespan.packet.drop.location"]);
    const stack = String(row!["code.stacktrace"]).split("\n");
    assert.equal(stack[0], location);
    assert.ok(stack.length > 5);
    for (const frame of stack) assert.match(frame, /^\w+(\.\w+)*\+0x[0-9a-f]+$/);
    assert.match(location, /^tcp_v4_rcv(\.\w+)*\+0x[0-9a-f]+$/);
  });

  it("counts what listeners reject, which has no drop reason", async () => {
    await using net = await pair();
    await using agent = await watch([net.b], "--signals", "--set", "metrics.interval=60s");
    const moved = await net.b.moved(async () => {
      await run(net.a, "unaccepted", { server: net.b, address: addresses.b });
      await sleep(200);
    });
    const rows = await drops(agent);
    assert.ok(moved["TcpExt.ListenDrops"]! >= 2);
    assert.equal(total(agent, "wirespan.tcp.listener.dropped"), moved["TcpExt.ListenDrops"]);
    const reported = rows.filter((row) => row[REASON] === "LISTEN_DROP");
    assert.equal(
      reported.reduce((sum, row) => sum + Number(row["wirespan.packet.count"]), 0),
      moved["TcpExt.ListenDrops"],
    );
    assert.equal(reported[0]!["wirespan.netns.inode"], inode(net.b));
  });

  it("limits events to its rate, reports how many were left out, and counts all", async () => {
    await using net = await pair();
    await using agent = await watch(
      [net.b],
      "--signals",
      ...["--set", "plugins.tcpdrop.eventRate=2", "--set", "metrics.interval=60s"],
    );
    await run(net.a, "attempt", { address: addresses.b, count: 10 });
    await sleep(1200);
    await run(net.a, "attempt", { address: addresses.b });
    const rows = await drops(agent);
    const suppressed = rows.reduce((sum, row) => sum + Number(row["wirespan.event.suppressed"] ?? 0), 0);
    assert.equal(total(agent, "wirespan.tcp.packet.dropped"), 11);
    assert.ok(rows.length < 11, `${rows.length} reported`);
    assert.equal(rows.length + suppressed, 11);
  });

  it("prints bcc's columns, the stack below each drop", async () => {
    await using net = await pair();
    await using agent = await startAgent(["trace", "tcpdrop", "--netns-id", String(inode(net.b))]);
    const said = await run(net.a, "attempt", { address: addresses.b });
    await sleep(200);
    const { stdout } = await agent.stop();
    assert.match(stdout[0]!, /^TIME +PID +IP +SADDR:SPORT +> DADDR:DPORT +STATE +\(FLAGS\) +REASON$/);
    const { localPort } = one(said, "end");
    assert.match(
      stdout[1]!,
      new RegExp(`^\\S+ - +4 +${addresses.a}:${localPort} +> ${addresses.b}:9 +- +\\(SYN\\) +NO_SOCKET$`),
    );
    assert.match(stdout[2]!, /^\t\S/);
  });
});
