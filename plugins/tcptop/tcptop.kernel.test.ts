// tcptop with real connections, compared with what their programs count.
import assert from "node:assert/strict";
import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { countersOf } from "../../core/engine/readings.ts";
import type { Point } from "../../core/plugin/signals.ts";
import { startAgent } from "../../test/support/agent.ts";
import { inodeOf } from "../../test/support/connection-ends.ts";
import { type Watch, watch } from "../../test/support/engine.ts";
import { end, Netns, needsRoot } from "../../test/support/netns.ts";
import { addresses, pair } from "../../test/support/topology.ts";
import { build, type Connection, one, pick, run, start } from "../../test/support/workload.ts";

const PID = "process.pid";
const SENT = "wirespan.tcp.bytes_sent";
const RECEIVED = "wirespan.tcp.bytes_received";
const OTHERS = "wirespan.tcp.top.others";

interface Bytes {
  readonly sent: number;
  readonly received: number;
}

/** An engine that observes only the sockets of some namespaces; `more`: additional settings of tcptop by name. */
function watchTop(
  settings: Readonly<Record<string, string | number>>,
  ...namespaces: readonly Netns[]
): Promise<Watch> {
  const own = { ...settings, "filter.include.netns": namespaces.map(inodeOf).join(",") };
  return watch(
    ["tcptop"],
    Object.fromEntries(Object.entries(own).map(([name, value]) => [`plugins.tcptop.${name}`, String(value)])),
  );
}

async function points(watched: Watch): Promise<readonly Point[]> {
  return (await watched.collect()).flatMap((metric) => metric.points);
}

/** The series, as of now: bytes by pid; the overflow series as `rest`. */
async function series(watched: Watch): Promise<Readonly<Record<string, Bytes>>> {
  const found: Record<string, { sent: number; received: number }> = {};
  for (const { attributes, value } of await points(watched)) {
    const name = attributes["otel.metric.overflow"] ? "rest" : String(attributes[PID]);
    found[name] ??= { sent: 0, received: 0 };
    found[name][attributes["network.io.direction"] === "transmit" ? "sent" : "received"] += value as number;
  }
  return found;
}

/** The last acknowledgement may still be in flight when the programs have ended, so the sums may be late, but never too high. */
async function assertSeries(watched: Watch, expected: Readonly<Record<string, Bytes>>): Promise<void> {
  const all = { rest: { sent: 0, received: 0 }, ...expected };
  for (const end = performance.now() + 5000; performance.now() < end; await delay(20)) {
    try {
      assert.deepEqual(await series(watched), all);
      break;
    } catch {
      // checked again
    }
  }
  await delay(50);
  assert.deepEqual(await series(watched), all);
}

function counted({ sent, received }: Bytes): Bytes {
  return { sent, received };
}

/** The sum of all events so far, by one of their attributes. */
function reported(watched: Pick<Watch, "events">, by: string): Readonly<Record<string, Bytes>> {
  const found: Record<string, { sent: number; received: number }> = {};
  for (const { attributes } of watched.events) {
    const name = String(attributes[by]);
    found[name] ??= { sent: 0, received: 0 };
    found[name].sent += attributes[SENT] as number;
    found[name].received += attributes[RECEIVED] as number;
  }
  return found;
}

describe("tcptop", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  for (const [family, address] of [
    ["IPv4", addresses.b],
    ["IPv6", addresses.b6],
  ] as const) {
    it(`counts what was sent and read by any means, over ${family}: would-block, partial, sendfile, peek, splice`, async () => {
      await using net = await pair();
      await using watched = await watchTop({ connections: 10 }, net.a, net.b);
      const lines = await run(net.a, "bytes", { address, server: net.b });
      const [client, server] = [one(lines, "end", "client"), one(lines, "end", "server")];
      const { asked, refused, partial } = one(lines, "sends");
      assert.equal(refused, 20);
      assert.ok(partial > 0 && asked > 2 * client.sent, "what counts sizes asked for is far off");
      assert.deepEqual(counted(client), { sent: server.received, received: server.sent });
      const ends = { [client.pid]: counted(client), [server.pid]: counted(server) };
      await assertSeries(watched, ends);
      assert.deepEqual(reported(watched, PID), ends);
    });
  }

  it("loses no connection that opens and closes between two sweeps: 10,000 of them", async () => {
    await using netns = await Netns.create();
    await using watched = await watchTop({ connections: 5 }, netns);
    const lines = await run(netns, "burst");
    const [client, server] = [one(lines, "summary", "client"), one(lines, "summary", "server")];
    const all = { sent: 10_000, received: 0 };
    await assertSeries(watched, { [client.pid]: all, [server.pid]: { sent: 0, received: 10_000 } });
    const sum = watched.events.reduce((bytes, { attributes }) => bytes + (attributes[SENT] as number), 0);
    assert.equal(sum, 10_000);
    // Each collection reports the first five individually; there may have been one before the last were closed.
    assert.equal(
      watched.events.reduce((count, { attributes }) => count + Number(attributes[OTHERS] ?? 1), 0),
      20_000,
    );
    assert.deepEqual(countersOf(watched.engine.readers).tcptop, {
      overflow_processes: 0,
      overflow_connections: 0,
    });
  });

  it("reports the bytes of each of 400 open connections: more rows than the kernel's buffer takes at once", async () => {
    await using netns = await Netns.create();
    await using watched = await watchTop({ connections: 1000 }, netns);
    const opens = `
      const net = require("node:net");
      let read = 0;
      const server = net.createServer((socket) => socket.on("data", ({ length }) => {
        read += length;
        if (read === 4000) console.log("read");
      })).listen(0, "127.0.0.1", () => {
        for (let i = 0; i < 400; i++) net.connect(server.address().port, "127.0.0.1").write("0123456789");
      });`;
    const held = netns.spawn(process.execPath, ["-e", opens], { stdio: ["pipe", "pipe", "inherit"] });
    try {
      await once(held.stdout!, "data");
      // Bytes that wait for their owner wait for one second.
      await delay(1100);
      const sum = (name: string) =>
        watched.events.reduce((bytes, { attributes }) => bytes + (attributes[name] as number), 0);
      // The kernel may skip a socket while others on the host open and close: the next collection has its bytes.
      for (let round = 0; round < 5 && sum(SENT) + sum(RECEIVED) < 8000; round++) await watched.collect();
      assert.deepEqual([sum(SENT), sum(RECEIVED)], [4000, 4000]);
      assert.equal(watched.events.length, 800);
    } finally {
      await end(held);
    }
  });

  it("counts 10,000 short connections once while it sweeps without a pause", async () => {
    await using netns = await Netns.create();
    await using watched = await watchTop({}, netns);
    let done = false;
    const sweeping = (async () => {
      while (!done) await watched.collect();
    })();
    const lines = await run(netns, "burst").finally(() => {
      done = true;
    });
    await sweeping;
    const [client, server] = [one(lines, "summary", "client"), one(lines, "summary", "server")];
    await assertSeries(watched, {
      [client.pid]: { sent: 10_000, received: 0 },
      [server.pid]: { sent: 0, received: 10_000 },
    });
  });

  it("names a server that closes first on its own, 200 times of 200", async () => {
    await using net = await pair();
    await using watched = await watchTop({ connections: 1000 }, net.a, net.b);
    const lines = await run(net.a, "serverCloses", { address: addresses.b, server: net.b, count: 200 });
    const sum = (ends: readonly Connection[]): Bytes => ({
      sent: ends.reduce((bytes, end) => bytes + end.sent, 0),
      received: ends.reduce((bytes, end) => bytes + end.received, 0),
    });
    const [clients, servers] = [pick(lines, "end", "client"), pick(lines, "end", "server")];
    const ends = { [clients[0]!.pid]: sum(clients), [servers[0]!.pid]: sum(servers) };
    assert.equal(servers.length, 200);
    await assertSeries(watched, ends);
    assert.deepEqual(reported(watched, PID), ends);
    assert.deepEqual(Object.keys(reported(watched, "thread.name")).sort(), ["pcli", "psrv"]);
  });

  it("keeps 4 of 500 short processes and sums the rest; no series decreases, and no byte is lost", async () => {
    await using netns = await Netns.create();
    await using watched = await watchTop({ processes: 4 }, netns);
    const before = new Map<string, number>();
    const check = async () => {
      const all = await points(watched);
      assert.ok(all.length <= 2 * 4 + 2);
      for (const { attributes, start, value } of all) {
        const key = JSON.stringify([attributes, start]);
        assert.ok((value as number) >= (before.get(key) ?? 0), `${key} went back`);
        before.set(key, value as number);
      }
    };
    const work = run(netns, "shortLived");
    let done = false;
    void work.finally(() => {
      done = true;
    });
    while (!done) await check();
    await work;
    await delay(100);
    await check();
    let sent = 0;
    let received = 0;
    for (const [key, value] of before) {
      if (key.includes("transmit")) sent += value;
      else received += value;
    }
    assert.deepEqual([sent, received], [500, 500]);
  });

  it("reports each of a socket's connections, one after the other, with its own bytes and id", async () => {
    await using netns = await Netns.create();
    await using watched = await watchTop({ connections: 10 }, netns);
    await using running = await start(netns, "reconnected", { up: 1000, delay: 100 });
    const done = running.done();
    // Some collections happen during a connection, some between two, some after several.
    for (const pause of [150, 30]) {
      await delay(pause);
      await watched.collect();
    }
    const lines = await done;
    const [client] = pick(lines, "opened", "client");
    const pid = client!.pid;
    const ends = pick(lines, "end", "server");
    await assertSeries(watched, {
      [pid]: { sent: 10_000, received: 4 },
      [ends[0]!.pid]: { sent: 4, received: 10_000 },
    });
    const cookie = client!.cookie.toString(16);
    const own = watched.events.filter(({ attributes }) => attributes[PID] === pid);
    assert.deepEqual(reported({ events: own }, "wirespan.connection.id"), {
      [`${cookie}.2`]: { sent: 1000, received: 1 },
      [`${cookie}.3`]: { sent: 2000, received: 1 },
      [`${cookie}.4`]: { sent: 3000, received: 1 },
      [`${cookie}.5`]: { sent: 4000, received: 1 },
    });
  });

  it("reports an open connection's traffic since the last time, and once more at its end", async () => {
    await using net = await pair();
    await using watched = await watchTop({ connections: 10 }, net.a);
    const options = { address: addresses.b, server: net.b, up: 100, later: 200, down: 30 };
    await using held = await start(net.a, "held", options);
    const opened = await held.until("opened");
    await assertSeries(watched, { [opened.pid]: { sent: 100, received: 0 } });
    held.goOn();
    await held.done();
    await assertSeries(watched, { [opened.pid]: { sent: 300, received: 30 } });
    const events = watched.events.filter(({ attributes }) => attributes[PID] === opened.pid);
    assert.equal(events[0]?.attributes[SENT], 100);
    const ids = new Set(events.map(({ attributes }) => attributes["wirespan.connection.id"]));
    assert.deepEqual([...ids], [opened.cookie.toString(16)]);
  });

  it("distinguishes twins on the same ports in two namespaces", async () => {
    await using a = await Netns.create();
    await using b = await Netns.create();
    await using watched = await watchTop({ connections: 10 }, a, b);
    const same = { port: 7026, sourcePort: 40526 };
    const lines = await Promise.all([
      run(a, "held", { ...same, up: 111 }),
      run(b, "held", { ...same, up: 222 }),
    ]);
    const ends = Object.fromEntries(
      lines.flatMap((all) => pick(all, "end")).map((end) => [end.pid, counted(end)]),
    );
    assert.equal(Object.keys(ends).length, 4);
    await assertSeries(watched, ends);
    assert.deepEqual(reported(watched, PID), ends);
    assert.deepEqual(reported(watched, "wirespan.netns.inode"), {
      [inodeOf(a)]: { sent: 111, received: 111 },
      [inodeOf(b)]: { sent: 222, received: 222 },
    });
  });

  it("sorts by the requested order, and reports the requested number of connections", async () => {
    await using net = await pair();
    const reported = async (sort: string) => {
      await using watched = await watchTop({ connections: 1, sort }, net.a);
      await watched.collect();
      const up = { address: addresses.b, server: net.b, up: 9000, down: 1 };
      const down = { address: addresses.b, server: net.b, up: 1, down: 5000 };
      await run(net.a, "clientCloses", up);
      await run(net.a, "clientCloses", down);
      await delay(100);
      await watched.collect();
      return watched.events.map(({ attributes: a }) => [a[OTHERS] ?? 0, a[SENT], a[RECEIVED]]);
    };
    const [upload, download] = [
      [0, 9000, 1],
      [0, 1, 5000],
    ];
    assert.deepEqual(await reported("sent"), [upload, [1, 1, 5000]]);
    assert.deepEqual(await reported("received"), [download, [1, 9000, 1]]);
    assert.deepEqual(await reported("all"), [upload, [1, 1, 5000]]);
  });

  describe("on the command line", () => {
    it("prints bcc's columns: a table for each interval, as many as requested", async () => {
      await using net = await pair();
      const netns = `plugins.tcptop.filter.include.netns=${inodeOf(net.a)}`;
      await using agent = await startAgent(["trace", "tcptop", "-C", "1", "2", "--set", netns]);
      const lines = await run(net.a, "clientCloses", {
        address: addresses.b6,
        server: net.b,
        up: 2048,
        down: 512,
      });
      const client = one(lines, "end", "client");
      const { stdout, code } = await agent.ended();
      assert.equal(code, 0);
      assert.equal(stdout.filter((line) => / loadavg: [\d.]+ /.test(line)).length, 2);
      const header = "PID     COMM            LADDR                 RADDR                    RX_KB    TX_KB";
      assert.equal(stdout.filter((line) => line === header).length, 2);
      const rows = stdout.filter((line) => line.startsWith(`${client.pid} `)).map((line) => line.split(/ +/));
      const [local, remote] = [`[${client.local}]:${client.localPort}`, `[fd13::2]:${client.remotePort}`];
      assert.deepEqual(rows[0]?.slice(0, 4), [String(client.pid), "pcli", local, remote]);
      const sum = (column: number) => rows.reduce((kb, row) => kb + Number(row[column]), 0);
      assert.deepEqual([sum(4), sum(5)], [0.5, 2]);
      assert.ok(!stdout.join("").includes("\x1b"));
    });

    it("shows one process, one family, without a summary", async () => {
      await using net = await pair();
      const server = net.b;
      await using held = await start(net.a, "held", { address: addresses.b, server, up: 10, later: 20 });
      const { pid } = await held.until("opened");
      const four = ["trace", "tcptop", "-S", "-4", "-p", String(pid), "--json", "0.2"];
      await using agent = await startAgent(four);
      await using six = await startAgent(["trace", "tcptop", "-6", "-p", String(pid), "--csv", "0.2"]);
      held.goOn();
      await held.done();
      const rows = await agent.until((all) => all.length > 0);
      assert.deepEqual(
        rows.map((row) => [row[PID], row[SENT]]),
        [[pid, 20]],
      );
      assert.deepEqual((await six.stop()).stdout, ["PID,COMM,LADDR,RADDR,RX_KB,TX_KB"]);
    });
  });
});
