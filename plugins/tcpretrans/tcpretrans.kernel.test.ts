import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { native } from "../../native/index.ts";
import { type Agent, type Row, startAgent } from "../../test/support/agent.ts";
import { watch as watchHere } from "../../test/support/engine.ts";
import { type Netns, needsRoot } from "../../test/support/netns.ts";
import { addresses, type Pair, pair } from "../../test/support/topology.ts";
import { build, one, run, start } from "../../test/support/workload.ts";

const TYPE = "wirespan.tcp.retransmit.type";
const inode = (netns: Netns): number => statSync(netns.path).ino;

/** An agent that observes only these namespaces. */
function watch(netns: readonly Netns[], ...args: readonly string[]): Promise<Agent> {
  const filter = `plugins.tcpretrans.filter.include.netns=${netns.map(inode).join(",")}`;
  return startAgent(["trace", "tcpretrans", "--json", ...args, "--set", filter]);
}

/** Stops the agent; its rows of events. */
async function events(agent: Agent): Promise<readonly Row[]> {
  await agent.stop();
  return agent.rows.filter(({ signal }) => signal === "event");
}

function segments(rows: readonly Row[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const row of rows) {
    const type = String(row[TYPE]);
    sums[type] = (sums[type] ?? 0) + Number(row["wirespan.tcp.segments"]);
  }
  return sums;
}

/** The kernel's counts by class, for the classes that occurred. */
function classes(moved: Readonly<Record<string, number>>): Record<string, number> {
  const counted = {
    tlp: moved["TcpExt.TCPLossProbes"],
    rto: moved["TcpExt.TCPTimeouts"],
    fast: moved["TcpExt.TCPFastRetrans"],
    slow_start: moved["TcpExt.TCPSlowStartRetrans"],
  };
  return Object.fromEntries(Object.entries(counted).filter(([, count]) => count)) as Record<string, number>;
}

/** 1,000 bytes arrive; the 2,000 that follow are dropped for two seconds. */
async function blackout(net: Pair) {
  await using running = await start(net.a, "held", {
    server: net.b,
    address: addresses.b,
    up: 1000,
    later: 2000,
  });
  await running.until("opened");
  await sleep(300);
  const rule = await net.b.rule("input", "meta l4proto tcp", "drop");
  running.goOn();
  await sleep(2000);
  await rule.remove();
  return await running.done();
}

describe("tcpretrans", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  it("distinguishes probe, timeouts and recovery, and its sums are the namespace's", async () => {
    await using net = await pair();
    await using agent = await watch([net.a]);
    let said: Awaited<ReturnType<typeof blackout>> = [];
    const moved = await net.a.moved(async () => {
      said = await blackout(net);
      await sleep(1500); // what is retransmitted after the close
    });
    const rows = await events(agent);
    const end = one(said, "end", "client");
    assert.equal(one(said, "end", "server").received, 3000);
    const sums = segments(rows);
    assert.deepEqual(sums, classes(moved));
    assert.equal(sums.tlp, 1);
    assert.ok((sums.rto ?? 0) >= 2, `${sums.rto} timeouts`);
    assert.equal(
      Object.values(sums).reduce((sum, n) => sum + n, 0),
      moved["Tcp.RetransSegs"],
    );
    for (const row of rows) {
      assert.equal(row["process.pid"], end.pid);
      assert.equal(row["thread.name"], "pcli");
      assert.equal(row["network.local.port"], end.localPort);
      assert.equal(row["wirespan.connection.id"], end.cookie.toString(16));
      assert.equal(row["error.type"], undefined);
      assert.deepEqual(
        [row["network.interface.name"], row["wirespan.interface.index"]],
        ["wire0", JSON.parse(await net.a.ip("-j", "link", "show", "wire0"))[0].ifindex],
      );
    }
  });

  it("does not count a probe that sends new data as a retransmission", async () => {
    await using net = await pair();
    await using agent = await watch([net.a]);
    const moved = await net.a.moved(async () => {
      await using running = await start(net.a, "held", {
        ...{ server: net.b, address: addresses.b, up: 1000 },
        // More than the first congestion window: a probe has new data to send.
        later: 100_000,
      });
      await running.until("opened");
      const rule = await net.b.rule("input", "meta l4proto tcp", "drop");
      running.goOn();
      const sent = async () => (await net.a.counters())["TcpExt.TCPTimeouts"] ?? 0;
      for (const before = await sent(); (await sent()) <= before; ) await sleep(20);
      await rule.remove();
      const said = await running.done();
      assert.equal(one(said, "end", "server").received, 101_000);
    });
    const sums = segments(await events(agent));
    // The first one had it; later ones, if any, may not.
    assert.ok((sums.tlp ?? 0) < moved["TcpExt.TCPLossProbes"]!, `${sums.tlp} probes reported`);
    assert.equal(
      Object.values(sums).reduce((sum, n) => sum + n, 0),
      moved["Tcp.RetransSegs"],
    );
  });

  it("counts what recovery sends as the kernel does", async () => {
    await using net = await pair();
    for (const netns of [net.a, net.b]) await netns.ip("link", "set", "wire0", "gso_max_segs", "1");
    await using agent = await watch([net.a]);
    const moved = await net.a.moved(async () => {
      await net.b.rule("input", "meta length > 1000 numgen inc mod 40 == 20", "drop");
      const said = await run(net.a, "clientCloses", { server: net.b, address: addresses.b, up: 400_000 });
      assert.equal(one(said, "end", "server").received, 400_000);
    });
    const rows = await events(agent);
    const sums = segments(rows);
    const bytes = rows.reduce((sum, row) => sum + Number(row["wirespan.tcp.bytes"]), 0);
    assert.ok((sums.fast ?? 0) >= 3, `${sums.fast} in recovery`);
    // A probe may send new data: then the kernel counts a probe and nothing is retransmitted.
    const { tlp: probes = 0, ...counted } = classes(moved);
    const { tlp = 0, ...others } = sums;
    assert.deepEqual(others, counted);
    assert.ok(tlp <= probes);
    assert.equal(
      Object.values(sums).reduce((sum, n) => sum + n, 0),
      moved["Tcp.RetransSegs"],
    );
    assert.ok(bytes >= 1000 * (sums.fast ?? 0));
  });

  it("counts what the kernel did not show, by the socket's own count at the next retransmission", async () => {
    await using net = await pair();
    await using seen = await watchHere(["tcpretrans"], { "filter.include.netns": String(inode(net.a)) });
    const { object } = seen.engine.runners[0]!.loaded;
    const hasResult = native.tracepointArity("tcp_retransmit_skb") >= 3;
    const programs = hasResult
      ? ["on_attempt", "on_attempt_nested"]
      : ["on_retransmit", "on_retransmit_nested"];
    await using running = await start(net.a, "held", {
      ...{ server: net.b, address: addresses.b, up: 1000, later: 2000 },
    });
    await running.until("opened");
    const sent = async () => (await net.a.counters())["Tcp.RetransSegs"] ?? 0;
    const before = await sent();
    const more = async (count: number) => {
      for (const begun = await sent(); (await sent()) < begun + count; ) await sleep(5);
    };
    const rule = await net.b.rule("input", "meta l4proto tcp", "drop");
    running.goOn();
    await more(1);
    for (const program of programs) object.detach(program);
    await more(2);
    for (const program of programs) object.attach(program);
    await more(1);
    await rule.remove();
    await running.done();
    const [metric] = (await seen.collect()).filter(({ spec }) => spec.name === "wirespan.tcp.retransmits");
    const reported = metric!.points.reduce((sum, { value }) => sum + Number(value), 0);
    const made = (await sent()) - before;
    const hidden = seen.engine.unseen;
    assert.ok(hidden >= 2, `${hidden} unseen`);
    assert.equal(reported + hidden, made);
  });

  it("reports retransmitted SYNs and SYN-ACKs, each with its owner", async () => {
    await using net = await pair();
    await net.b.sysctl({ "net.ipv4.tcp_synack_retries": 2 });
    await net.a.rule("input", "tcp flags & (syn|ack) == (syn|ack)", "drop");
    await using agent = await watch([net.a, net.b]);
    await using server = await start(net.a, "held", {
      server: net.b,
      address: addresses.b,
      synRetries: 1,
      limit: 20_000,
    });
    const listening = await server.until("listening");
    const before = [await net.a.counters(), await net.b.counters()];
    await sleep(4500);
    const after = [await net.a.counters(), await net.b.counters()];
    const [syns, synacks] = after.map(
      (c, i) => c["TcpExt.TCPSynRetrans"]! - (before[i]!["TcpExt.TCPSynRetrans"] ?? 0),
    );
    const rows = await events(agent);
    const of = (netns: Netns) => rows.filter((row) => row["wirespan.netns.inode"] === inode(netns));
    assert.ok(syns! >= 1 && synacks! >= 1, `${syns} SYNs, ${synacks} SYN-ACKs`);
    assert.deepEqual(segments(of(net.a)), { syn: syns });
    assert.deepEqual(segments(of(net.b)), { synack: synacks });
    for (const row of of(net.a)) {
      assert.equal(row["network.connection.state"], "syn_sent");
      assert.equal(row["thread.name"], "pcli");
      assert.notEqual(row["network.local.port"], 0);
    }
    for (const row of of(net.b)) {
      assert.equal(row["network.connection.state"], "syn_received");
      assert.equal(row["process.pid"], listening.pid);
      assert.equal(row["network.local.port"], listening.localPort);
      assert.equal(row["network.peer.address"], addresses.a);
    }
  });

  it("distinguishes segments that did not leave the host from those that did", async function () {
    if (native.tracepointArity("tcp_retransmit_skb") < 3) this.skip();
    await using net = await pair();
    await using running = await start(net.a, "held", {
      server: net.b,
      address: addresses.b,
      up: 1000,
      later: 2000,
    });
    await running.until("opened");
    await using agent = await watch([net.a], "--signals", "--set", "metrics.interval=60s");
    const moved = await net.a.moved(async () => {
      // New data must leave: until then TCP considers it unsent.
      const there = await net.b.rule("input", "meta l4proto tcp", "drop");
      running.goOn();
      await sleep(150);
      const here = await net.a.rule("output", "meta l4proto tcp", "drop");
      await sleep(1200);
      await here.remove();
      await there.remove();
      await running.done();
    });
    await agent.stop();
    const reported = agent.rows.filter((row) => row.name === "wirespan.tcp.retransmit");
    const failed = reported.filter((row) => row["error.type"] === "filtered");
    assert.ok(failed.length > 0);
    assert.equal(
      failed.reduce((sum, row) => sum + Number(row["wirespan.tcp.segments"]), 0),
      moved["TcpExt.TCPRetransFail"],
    );
    const last = (name: string) => {
      const points = agent.rows.filter((row) => row.name === name);
      const latest = points.at(-1)?.time;
      return points.filter((row) => row.time === latest);
    };
    const sum = (rows: readonly Row[]) => rows.reduce((total, row) => total + Number(row.value), 0);
    assert.equal(sum(last("wirespan.tcp.retransmits")), moved["Tcp.RetransSegs"]);
    assert.equal(
      sum(last("wirespan.tcp.retransmits").filter((row) => row["error.type"])),
      moved["TcpExt.TCPRetransFail"],
    );
    assert.equal(
      sum(last("wirespan.tcp.retransmit.failures")),
      reported.filter((row) => row["error.type"]).length,
    );
    assert.ok(reported.every((row) => row["thread.name"] === "pcli"));
  });

  it("gives an event the ids of its connection's span", async () => {
    await using net = await pair();
    const config = [`filter: { include: { netns: [${inode(net.a)}] } }`, "metrics: { interval: 60s }"].join(
      "\n",
    );
    await using spans = await startAgent(["trace", "tcplife", "--json"], { config });
    await using agent = await watch([net.a]);
    const end = one(await blackout(net), "end", "client");
    await sleep(500);
    await spans.stop();
    const span = spans.rows.find((row) => row["wirespan.connection.id"] === end.cookie.toString(16));
    const rows = await events(agent);
    assert.ok(rows.length > 0 && span);
    for (const row of rows) {
      assert.deepEqual([row.trace_id, row.span_id], [span.trace_id, span.span_id]);
    }
  });

  it("counts by flow with -c", async () => {
    await using net = await pair();
    await using agent = await watch([net.a], "-c");
    let end: { localPort: number; remotePort: number } | undefined;
    const moved = await net.a.moved(async () => {
      end = one(await blackout(net), "end", "client");
    });
    await agent.stop();
    assert.equal(agent.rows.length, 1);
    const [row] = agent.rows;
    assert.equal(row!.value, moved["Tcp.RetransSegs"]);
    assert.equal(row!["network.local.port"], end!.localPort);
    assert.equal(row!["network.peer.port"], end!.remotePort);
  });

  it("limits events to its rate, reports how many were left out, and counts all", async () => {
    await using net = await pair();
    for (const netns of [net.a, net.b]) await netns.ip("link", "set", "wire0", "gso_max_segs", "1");
    await using agent = await watch(
      [net.a],
      "--signals",
      ...["--set", "plugins.tcpretrans.eventRate=2", "--set", "metrics.interval=60s"],
    );
    const moved = await net.a.moved(async () => {
      await net.b.rule("input", "meta length > 1000 numgen inc mod 20 == 10", "drop");
      await run(net.a, "clientCloses", { server: net.b, address: addresses.b, up: 600_000 });
    });
    await agent.stop();
    const reported = agent.rows.filter((row) => row.name === "wirespan.tcp.retransmit");
    const counted = agent.rows.filter((row) => row.name === "wirespan.tcp.retransmits");
    const latest = counted.at(-1)?.time;
    const total = counted
      .filter((row) => row.time === latest)
      .reduce((sum, row) => sum + Number(row.value), 0);
    assert.ok(moved["Tcp.RetransSegs"]! > 10);
    assert.equal(total, moved["Tcp.RetransSegs"]);
    assert.ok(reported.length < total, `${reported.length} of ${total}`);
  });
});
