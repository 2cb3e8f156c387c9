// tcpaccept with real connections, compared with what their programs and the kernel report.
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { existsSync, readlinkSync } from "node:fs";
import { native } from "../../native/index.ts";
import { type Agent, type Row, startAgent } from "../../test/support/agent.ts";
import { assertRow, Ends, expectedRow, inodeOf } from "../../test/support/connection-ends.ts";
import { watch } from "../../test/support/engine.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { skip } from "../../test/support/skip.ts";
import { addresses, pair } from "../../test/support/topology.ts";
import { build, type Connection, one, pick, run, start } from "../../test/support/workload.ts";

const WAIT = "wirespan.tcp.accept.queue_wait";
const FD = "wirespan.tcp.accept.fd";
const TID = "wirespan.thread.tid";

/** What the acceptor reported about its end, without bytes, which this tool does not report. */
function accepted(line: Connection): Row {
  const { "wirespan.tcp.bytes_sent": _, "wirespan.tcp.bytes_received": __, ...row } = expectedRow(line);
  return { ...row, [TID]: line.tid, "wirespan.process.source": "accept", "error.type": undefined };
}

/** Listens, reports it, leaves its only connection in the queue for half a second, and accepts it. */
const LATE = `
import select, socket, time
listener = socket.create_server(("127.0.0.1", 7030))
print("ready", flush=True)
select.select([listener], [], [])
time.sleep(0.5)
connection, _ = listener.accept()
connection.recv(1)
`;

const CONNECT = `
import socket
socket.create_connection(("127.0.0.1", 7030)).send(b"x")
`;

import { countersOf } from "../../core/engine/readings.ts";

async function lateServer(netns: Netns): Promise<ChildProcess> {
  const server = netns.spawn("python3", ["-c", LATE], { stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((ready) => server.stdout?.once("data", ready));
  return server;
}

describe("tcpaccept", () => {
  let agent: Agent;

  before(async function () {
    needsRoot(this);
    await build();
    agent = await startAgent(["trace", "tcpaccept", "--json"]);
  });

  after(async () => {
    await agent?.[Symbol.asyncDispose]();
  });

  it("reports 25 of 25 calls that were blocked before its start, each with its thread", async () => {
    await using netns = await Netns.create();
    await using running = await start(netns, "accepters");
    await running.until("blocked");
    await using late = await startAgent(["trace", "tcpaccept", "--json"]);
    const ends = new Ends(late, netns);
    running.goOn();
    const lines = pick(await running.done(), "end", "server");
    const rows = await ends.all(25);
    assert.equal(new Set(lines.map(({ tid }) => tid)).size, 25);
    for (const line of lines) {
      const row = rows.find((row) => row["network.local.port"] === line.localPort);
      assertRow(row ?? assert.fail(`no row of port ${line.localPort}`), accepted(line));
    }
  });

  for (const address of [addresses.b, addresses.b6]) {
    it(`reports the accepted end once, in the trace of both ends (${address})`, async () => {
      await using net = await pair();
      const ends = new Ends(agent, net.a, net.b);
      const lines = await run(net.a, "clientCloses", { address, server: net.b });
      const row = await ends.one();
      assertRow(row, { ...accepted(one(lines, "end", "server")), name: "tcp accept", status: "unset" });
      assertRow(row, { "wirespan.tcp.synack.retransmits": 0, "wirespan.netns.inode": inodeOf(net.b) });
      assert.ok((row[WAIT] as number) >= 0 && (row[WAIT] as number) < 5, String(row[WAIT]));
    });
  }

  it("reports IPv4 over IPv6 sockets as IPv4, marked", async () => {
    await using netns = await Netns.create();
    const ends = new Ends(agent, netns);
    const lines = await run(netns, "clientCloses", { address: "::ffff:127.0.0.1", listen: "::" });
    assertRow(await ends.one(), {
      ...accepted(one(lines, "end", "server")),
      "network.type": "ipv4",
      "wirespan.connection.mapped": true,
    });
  });

  it("reports the thread that accepted, not the one that listened", async () => {
    await using netns = await Netns.create();
    const ends = new Ends(agent, netns);
    const lines = await run(netns, "acceptedByThread");
    const [listening, line] = [one(lines, "listening"), one(lines, "end", "server")];
    assert.notEqual(listening.tid, line.tid);
    assertRow(await ends.one(), accepted(line));
  });

  it("reports the process that accepted, not the one that it passed the connection to", async () => {
    await using netns = await Netns.create();
    const ends = new Ends(agent, netns);
    const line = one(await run(netns, "passedToChild"), "accepted");
    assertRow(await ends.one(), { ...accepted(line), [TID]: line.tid });
  });

  it("reports the descriptor", async function () {
    if (native.tryKind("fentry") === undefined)
      skip(this, "the descriptor is not reported if functions can be watched");
    await using netns = await Netns.create();
    const ends = new Ends(agent, netns);
    await using running = await start(netns, "held");
    const opened = await running.until("opened");
    const row = await ends.one();
    const link = readlinkSync(`/proc/${row["process.pid"]}/fd/${row[FD]}`);
    const table = (await netns.run("cat", "/proc/net/tcp"))
      .split("\n")
      .map((line) => line.trim().split(/\s+/));
    const hex = (port: unknown) => Number(port).toString(16).toUpperCase().padStart(4, "0");
    const own = table.find(
      ([, local, peer]) =>
        local?.endsWith(`:${hex(row["network.local.port"])}`) && peer?.endsWith(`:${hex(opened.localPort)}`),
    );
    assert.equal(link, `socket:[${own?.[9]}]`);
    running.goOn();
    await running.done();
  });

  it("reports how long a connection waited in the queue, apart from its handshake", async () => {
    await using netns = await Netns.create();
    const ends = new Ends(agent, netns);
    const server = await lateServer(netns);
    await netns.run("python3", "-c", CONNECT);
    const row = await ends.one();
    assertRow(row, { "network.local.port": 7030, "process.pid": server.pid });
    const took = (Date.parse(String(row.end)) - Date.parse(String(row.start))) / 1000;
    assert.ok(
      (row[WAIT] as number) > 0.2 && (row[WAIT] as number) <= took + 0.001,
      `${row[WAIT]} of ${took}`,
    );
  });

  it("never merges connections that use the same ports one after the other", async () => {
    await using net = await pair();
    const ends = new Ends(agent, net.a, net.b);
    const lines = await run(net.a, "reusedPort", { address: addresses.b, server: net.b, sourcePort: 40119 });
    const rows = await ends.all(3);
    const cookies = pick(lines, "end", "server").map(({ cookie }) => cookie.toString(16));
    assert.deepEqual(
      rows.map((row) => row["wirespan.connection.id"]),
      cookies,
    );
    assert.equal(new Set(rows.map((row) => row.trace_id)).size, 3);
  });

  it("reports a multipath connection once", async function () {
    if (!existsSync("/proc/sys/net/mptcp/enabled")) skip(this, "this kernel has no MPTCP");
    await using netns = await Netns.create();
    await netns.sysctl({ "net.mptcp.enabled": 1 });
    const ends = new Ends(agent, netns);
    const lines = await run(netns, "multipath");
    assertRow(await ends.one(), { "process.pid": one(lines, "end", "server").pid, "thread.name": "psrv" });
  });

  it("reports nothing about connections that were never accepted, by default", async () => {
    await using netns = await Netns.create();
    await using asked = await startAgent(["trace", "tcpaccept", "--json", "-Q"]);
    const [silent, ends] = [new Ends(agent, netns), new Ends(asked, netns)];
    const lines = await run(netns, "unaccepted", { port: 7022 });
    const listener = one(lines, "listening");
    for (const row of await ends.all(2)) {
      assertRow(row, {
        name: "tcp accept",
        status: "error",
        "error.type": "never_accepted",
        "wirespan.process.source": "listener",
        "process.pid": listener.pid,
        "network.local.port": 7022,
        [FD]: undefined,
      });
      assert.ok((row[WAIT] as number) > 1, "the listener closed after 1.3 s");
    }
    await run(netns, "clientCloses");
    assertRow(await silent.one(), { "error.type": undefined });
  });

  it("counts calls whose return no program was shown, once their connections are used", async function () {
    await using netns = await Netns.create();
    await using seen = await watch(["tcpaccept"], { "filter.include.netns": String(inodeOf(netns)) });
    const { object } = seen.engine.tracker.loaded;
    // If functions can be traced, accept() is found by one of them.
    if (object.programs().every(({ name }) => name !== "on_accept_exit")) this.skip();
    await seen.collect();
    const before = seen.engine.unseen;
    object.detach("on_accept_exit");
    await run(netns, "clientCloses", { count: 3 });
    await seen.collect();
    assert.deepEqual(seen.spans, []);
    assert.ok(seen.engine.unseen - before >= 3, `${seen.engine.unseen - before} of 3`);
  });

  it("reports and counts each call that fails for lack of a descriptor", async () => {
    await using netns = await Netns.create();
    await using seen = await watch(["tcpaccept"]);
    const lines = await run(netns, "emfile");
    const calls = pick(lines, "accept");
    assert.deepEqual(
      calls.map(({ errno }) => errno),
      [24, 24, 24],
    );
    const inode = inodeOf(netns);
    const here = () => seen.events.filter(({ attributes }) => attributes["wirespan.netns.inode"] === inode);
    await seen.until("three events", () => here().length >= 3);
    assert.equal(here().length, 3);
    for (const { name, attributes } of here()) {
      assert.equal(name, "wirespan.tcp.accept.error");
      assertRow(attributes, {
        "error.type": "too_many_open_files",
        "wirespan.errno": 24,
        "process.pid": calls[0]?.pid,
        [TID]: calls[0]?.tid,
        "thread.name": "psrv",
        "network.local.address": "127.0.0.1",
        "network.local.port": one(lines, "end", "server").localPort,
        "wirespan.connection.direction": "inbound",
      });
    }
  });

  it("reports how many calls had no event", async () => {
    await using netns = await Netns.create();
    await using seen = await watch(["tcpaccept"], { "plugins.tcpaccept.eventRate": "1" });
    await run(netns, "emfile", { count: 50 });
    const counts = () => countersOf(seen.engine.readers).tcpaccept ?? {};
    await seen.until("50 calls", () => (counts().seen_failures ?? 0) >= 50);
    seen.engine.drain();
    const { seen_failures = 0, suppressed_failures = 0, lost_failures = 0 } = counts();
    assert.equal(seen_failures, seen.events.length + suppressed_failures + lost_failures);
    assert.ok(suppressed_failures > 0);
  });

  it("applies its filters to the acceptor and the final ports", async () => {
    await using netns = await Netns.create();
    const server = await lateServer(netns);
    await using port = await startAgent(["trace", "tcpaccept", "--json", "-P", "7027,7040-7050"]);
    await using process = await startAgent(["trace", "tcpaccept", "--json", "-p", String(server.pid)]);
    const [byPort, byProcess] = [new Ends(port, netns), new Ends(process, netns)];
    await run(netns, "clientCloses", { port: 7026 });
    await run(netns, "clientCloses", { port: 7045 });
    await netns.run("python3", "-c", CONNECT);
    assertRow(await byPort.one(), { "network.local.port": 7045 });
    assertRow(await byProcess.one(), { "network.local.port": 7030 });
  });

  it("counts 5,000 of 5,000 in a burst, each with its acceptor", async () => {
    await using netns = await Netns.create();
    const inode = inodeOf(netns);
    // Metrics have no namespace.
    await using seen = await watch(["tcpaccept"], { "filter.include.netns": String(inode) });
    const lines = await run(netns, "burst", { count: 5000 });
    const here = () => seen.spans.filter(({ attributes }) => attributes["wirespan.netns.inode"] === inode);
    await seen.until("5,000 spans", () => here().length >= 5000);
    assert.equal(here().length, 5000);
    const { pid } = one(lines, "summary", "server");
    const wrong = here().filter(({ attributes }) => attributes["process.pid"] !== pid);
    assert.deepEqual(wrong, []);
    const { lost_accepts, lost_spans } = seen.counters();
    assert.deepEqual([lost_accepts, lost_spans], [0, 0]);
    const metrics = await seen.collect();
    const points = (name: string) =>
      metrics
        .filter(({ spec }) => spec.name === name)
        .flatMap(({ points }) => points)
        .filter(({ attributes }) => attributes["process.executable.name"] === "psrv");
    const [count] = points("wirespan.tcp.connection.accepted");
    const [duration] = points("wirespan.tcp.accept.duration");
    assert.equal(count?.value, 5000);
    assert.equal((duration?.value as { count: number } | undefined)?.count, 5000);
  });

  it("still reports what needs no hook if its hook is disabled", async () => {
    await using netns = await Netns.create();
    await using without = await startAgent([
      "trace",
      "tcpaccept",
      "--json",
      "-Q",
      "--set",
      "plugins.tcpaccept.acceptHook=false",
    ]);
    const ends = new Ends(without, netns);
    await run(netns, "clientCloses");
    await run(netns, "unaccepted", { port: 7022 });
    for (const row of await ends.all(2)) assertRow(row, { "error.type": "never_accepted" });
  });

  it("provides the acceptor to every plugin if enabled, in addition to the owner that uses the connection", async () => {
    await using netns = await Netns.create();
    await using seen = await watch(["tcplife"], { "connections.accept": "syscall" });
    const lines = await run(netns, "passedToChild");
    const inode = inodeOf(netns);
    const here = () =>
      seen.spans.filter(
        ({ attributes }) =>
          attributes["wirespan.netns.inode"] === inode &&
          attributes["wirespan.connection.direction"] === "inbound",
      );
    await seen.until("the acceptor's end", () => here().length >= 1);
    const [accepting, closed] = [one(lines, "accepted"), one(lines, "end", "server")];
    assert.equal(here().length, 1);
    // Linux 6.1 does not show the sender.
    const seesSends = native.tracepointArity("sock_send_length") >= 0;
    assertRow(here()[0]!.attributes, {
      "process.pid": seesSends ? closed.pid : accepting.pid,
      "wirespan.process.source": seesSends ? "io" : "accept",
      "wirespan.process.acceptor.pid": seesSends ? accepting.pid : undefined,
      "wirespan.process.acceptor.name": seesSends ? "psrv" : undefined,
      "wirespan.process.last_user.pid": undefined,
      "wirespan.process.closer.pid": seesSends ? undefined : closed.pid,
    });
  });
});
