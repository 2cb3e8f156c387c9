// tcptracer with real connections, compared with what their programs report.
import assert from "node:assert/strict";
import { native } from "../../native/index.ts";
import { type Agent, type Row, startAgent } from "../../test/support/agent.ts";
import { assertRow, Ends, expectedRow, inodeOf } from "../../test/support/connection-ends.ts";
import { watch } from "../../test/support/engine.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { skip } from "../../test/support/skip.ts";
import { addresses, pair } from "../../test/support/topology.ts";
import { build, type Connection, one, pick, run, start } from "../../test/support/workload.ts";

/** What a program reported about its end, which all of its rows must have. */
function end(line: Connection): Row {
  const { "wirespan.tcp.bytes_sent": _, "wirespan.tcp.bytes_received": __, ...row } = expectedRow(line);
  return row;
}

/** The rows of one trace by type; throws if there is not one of each. */
function traced(rows: readonly Row[]) {
  const of = (name: string, direction: string): Row => {
    const [row, ...more] = rows.filter(
      (row) => row.name === name && row["wirespan.connection.direction"] === direction,
    );
    assert.ok(row && more.length === 0, `${more.length + (row ? 1 : 0)} rows ${name} ${direction}`);
    return row;
  };
  const found = {
    connect: of("tcp connect", "outbound"),
    opener: of("tcp connection", "outbound"),
    accept: of("tcp accept", "inbound"),
    acceptor: of("tcp connection", "inbound"),
  };
  assert.equal(rows.length, 4);
  assert.equal(new Set(rows.map((row) => row.trace_id)).size, 1);
  assert.equal(new Set(rows.map((row) => row.span_id)).size, 4);
  assert.equal(found.opener.parent_span_id, undefined);
  assert.equal(found.connect.parent_span_id, found.opener.span_id);
  assert.equal(found.acceptor.parent_span_id, found.opener.span_id);
  assert.equal(found.accept.parent_span_id, found.acceptor.span_id);
  return found;
}

const count = (rows: readonly Row[], name: string) => rows.filter((row) => row.name === name).length;

describe("tcptracer", () => {
  let agent: Agent;

  before(async function () {
    needsRoot(this);
    await build();
    agent = await startAgent(["trace", "tcptracer", "--json"]);
  });

  after(async () => {
    await agent?.[Symbol.asyncDispose]();
  });

  for (const address of [addresses.b, addresses.b6]) {
    it(`reports connect, accept and both closes of a connection in one trace (${address})`, async () => {
      await using net = await pair();
      const ends = new Ends(agent, net.a, net.b);
      const lines = await run(net.a, "clientCloses", { address, server: net.b });
      const { connect, opener, accept, acceptor } = traced(await ends.all(4));
      const [client, server] = [one(lines, "end", "client"), one(lines, "end", "server")];
      for (const row of [connect, opener]) assertRow(row, { ...end(client), status: "unset" });
      for (const row of [accept, acceptor]) assertRow(row, { ...end(server), status: "unset" });
      assert.equal(connect["wirespan.netns.inode"], inodeOf(net.a));
      assert.equal(accept["wirespan.netns.inode"], inodeOf(net.b));
    });
  }

  it("reports the acceptor, and at the close the later owner", async function () {
    if (native.tracepointArity("sock_send_length") < 0) skip(this, "this kernel does not tell who sends");
    await using netns = await Netns.create();
    const ends = new Ends(agent, netns);
    const lines = await run(netns, "passedToChild");
    const { pid } = one(lines, "accepted");
    const { accept, acceptor } = traced(await ends.all(4));
    assertRow(accept, { "process.pid": pid, "wirespan.process.source": "accept" });
    assertRow(acceptor, {
      "process.pid": one(lines, "end", "server").pid,
      "wirespan.process.source": "io",
      "wirespan.process.acceptor.pid": pid,
    });
  });

  it("never merges connections that use the same ports one after the other", async () => {
    await using net = await pair();
    const ends = new Ends(agent, net.a, net.b);
    await run(net.a, "reusedPort", { address: addresses.b, server: net.b, sourcePort: 40219 });
    const traces = Map.groupBy(await ends.all(12), (row) => row.trace_id);
    assert.equal(traces.size, 3);
    for (const rows of traces.values()) traced(rows);
  });

  it("reports no attempts that fail: refused, killed", async () => {
    await using net = await pair();
    const ends = new Ends(agent, net.a, net.b);
    await run(net.a, "attempt", { address: addresses.b });
    await run(net.a, "nonblockingRefused", { address: addresses.b });
    await net.b.rule("input", "tcp dport 9", "drop");
    await run(net.a, "killedConnecting", { address: addresses.b });
    await run(net.a, "clientCloses", { address: addresses.b, server: net.b });
    traced(await ends.all(4));
  });

  it("reports one close of each end that a reset ends", async () => {
    await using net = await pair();
    const ends = new Ends(agent, net.a, net.b);
    await run(net.a, "reset", { address: addresses.b, server: net.b });
    traced(await ends.all(4));
  });

  it("reports one connect and one close of a socket that is its own peer", async () => {
    await using netns = await Netns.create();
    const ends = new Ends(agent, netns);
    const line = one(await run(netns, "selfConnect", { port: 7018 }), "end");
    const rows = await ends.all(2);
    assert.deepEqual([count(rows, "tcp connect"), count(rows, "tcp connection")], [1, 1]);
    for (const row of rows) assertRow(row, end(line));
  });

  it("reports no close of connections opened before its start", async () => {
    await using netns = await Netns.create();
    await using held = await start(netns, "held");
    await held.until("opened");
    await using late = await startAgent(["trace", "tcptracer", "--json"]);
    const ends = new Ends(late, netns);
    held.goOn();
    await held.done();
    const line = one(await run(netns, "clientCloses"), "end", "client");
    const { opener } = traced(await ends.all(4));
    assertRow(opener, end(line));
  });

  it("reports no accept and no close of connections that were never accepted", async () => {
    await using netns = await Netns.create();
    const ends = new Ends(agent, netns);
    await run(netns, "unaccepted", { port: 7022 });
    const rows = await ends.all(4);
    assert.deepEqual([count(rows, "tcp connect"), count(rows, "tcp accept")], [2, 0]);
    for (const row of rows) assertRow(row, { "wirespan.connection.direction": "outbound" });
  });

  it("distinguishes twins in two namespaces, and can filter by namespace", async () => {
    await using a = await Netns.create();
    await using b = await Netns.create();
    await using asked = await startAgent(["trace", "tcptracer", "--json", "-N", String(inodeOf(b))]);
    const [first, second, only] = [new Ends(agent, a), new Ends(agent, b), new Ends(asked, a, b)];
    const same = { port: 7026, sourcePort: 40226 };
    await Promise.all([run(a, "held", { ...same, up: 111 }), run(b, "held", { ...same, up: 222 })]);
    const [here, there] = [traced(await first.all(4)), traced(await second.all(4))];
    assert.notEqual(here.opener.trace_id, there.opener.trace_id);
    assert.equal(here.opener["network.local.port"], there.opener["network.local.port"]);
    for (const row of await only.all(4)) assertRow(row, { "wirespan.netns.inode": inodeOf(b) });
  });

  it("reports as many connects, accepts and closes as there were connections", async () => {
    await using seen = await watch(["tcptracer"]);
    await using netns = await Netns.create();
    await run(netns, "burst", { count: 2000 });
    const inode = inodeOf(netns);
    const here = () => seen.spans.filter(({ attributes }) => attributes["wirespan.netns.inode"] === inode);
    await seen.until("8,000 spans", () => here().length >= 8000);
    const rows = here().map(
      ({ name, attributes }) => `${name} ${attributes["wirespan.connection.direction"]}`,
    );
    const counts = Object.fromEntries(
      [...Map.groupBy(rows, (row) => row)].map(([key, all]) => [key, all.length]),
    );
    assert.deepEqual(counts, {
      "tcp connect outbound": 2000,
      "tcp connection outbound": 2000,
      "tcp accept inbound": 2000,
      "tcp connection inbound": 2000,
    });
    assert.equal(new Set(here().map(({ traceId }) => traceId)).size, 2000);
  });

  it("shares its spans with the plugins that want them too", async () => {
    await using seen = await watch(["tcptracer", "tcpaccept", "tcplife", "tcpconnlat"]);
    await using netns = await Netns.create();
    await run(netns, "clientCloses");
    const inode = inodeOf(netns);
    const here = () => seen.spans.filter(({ attributes }) => attributes["wirespan.netns.inode"] === inode);
    await seen.until("four spans", () => here().length >= 4);
    assert.deepEqual(
      here()
        .map(({ name }) => name)
        .toSorted(),
      ["tcp accept", "tcp connect", "tcp connection", "tcp connection"],
    );
    for (const { name, attributes } of here()) {
      const added = {
        "tcp accept": "wirespan.tcp.synack.retransmits",
        "tcp connect": "wirespan.tcp.syn.retransmits",
        "tcp connection": "wirespan.tcp.segments_sent",
      }[name];
      assert.notEqual(attributes[added ?? ""], undefined, `${name} has ${added}`);
    }
  });

  it("reports connects and closes without the hook", async () => {
    await using netns = await Netns.create();
    const off = ["--set", "plugins.tcptracer.acceptHook=false"];
    await using without = await startAgent(["trace", "tcptracer", "--json", ...off]);
    const ends = new Ends(without, netns);
    await run(netns, "clientCloses");
    const rows = await ends.all(3);
    assert.deepEqual([count(rows, "tcp connect"), count(rows, "tcp connection")], [1, 2]);
  });

  it("prints bcc's letters and columns", async () => {
    await using netns = await Netns.create();
    await using table = await startAgent(["trace", "tcptracer", "--csv", "-U"]);
    const lines = await run(netns, "clientCloses", { port: 7048 });
    const [client, server] = [one(lines, "end", "client"), one(lines, "end", "server")];
    const mine = () => table.stdout.filter((line) => /,7048(,|$)/.test(line));
    for (let i = 0; i < 200 && mine().length < 4; i++) await new Promise((next) => setTimeout(next, 25));
    const own = `4,127.0.0.1,127.0.0.1,${client.localPort},7048`;
    const peer = `4,127.0.0.1,127.0.0.1,7048,${client.localPort}`;
    assert.equal(table.stdout[0], "UID,T,PID,COMM,IP,SADDR,DADDR,SPORT,DPORT");
    assert.deepEqual(
      mine().toSorted(),
      [
        `0,A,${server.pid},psrv,${peer}`,
        `0,C,${client.pid},pcli,${own}`,
        `0,X,${client.pid},pcli,${own}`,
        `0,X,${server.pid},psrv,${peer}`,
      ].toSorted(),
    );
    assert.equal(pick(lines, "end").length, 2);
  });
});
