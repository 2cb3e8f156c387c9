// tcpconnect with attempts to connect, compared with what their programs report.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { setTimeout as delay } from "node:timers/promises";
import { loadConfig } from "../../config/load.ts";
import { importPlugins } from "../../core/engine/discover.ts";
import { type Agent, type Row, startAgent } from "../../test/support/agent.ts";
import { Ends, inodeOf } from "../../test/support/connection-ends.ts";
import { watch } from "../../test/support/engine.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { addresses, pair } from "../../test/support/topology.ts";
import { build, type Connection, one, pick, run, start } from "../../test/support/workload.ts";

const { ECONNREFUSED, EHOSTUNREACH, EINTR, ENETUNREACH, ETIMEDOUT } = constants.errno;

/** What its program reported about an attempt, in terms of a row. */
function expectedRow(line: Connection, error?: string): Row {
  return {
    "process.pid": line.pid,
    "thread.name": line.comm,
    "network.type": line.mapped || line.family === "ipv4" ? "ipv4" : "ipv6",
    "network.peer.address": line.remote.replace(/^::ffff:/, ""),
    "network.peer.port": line.remotePort,
    "error.type": error,
    "wirespan.errno": line.errno || undefined,
  };
}

function assertRow(row: Row | undefined, expected: Row): void {
  assert.ok(row);
  assert.deepEqual(Object.fromEntries(Object.keys(expected).map((key) => [key, row[key]])), expected);
}

describe("tcpconnect", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  describe("of one agent", () => {
    let agent: Agent;

    before(async () => {
      agent = await startAgent(["trace", "tcpconnect", "--failed-at-once", "--json"]);
    });

    after(async () => {
      await agent?.[Symbol.asyncDispose]();
    });

    it("reports every attempt once, with its result and error number", async () => {
      await using net = await pair();
      const ends = new Ends(agent, net.a);
      const address = addresses.b;
      const refused = one(await run(net.a, "attempt", { address }), "end");
      const reject = await net.b.rule("input", "tcp dport 9", "reject with icmpx admin-prohibited");
      const rejected = one(await run(net.a, "attempt", { address }), "end");
      await reject.remove();
      const drop = await net.b.rule("input", "tcp dport 9", "drop");
      const late = one(await run(net.a, "attempt", { address, synRetries: 1 }), "end");
      const unrouted = one(await run(net.a, "attempt", { address: "10.99.0.2" }), "end");
      await drop.remove();
      const answered = one(await run(net.a, "nonblocking", { address, server: net.b }), "end", "client");
      const mapped = one(
        await run(net.a, "clientCloses", { address: "::ffff:127.0.0.1", listen: "::" }),
        "end",
        "client",
      );
      assert.deepEqual(
        [refused, rejected, late, unrouted].map(({ errno }) => errno),
        [ECONNREFUSED, EHOSTUNREACH, ETIMEDOUT, ENETUNREACH],
      );
      const rows = await ends.all(6);
      assertRow(rows[0], expectedRow(refused, "connection_refused"));
      assertRow(rows[1], expectedRow(rejected, "host_unreachable"));
      assertRow(rows[2], expectedRow(late, "timed_out"));
      assertRow(rows[3], expectedRow(unrouted, "network_unreachable"));
      assertRow(rows[4], expectedRow(answered));
      assertRow(rows[5], { ...expectedRow(mapped), "wirespan.connection.mapped": true });
    });

    it("reports the outcome of an attempt whose connect() was interrupted", async () => {
      await using net = await pair();
      const drop = await net.b.rule("input", "tcp dport 9", "drop");
      const ends = new Ends(agent, net.a);
      const running = run(net.a, "interrupted", { address: addresses.b });
      await delay(300);
      await drop.remove();
      const end = one(await running, "end");
      assert.deepEqual([end.connectErrno, end.errno], [EINTR, ECONNREFUSED]);
      assertRow(await ends.one(), expectedRow(end, "connection_refused"));
    });

    it("reports once an attempt whose process was suspended and resumed in between", async () => {
      await using net = await pair();
      await net.b.rule("input", "tcp dport 9", "drop");
      const ends = new Ends(agent, net.a);
      await using running = await start(net.a, "killedConnecting", { address: addresses.b, delay: 2000 });
      const { pid } = await running.until("connecting");
      const state = () => /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))![1];
      const until = async (wanted: string) => {
        while (state() !== wanted) await delay(5);
      };
      await until("S");
      process.kill(pid, "SIGSTOP");
      await until("T");
      process.kill(pid, "SIGCONT");
      await until("S");
      await running.done();
      const row = await ends.one();
      assert.deepEqual([row["process.pid"], row["error.type"]], [pid, "aborted"]);
    });

    it("reports killed and aborted attempts as neither success nor refusal", async () => {
      await using net = await pair();
      await net.b.rule("input", "tcp dport 9", "drop");
      const ends = new Ends(agent, net.a);
      const { pid } = one(await run(net.a, "killedConnecting", { address: addresses.b }), "connecting");
      const end = one(await run(net.a, "abandoned", { address: addresses.b }), "end");
      const [killed, abandoned] = await ends.all(2);
      assertRow(killed, {
        "process.pid": pid,
        "error.type": "aborted",
        "wirespan.tcp.close.reason": "killed",
      });
      assertRow(abandoned, { ...expectedRow(end, "aborted"), "wirespan.tcp.close.reason": "aborted" });
    });

    it("reports a process in a pid namespace by its pid on this host", async () => {
      await using netns = await Netns.create();
      const ends = new Ends(agent, netns);
      const program = "import socket; socket.socket().connect_ex(('127.0.0.1', 9)); input()";
      const child = netns.spawn("unshare", ["--pid", "--fork", "--kill-child", "python3", "-c", program], {
        stdio: ["pipe", "ignore", "ignore"],
      });
      const row = await ends.one();
      const pid = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8"));
      assertRow(row, { "process.pid": pid, "thread.name": "python3", "error.type": "connection_refused" });
      assert.match(readFileSync(`/proc/${pid}/status`, "utf8"), new RegExp(`^NSpid:\\t${pid}\\t1$`, "m"));
    });

    it("distinguishes two attempts on the same port by namespace", async () => {
      await using one_ = await Netns.create();
      await using two = await Netns.create();
      const ends = [new Ends(agent, one_), new Ends(agent, two)];
      await Promise.all([run(one_, "attempt"), run(two, "attempt", { count: 2 })]);
      assert.equal((await ends[0]!.all(1)).length, 1);
      assert.equal((await ends[1]!.all(2)).length, 2);
    });
  });

  it("without the setting reports all attempts except those that fail at once", async () => {
    await using net = await pair();
    await using agent = await startAgent(["trace", "tcpconnect", "--json"]);
    const ends = new Ends(agent, net.a);
    await run(net.a, "attempt", { address: "10.99.0.2" });
    const end = one(await run(net.a, "attempt", { address: addresses.b }), "end");
    assertRow(await ends.one(), expectedRow(end, "connection_refused"));
  });

  /** 10 attempts by each of two users to each of two ports. */
  async function forty(net: { readonly a: Netns }): Promise<void> {
    for (const port of [7101, 7102, 7103, 7104]) {
      const uid = port % 2 ? 1001 : 1002;
      await run(net.a, "attempt", { address: addresses.b, port, count: 10, uid });
    }
  }

  it("counts by destination, exactly", async () => {
    await using net = await pair();
    const only = `plugins.tcpconnect.filter.include.netns=${inodeOf(net.a)}`;
    await using agent = await startAgent(["trace", "tcpconnect", "-c", "--csv", "--set", only]);
    await forty(net);
    await run(net.a, "burst", { address: addresses.b, server: net.b, port: 7200, count: 55 });
    const { stdout } = await agent.stop();
    const row = (port: number, connects: number, failed: number) =>
      [addresses.a, addresses.b, port, connects, failed].join(",");
    const [header, first, ...others] = stdout;
    assert.equal(header, "LADDR,RADDR,RPORT,CONNECTS,FAILED");
    assert.equal(first, row(7200, 55, 0));
    assert.deepEqual(
      others.sort(),
      [7101, 7102, 7103, 7104].map((port) => row(port, 10, 10)),
    );
  });

  it("counts by source port if enabled", async () => {
    await using net = await pair();
    const only = `plugins.tcpconnect.filter.include.netns=${inodeOf(net.a)}`;
    await using agent = await startAgent(["trace", "tcpconnect", "-c", "-s", "--csv", "--set", only]);
    const ends = pick(await run(net.a, "attempt", { address: addresses.b, count: 20 }), "end");
    const { stdout } = await agent.stop();
    assert.equal(stdout[0], "LADDR,LPORT,RADDR,RPORT,CONNECTS,FAILED");
    const ports = stdout.slice(1).map((line) => line.split(",")[1]);
    assert.equal(ports.length, 20);
    assert.equal(new Set(ports).size, 20);
    assert.equal(ends.length, 20);
  });

  it("shows only one user's attempts, with the user", async () => {
    await using net = await pair();
    const only = `plugins.tcpconnect.filter.include.netns=${inodeOf(net.a)}`;
    const options = ["-u", "1001", "-U", "-L", "-t", "--csv", "--set", only];
    await using agent = await startAgent(["trace", "tcpconnect", ...options]);
    await forty(net);
    const [header, ...rows] = (await agent.stop()).stdout;
    assert.equal(header, "TIME(s),UID,PID,COMM,IP,SADDR,LPORT,DADDR,DPORT,RESULT");
    assert.equal(rows.length, 20);
    for (const row of rows)
      assert.match(
        row,
        /^[\d.]+,1001,\d+,pcli,4,10\.213\.0\.1,\d+,10\.213\.0\.2,710[13],connection_refused$/,
      );
  });

  it("filters by destination ports and family", async () => {
    await using net = await pair();
    const only = `plugins.tcpconnect.filter.include.netns=${inodeOf(net.a)}`;
    const options = ["-P", "7101,7103-7104", "-4", "--json", "--set", only];
    await using agent = await startAgent(["trace", "tcpconnect", ...options]);
    await forty(net);
    await run(net.a, "attempt", { address: addresses.b6, port: 7101, count: 3 });
    await agent.stop();
    const ports = Map.groupBy(agent.rows, (row) => row["network.peer.port"]);
    assert.deepEqual(
      [...ports].map(([port, rows]) => [port, rows.length]),
      [
        [7101, 10],
        [7103, 10],
        [7104, 10],
      ],
    );
  });

  it("refuses a reload that would enable failedAtOnce without its hook, and changes nothing", async () => {
    const { plugins } = await importPlugins(["tcpconnect"]);
    const flags = [
      { path: "plugins.tcpconnect.failedAtOnce", value: "true", flag: "--set" },
      { path: "plugins.tcpconnect.enabled", value: "true", flag: "--set" },
    ];
    await using watched = await watch(["tcpconnect"], { "plugins.tcpconnect.enabled": "true" });
    const [host] = watched.engine.runners;
    const config = loadConfig({ env: {}, flags, plugins });
    await assert.rejects(watched.engine.reload(config, plugins), { code: "CONFIG_INVALID" });
    assert.deepEqual(watched.engine.runners, [host]);
  });

  it("limits its table and counts the rest in one series", async () => {
    await using netns = await Netns.create();
    await using watched = await watch(["tcpconnect"], {
      "plugins.tcpconnect.filter.include.netns": String(inodeOf(netns)),
      "plugins.tcpconnect.flows": "true",
      "plugins.tcpconnect.sourcePorts": "true",
      "metrics.maxSeries": "100",
    });
    await run(netns, "attempt", { count: 12_000 });
    const points = (await watched.collect())
      .filter(({ spec }) => spec.name === "wirespan.tcp.connect.attempts")
      .flatMap(({ points }) => points);
    assert.equal(
      points.reduce((sum, { value }) => sum + Number(value), 0),
      12_000,
    );
    assert.ok(points.length <= 100, `${points.length} points`);
  });
});
