// solisten's reports about real listeners, compared with those of their programs and of the kernel.
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { type Agent, type Row, startAgent } from "../../test/support/agent.ts";
import { assertRow, Ends, inodeOf } from "../../test/support/connection-ends.ts";
import { hold } from "../../test/support/drops.ts";
import { type Watch, watch } from "../../test/support/engine.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { build, one, pick, run, start } from "../../test/support/workload.ts";

const ERRNO = "wirespan.socket.errno";
const LIMIT = "wirespan.socket.backlog_limit";
const ID = "wirespan.socket.id";

type Call = ReturnType<typeof calls>[number];
const calls = (lines: Awaited<ReturnType<typeof run>>) => pick(lines, "listen");

/** What a program printed about a call, as the agent must report it. */
function expectedRow(call: Call): Row {
  return {
    "server.address": call.local,
    "server.port": call.localPort,
    "wirespan.socket.backlog": call.backlog,
    [LIMIT]: call.errno ? undefined : call.effective,
    [ERRNO]: call.errno,
    "error.type": call.errno ? "address_in_use" : undefined,
    "process.pid": call.pid,
    "thread.name": "psrv",
    "wirespan.thread.tid": call.tid,
    "network.transport": "tcp",
    "wirespan.socket.protocol": call.variant === "multipath" ? "mptcp" : "tcp",
    "wirespan.socket.ipv6_only": call.variant === "dual" ? false : undefined,
    "wirespan.socket.listens_already": call.variant === "again" ? true : undefined,
  };
}

describe("solisten", () => {
  let agent: Agent;

  before(async function () {
    needsRoot(this);
    await build();
    agent = await startAgent(["trace", "solisten", "--json"]);
  });

  after(async () => {
    await agent?.[Symbol.asyncDispose]();
  });

  it("reports every call of listen() with its result, the backlog in effect, and the chosen port", async () => {
    await using netns = await Netns.create();
    await netns.sysctl({ "net.core.somaxconn": 128 });
    const ends = new Ends(agent, netns);
    const made = calls(await run(netns, "listen"));
    const rows = await ends.all(7);
    assert.deepEqual(
      made.map(({ variant }) => variant),
      ["autobound", "again", "first", "taken", "wide", "dual", "multipath"],
    );
    for (const [i, call] of made.entries()) assertRow(rows[i] ?? {}, expectedRow(call));
    const [autobound, again, , taken, wide] = rows;
    assert.equal(again?.[ID], autobound?.[ID]);
    assert.deepEqual([taken?.[ERRNO], wide?.["wirespan.socket.backlog"], wide?.[LIMIT]], [98, 4096, 128]);
    for (const [i, row] of rows.entries())
      if (made[i]?.variant !== "multipath") assert.equal(row[ID], made[i]?.cookie.toString(16));
  });

  it("reports failures before there is a socket that could listen", async () => {
    await using netns = await Netns.create();
    const script = `import ctypes, os, socket
libc = ctypes.CDLL(None, use_errno=True)
for fd in (9999, os.open("/dev/null", 0), socket.socket(type=socket.SOCK_DGRAM).detach()):
    print(libc.listen(fd, 3), ctypes.get_errno(), flush=True)`;
    const before = agent.rows.length;
    const child = netns.spawn("python3", ["-c", script], { stdio: "ignore" });
    const rows = await agent.until(
      (all) => all.filter((row) => row["process.pid"] === child.pid).length === 3 && all.length > before,
    );
    const found = rows.filter((row) => row["process.pid"] === child.pid);
    assert.deepEqual(
      found.map((row) => [
        row[ERRNO],
        row["error.type"],
        row["network.transport"],
        row["wirespan.socket.backlog"],
      ]),
      [
        [9, "bad_descriptor", undefined, 3],
        [88, "not_a_socket", undefined, 3],
        [95, "not_supported", "udp", 3],
      ],
    );
  });

  it("filters by process and network namespace in the kernel", async () => {
    await using netns = await Netns.create();
    await using other = await Netns.create();
    await using only = await startAgent(["trace", "solisten", "--json", "-n", String(inodeOf(netns))]);
    await using nobody = await startAgent(["trace", "solisten", "--json", "-p", "1"]);
    await run(other, "listen");
    await run(netns, "listen");
    const { stdout } = await only.stop();
    const rows = stdout.map((line) => JSON.parse(line) as Row);
    assert.deepEqual([...new Set(rows.map((row) => row["wirespan.netns.inode"]))], [inodeOf(netns)]);
    assert.equal(rows.length, 7);
    assert.deepEqual((await nobody.stop()).stdout, []);
  });

  it("prints bcc's columns, and libbpf-tools' result", async () => {
    await using netns = await Netns.create();
    const args = ["trace", "solisten", "--show-netns", "-n", String(inodeOf(netns))];
    await using table = await startAgent(args);
    const made = calls(await run(netns, "listen"));
    const [header, ...lines] = (await table.stop()).stdout.map((line) => line.replace(/ +/g, " "));
    assert.equal(header, "PID COMM NETNS PROTO BACKLOG PORT ADDR RET");
    const expected = made.map(({ pid, variant, backlog, localPort, local, errno }) => {
      const proto = { dual: "TCPv6", multipath: "MPTCPv4" }[variant as string] ?? "TCPv4";
      const result = errno ? -errno : 0;
      return `${pid} psrv ${inodeOf(netns)} ${proto} ${backlog} ${localPort} ${local} ${result}`;
    });
    assert.deepEqual(lines, expected);
  });
});

describe("solisten in the agent", () => {
  let watched: Watch;
  let netns: Netns;

  before(async function () {
    needsRoot(this);
    await build();
    netns = await Netns.create();
    watched = await watch(["solisten"], {
      "plugins.solisten.filter.include.netns": String(inodeOf(netns)),
      "plugins.solisten.unattendedAfter": "100ms",
    });
  });

  after(async () => {
    await watched?.[Symbol.asyncDispose]();
    await netns?.[Symbol.asyncDispose]();
  });

  function reported(name: string, from: number) {
    return watched.events.slice(from).filter((event) => event.name === name);
  }

  async function points() {
    const metrics = await watched.collect();
    return Object.fromEntries(
      metrics.map(({ spec, points }) => [
        spec.name.replace("wirespan.", ""),
        points.map(({ value }) => value),
      ]),
    );
  }

  it("needs no system call tracepoint for calls that change a socket's state", async () => {
    const hooks = watched.engine.runners.flatMap((host) => host.hooks);
    assert.ok(hooks.every(({ at }) => !at?.startsWith("tp/syscalls")));
    const from = watched.events.length;
    const made = calls(await run(netns, "listen"));
    await watched.until("end of the last", () => reported("wirespan.socket.listener.end", from).length === 5);
    const exact = hooks.some(({ program }) => program === "on_inet_listen");
    const expected = made.filter(({ variant }) => exact || variant !== "again");
    const found = reported("wirespan.socket.listen", from).map(({ attributes: a }) => [
      ...[a["server.address"], a["server.port"], a["wirespan.socket.backlog"], a[ERRNO], a[LIMIT]],
      a["wirespan.socket.protocol"],
    ]);
    // If the second call is not seen, the socket is reported when it ends, with the second call's limit.
    const limit = ({ variant, errno, effective }: Call) =>
      errno ? undefined : variant === "autobound" && !exact ? 7 : effective;
    const due = expected.map((call) => [
      ...[call.local, call.localPort, call.backlog, call.errno, limit(call)],
      call.variant === "multipath" ? "mptcp" : "tcp",
    ]);
    const ordered = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).toSorted();
    assert.deepEqual(ordered(found), ordered(due));
  });

  it("reports how long each listener listened, and what it accepted", async () => {
    const from = watched.events.length;
    const lines = await run(netns, "clientCloses", { count: 20 });
    await watched.until("end", () => reported("wirespan.socket.listener.end", from).length === 1);
    const [end] = reported("wirespan.socket.listener.end", from);
    const listening = one(lines, "listening", "server");
    assertRow((end?.attributes ?? {}) as Row, {
      "server.port": listening.localPort,
      [ID]: listening.cookie.toString(16),
      "wirespan.socket.accepted": 20,
      "wirespan.socket.waiting": 0,
      "wirespan.socket.drops": 0,
    });
    const lived = Number(end?.attributes["wirespan.socket.listener.duration"]);
    const client = pick(lines, "end", "client");
    assert.ok(lived * 1e9 >= client.at(-1)!.endNs - client[0]!.startNs);
  });

  it("measures queues, counts their overflows as the kernel does, and warns about a listener that never accepts", async () => {
    const from = watched.events.length;
    const counted = async () => (await netns.counters())["TcpExt.ListenOverflows"] ?? 0;
    const before = await counted();
    await using running = await start(netns, "unaccepted", { delay: 4000 });
    await running.until("listening", "server");
    await delay(400); // all four have sent their SYN
    await points();
    let overflows: number;
    let found: Awaited<ReturnType<typeof points>>;
    do {
      overflows = (await counted()) - before;
      found = await points();
      // One may have arrived in between.
    } while ((await counted()) - before !== overflows);
    assert.ok(overflows >= 2);
    assert.deepEqual(found, {
      "socket.listener.count": [1],
      "tcp.accept_queue.usage": [2],
      "tcp.accept_queue.limit": [1],
      "tcp.accept_queue.overflows": [overflows],
    });
    const warned = reported("wirespan.socket.listener.unattended", from);
    assert.equal(warned.length, 1, "once");
    assert.equal(warned[0]?.attributes["wirespan.socket.waiting"], 2);
    assert.ok(Number(warned[0]?.attributes["wirespan.socket.waiting_for"]) >= 0.1);
    await running.done();
    await watched.until("end", () => reported("wirespan.socket.listener.end", from).length === 1);
    const [end] = reported("wirespan.socket.listener.end", from);
    assertRow((end?.attributes ?? {}) as Row, {
      "wirespan.socket.accepted": 0,
      "wirespan.socket.waiting": 2,
    });
  });

  it("reports which interface a socket is bound to", async () => {
    const from = watched.events.length;
    const server = await hold(netns, "accepted", { device: "lo", address: "127.0.0.1", port: 7501 });
    await server.end();
    await watched.until("end", () => reported("wirespan.socket.listener.end", from).length === 1);
    const calls = reported("wirespan.socket.listen", from).map(({ attributes }) => attributes);
    assert.deepEqual(
      calls.map((call) => [call["server.port"], call["wirespan.interface.index"]]),
      [[7501, 1]],
    );
  });

  it("counts a listener that is older than the agent, and one of MPTCP once", async () => {
    await using older = await Netns.create();
    await using running = await start(older, "held");
    const { localPort } = await running.until("listening", "server");
    await using late = await watch(["solisten"], {
      "plugins.solisten.filter.include.netns": String(inodeOf(older)),
    });
    const metrics = await late.collect();
    const count = metrics.find(({ spec }) => spec.name === "wirespan.socket.listener.count");
    assert.deepEqual(
      count?.points.map(({ attributes, value }) => [attributes["server.port"], value]),
      [[localPort, 1]],
    );
    running.goOn();
    await running.done();
    await late.until("end", () => late.events.some(({ name }) => name === "wirespan.socket.listener.end"));
    const [end] = late.events;
    assert.equal(end?.attributes["wirespan.socket.listener.duration"], undefined);
  });
});
