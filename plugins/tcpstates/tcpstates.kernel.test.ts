// tcpstates with real sockets, compared with what their programs and the kernel report.
import assert from "node:assert/strict";
import { countersOf } from "../../core/engine/readings.ts";
import { type Agent, type Row, startAgent } from "../../test/support/agent.ts";
import { Ends, inodeOf } from "../../test/support/connection-ends.ts";
import { type Watch, watch } from "../../test/support/engine.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { addresses, type Pair, pair } from "../../test/support/topology.ts";
import { build, one, pick, run, start } from "../../test/support/workload.ts";

const STATE = "network.connection.state";
const BEFORE = "wirespan.tcp.state.previous";
const DURATION = "wirespan.tcp.state.duration";
const ID = "wirespan.connection.id";
const PORT = "network.local.port";
const DIRECTION = "wirespan.connection.direction";
const CONTEXT = "wirespan.process.context.name";

/** Each state with the previous one, in the order of their times, which must be that of the rows. */
function sequence(rows: readonly Row[]): string[] {
  const times = rows.map((row) => String(row.time));
  assert.deepEqual(times, times.toSorted());
  for (const [i, row] of rows.entries()) if (i) assert.equal(row[BEFORE], rows[i - 1]?.[STATE]);
  return [String(rows[0]?.[BEFORE]), ...rows.map((row) => String(row[STATE]))];
}

/** Nanoseconds since the epoch. */
function timeOf(row: Row): bigint {
  const text = String(row.time);
  return BigInt(Date.parse(`${text.slice(0, 19)}Z`)) * 1_000_000n + BigInt(text.slice(20, 29));
}

/** From the first change to the last, and the sum of the durations in between; nanoseconds. */
function lives(rows: readonly Row[]): readonly [bigint, bigint] {
  const sum = rows.slice(1).reduce((ns, row) => ns + BigInt(Math.round(Number(row[DURATION]) * 1e9)), 0n);
  return [timeOf(rows.at(-1)!) - timeOf(rows[0]!), sum];
}

const ACTIVE = ["closed", "syn_sent", "established", "fin_wait_1", "fin_wait_2", "time_wait"];
const PASSIVE = ["listen", "syn_received", "established", "close_wait", "last_ack", "closed"];
const LISTENER = ["closed", "listen", "closed"];

describe("tcpstates", () => {
  const stack = new AsyncDisposableStack();
  let net: Pair;
  let netns: Netns;
  let agent: Agent;

  before(async function () {
    needsRoot(this);
    await build();
    net = stack.use(await pair());
    netns = stack.use(await Netns.create());
    // All changes of all connections of the host would be more than it can print.
    const only = `filter.include.netns=${[net.a, net.b, netns].map(inodeOf).join(",")}`;
    agent = stack.use(await startAgent(["trace", "tcpstates", "--json", "--set", only]));
  });

  after(() => stack[Symbol.asyncDispose]());

  /** The changes of the opener, the acceptor and the listener of the only connection. */
  async function changes(ends: Ends, count: number) {
    const rows = await ends.all(count);
    const of = (direction: string) => rows.filter((row) => row[DIRECTION] === direction);
    return { rows, opener: of("outbound"), acceptor: of("inbound"), listener: of("unknown") };
  }

  for (const [family, address] of [["IPv4", addresses.b] as const, ["IPv6", addresses.b6] as const]) {
    it(`reports every change of both ends and of the listener over ${family}`, async () => {
      const ends = new Ends(agent, net.a, net.b);
      const lines = await run(net.a, "clientCloses", { address, server: net.b });
      const { rows, opener, acceptor, listener } = await changes(ends, 12);
      assert.deepEqual(sequence(opener), ACTIVE);
      assert.deepEqual(sequence(acceptor), PASSIVE);
      assert.deepEqual(sequence(listener), LISTENER);

      const [client, server] = [one(lines, "end", "client"), one(lines, "end", "server")];
      for (const [changed, end] of [[opener, client] as const, [acceptor, server] as const]) {
        assert.deepEqual([...new Set(changed.map((row) => row[PORT]))], [end.localPort]);
        assert.deepEqual([...new Set(changed.map((row) => row["thread.name"]))], [end.comm]);
        assert.equal(new Set(changed.map((row) => row.span_id)).size, 1);
        assert.equal(changed.at(-1)?.[ID], end.cookie.toString(16));
      }
      assert.equal(new Set([...opener, ...acceptor].map((row) => row.trace_id)).size, 1);
      assert.equal(listener[0]?.trace_id, undefined);
      assert.ok(rows.every((row) => Number(row[PORT]) > 0));
    });
  }

  it("adds up to the life of the connection, to the nanosecond", async () => {
    const ends = new Ends(agent, net.a, net.b);
    await run(net.a, "clientCloses", { address: addresses.b, server: net.b });
    const { opener, acceptor } = await changes(ends, 12);
    for (const changed of [opener, acceptor]) {
      const [life, sum] = lives(changed);
      assert.equal(sum, life);
      assert.equal(changed[0]?.[DURATION], undefined, "nobody knows since when");
    }
    // The server closes 50 ms later.
    const closeWait = acceptor.find((row) => row[BEFORE] === "close_wait");
    assert.ok(Number(closeWait?.[DURATION]) >= 0.05);
  });

  it("reports the owner, and the process that was running at that moment", async () => {
    const ends = new Ends(agent, netns);
    await run(netns, "clientCloses");
    const { opener, acceptor } = await changes(ends, 12);
    // What a program does itself happens in its own context.
    const context = (rows: readonly Row[], state: string) =>
      rows.find((row) => row[STATE] === state)?.[CONTEXT];
    assert.deepEqual([context(opener, "syn_sent"), context(opener, "fin_wait_1")], ["pcli", "pcli"]);
    assert.equal(context(acceptor, "last_ack"), "psrv");
    assert.ok(acceptor.every((row) => row["thread.name"] === "psrv" && row[CONTEXT] !== undefined));
  });

  it("reports how long a half-closed connection waits for the other half", async () => {
    const ends = new Ends(agent, net.a, net.b);
    await run(net.a, "halfClose", { address: addresses.b, server: net.b });
    const { opener, acceptor } = await changes(ends, 12);
    assert.deepEqual(sequence(opener), ACTIVE);
    assert.deepEqual(sequence(acceptor), PASSIVE);
    const waited = (state: string) => Number(opener.find((row) => row[BEFORE] === state)?.[DURATION]);
    // The server continues 100 ms after the FIN, which it may acknowledge late.
    assert.ok(waited("fin_wait_2") > 0 && waited("fin_wait_1") + waited("fin_wait_2") >= 0.1);
  });

  it("follows a socket that is connected to itself through a simultaneous open and close", async () => {
    const ends = new Ends(agent, netns);
    const lines = await run(netns, "selfConnect", { port: 7018 });
    const rows = await ends.all(6);
    assert.deepEqual(sequence(rows), [
      "closed",
      "syn_sent",
      "syn_received",
      "established",
      "fin_wait_1",
      "closing",
      "time_wait",
    ]);
    const end = one(lines, "end", "client");
    assert.deepEqual([...new Set(rows.map((row) => row[ID]))], [end.cookie.toString(16)]);
    assert.ok(rows.every((row) => row[PORT] === 7018 && row["network.peer.port"] === 7018));
    const [life, sum] = lives(rows);
    assert.equal(sum, life);
  });

  it("sees a Fast Open server enter its states before the client does", async () => {
    for (const netns of [net.a, net.b]) await netns.sysctl({ "net.ipv4.tcp_fastopen": 3 });
    const ends = new Ends(agent, net.a, net.b);
    await run(net.a, "fastOpen", { address: addresses.b, server: net.b });
    const { rows } = await changes(ends, 22);
    const sockets = [...Map.groupBy(rows, (row) => `${row.trace_id} ${row[DIRECTION]}`).values()];
    for (const socket of sockets) {
      const expected = { outbound: ACTIVE, inbound: PASSIVE }[String(socket[0]?.[DIRECTION])] ?? LISTENER;
      assert.deepEqual(sequence(socket), expected);
    }
    assert.equal(sockets.length, 5);
  });

  it("never reports time_wait for a connection that a reset, a refusal or a kill ended", async () => {
    const ends = new Ends(agent, netns);
    await run(netns, "reset");
    const { opener, acceptor } = await changes(ends, 8);
    assert.deepEqual(sequence(opener), ["closed", "syn_sent", "established", "closed"]);
    assert.deepEqual(sequence(acceptor), ["listen", "syn_received", "established", "closed"]);

    const refused = new Ends(agent, netns);
    await run(netns, "attempt");
    const rows = await refused.all(2);
    assert.deepEqual(sequence(rows), ["closed", "syn_sent", "closed"]);
    // bcc has no ports for refused attempts.
    assert.ok(rows.every((row) => Number(row[PORT]) > 0 && row["network.peer.port"] === 9));
    assert.ok(Number(rows[1]?.[DURATION]) > 0);
  });

  it("distinguishes three connections on the same two ports", async () => {
    const ends = new Ends(agent, netns);
    const lines = await run(netns, "reusedPort", { port: 7019, sourcePort: 7020 });
    const rows = (await ends.all(3 * 6 + 2)).filter((row) => row[DIRECTION] === "outbound");
    const cookies = pick(lines, "end", "client").map(({ cookie }) => cookie.toString(16));
    assert.deepEqual([...new Set(rows.map((row) => row[ID]))].toSorted(), cookies.toSorted());
    for (const socket of Map.groupBy(rows, (row) => row[ID]).values())
      assert.deepEqual(sequence(socket), ["closed", "syn_sent", "established", "closed"]);
  });

  it("distinguishes twins on the same ports in two namespaces", async () => {
    const same = { port: 7026, sourcePort: 40426 };
    const both = [net.a, net.b].map((netns) => ({ netns, ends: new Ends(agent, netns) }));
    await Promise.all(both.map(({ netns }) => run(netns, "held", same)));
    const ids = new Set<unknown>();
    for (const { ends } of both) {
      const { opener, acceptor } = await changes(ends, 12);
      assert.deepEqual([sequence(opener), sequence(acceptor)], [ACTIVE, PASSIVE]);
      for (const row of [...opener, ...acceptor]) ids.add(row[ID]);
    }
    assert.equal(ids.size, 4);
  });

  it("reports each change of a multipath connection once, and none to the same state", async () => {
    const ends = new Ends(agent, netns);
    await run(netns, "multipath");
    const { rows, opener, acceptor, listener } = await changes(ends, 12);
    assert.ok(rows.every((row) => row[STATE] !== row[BEFORE]));
    assert.deepEqual([sequence(opener)[1], sequence(acceptor)[1]], ["syn_sent", "syn_received"]);
    assert.deepEqual(sequence(listener), LISTENER);
  });

  it("reports a listener that chooses its port in listen() as soon as it has one", async () => {
    const ends = new Ends(agent, netns);
    const lines = await run(netns, "listen");
    const [autobound] = pick(lines, "listen");
    const rows = await ends.all(12);
    const own = rows.filter((row) => row[ID] === autobound?.cookie.toString(16));
    assert.deepEqual(sequence(own), LISTENER);
    assert.deepEqual(
      own.map((row) => row[PORT]),
      [autobound?.localPort, autobound?.localPort],
    );
  });

  it("filters by port, family and more on the final tuple, so that no change is missing", async () => {
    const args = ["trace", "tcpstates", "--json", "-D", "7021", "-4"];
    await using filtered = await startAgent(args);
    const ends = new Ends(filtered, netns);
    await run(netns, "clientCloses", { port: 7022 });
    await run(netns, "clientCloses", { port: 7021, address: "::1" });
    const lines = await run(netns, "clientCloses", { port: 7021 });
    const rows = await ends.all(5);
    assert.deepEqual(sequence(rows), ACTIVE);
    assert.equal(rows[0]?.[PORT], one(lines, "end", "client").localPort);
  });

  it("prints bcc's columns, and CSV that keeps names whole", async () => {
    await using table = await startAgent(["trace", "tcpstates", "-L", "7024"]);
    await using csv = await startAgent(["trace", "tcpstates", "-T", "-s", "-L", "7024"]);
    await run(netns, "clientCloses", { port: 7024, serverComm: "a b, c" });
    const [header, ...lines] = (await table.stop()).stdout;
    assert.equal(
      header?.replace(/ +/g, " "),
      "SKADDR C-PID C-COMM IP LADDR LPORT RADDR RPORT OLDSTATE -> NEWSTATE MS",
    );
    assert.equal(lines.length, 7);
    assert.match(lines.at(-1) ?? "", / 7024 .* (LAST_ACK|LISTEN) +-> CLOSE +\d+\.\d{3}$/);
    const [titles, ...records] = (await csv.stop()).stdout;
    assert.equal(titles, "TIME,SKADDR,C-PID,C-COMM,IP,LADDR,LPORT,RADDR,RPORT,OLDSTATE,->,NEWSTATE,MS");
    assert.ok(records.some((record) => record.includes(',"a b, c",')));
  });
});

describe("tcpstates' metrics", () => {
  let watched: Watch;
  let netns: Netns;

  before(async function () {
    needsRoot(this);
    await build();
    netns = await Netns.create();
    const only = String(inodeOf(netns));
    watched = await watch(["tcpstates"], { "plugins.tcpstates.filter.include.netns": only });
  });

  after(async () => {
    await watched?.[Symbol.asyncDispose]();
    await netns?.[Symbol.asyncDispose]();
  });

  async function points(name: string) {
    const metrics = (await watched.collect()).filter(({ spec }) => spec.name === name);
    return metrics.flatMap((metric) => metric.points);
  }

  async function population(): Promise<Readonly<Record<string, number>>> {
    const found = await points("system.network.connection.count");
    return Object.fromEntries(
      found.map((p) => [p.attributes[STATE], p.value as number]).filter(([, n]) => n),
    );
  }

  it("counts the living sockets of each state, as ss does", async () => {
    await using running = await start(netns, "held");
    await running.until("opened", "client");
    const listed = (await netns.run("ss", "-Htan")).trim().split("\n");
    const states = listed.map((line) => line.split(/\s+/)[0]);
    assert.deepEqual(states.toSorted(), ["ESTAB", "ESTAB", "LISTEN"]);
    assert.deepEqual(await population(), { established: 2, listen: 1 });
    running.goOn();
    await running.done();
    assert.deepEqual(await population(), {});
  });

  it("has one duration for each state that was left, and no event by default", async () => {
    const before = await durations();
    await run(netns, "clientCloses", { count: 20 });
    const after = await durations();
    const moved = (key: string) => (after.get(key) ?? 0) - (before.get(key) ?? 0);
    for (const state of ["syn_sent", "established", "fin_wait_1", "fin_wait_2"])
      assert.equal(moved(`outbound ${state}`), 20, state);
    for (const state of ["syn_received", "established", "close_wait", "last_ack"])
      assert.equal(moved(`inbound ${state}`), 20, state);
    assert.equal(moved("unknown listen"), 1);
    assert.deepEqual(watched.events, []);
  });

  it("misses no state of 10,000 connections in a burst", async () => {
    await netns.settled();
    const before = await durations();
    await run(netns, "burst", { count: 10_000 });
    await netns.settled();
    const after = await durations();
    const moved = (key: string) => (after.get(key) ?? 0) - (before.get(key) ?? 0);
    for (const key of ["outbound syn_sent", "outbound established", "outbound fin_wait_1"])
      assert.equal(moved(key), 10_000, key);
    for (const key of [
      "inbound syn_received",
      "inbound established",
      "inbound close_wait",
      "inbound last_ack",
    ])
      assert.equal(moved(key), 10_000, key);
    const counters = countersOf(watched.engine.readers).tcpstates;
    assert.deepEqual([counters?.lost_changes, counters?.overflows], [0, 0]);
  });

  async function durations(): Promise<Map<string, number>> {
    const sums = new Map<string, number>();
    for (const { attributes, value } of await points("wirespan.tcp.state.duration")) {
      const key = `${attributes[DIRECTION]} ${attributes[STATE]}`;
      sums.set(key, (sums.get(key) ?? 0) + (value as { count: number }).count);
    }
    return sums;
  }
});
