// The workloads against the kernel's own account (netstat, nft, ss, /proc): what agents are measured by must
// itself be right.
// Here: many connections, held ones, listeners, and bytes that are hard to count.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { constants, cpus } from "node:os";
import { basename } from "node:path";
import { Netns, needsRoot } from "../support/netns.ts";
import { addresses, pair } from "../support/topology.ts";
import { build, one, pick, run, start } from "../support/workload.ts";

const { EADDRINUSE, EMFILE } = constants.errno;
const ESTABLISHED = 1;
const ms = 1e6;

describe("workloads", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  describe("in bulk", () => {
    it("burst: 10,000 connections one after the other", async () => {
      await using netns = await Netns.create();
      const moved = await netns.moved(async () => {
        const lines = await run(netns, "burst");
        const [client, server] = [one(lines, "summary", "client"), one(lines, "summary", "server")];
        assert.deepEqual([client.connections, client.failed, client.sent], [10_000, 0, 10_000]);
        assert.deepEqual([server.connections, server.failed, server.received], [10_000, 0, 10_000]);
      });
      assert.deepEqual([moved["Tcp.ActiveOpens"], moved["Tcp.PassiveOpens"]], [10_000, 10_000]);
    });

    it("shortLived: 500 short processes, each with its own name", async () => {
      await using netns = await Netns.create();
      const lines = await run(netns, "shortLived");
      const exiting = pick(lines, "exiting");
      assert.equal(new Set(exiting.map(({ pid }) => pid)).size, 500);
      assert.deepEqual(
        exiting.map(({ comm }) => comm),
        Array.from({ length: 500 }, (_, i) => `short-${i}`),
      );
      assert.equal(one(lines, "summary", "server").received, 500);
    });

    it("paced: at a given rate", async () => {
      await using netns = await Netns.create();
      const lines = await run(netns, "paced", { rate: 200, seconds: 1 });
      const [client, server] = [one(lines, "summary", "client"), one(lines, "summary", "server")];
      assert.deepEqual([client.connections, server.connections], [200, 200]);
      assert.ok(client.endNs - client.startNs >= 990 * ms);
    });
  });

  describe("that wait for commands", () => {
    it("held: under their own names, with a connection that ss shows", async () => {
      await using netns = await Netns.create();
      await using held = await start(netns, "held", { up: 100, later: 200, down: 300 });
      const [opened, listening] = [await held.until("opened"), await held.until("listening")];
      assert.equal(basename(readlinkSync(`/proc/${opened.pid}/exe`)), "pcli");
      assert.equal(basename(readlinkSync(`/proc/${listening.pid}/exe`)), "psrv");
      const shown = await netns.run("ss", "-tnepH", `sport = :${opened.localPort}`);
      assert.match(
        shown,
        new RegExp(`^ESTAB.*"pcli",pid=${opened.pid},.* sk:${opened.cookie.toString(16)}\\b`),
      );
      held.goOn();
      const lines = await held.done();
      assert.deepEqual([one(lines, "end", "client").sent, one(lines, "end", "client").received], [300, 300]);
      assert.equal(one(lines, "end", "server").received, 300);
    });

    it("held: twins on the same ports in two namespaces", async () => {
      await using first = await Netns.create();
      await using second = await Netns.create();
      const ports = { port: 7026, sourcePort: 7027 };
      await using alpha = await start(first, "held", { ...ports, up: 111 });
      await using beta = await start(second, "held", { ...ports, up: 222 });
      const opened = [await alpha.until("opened"), await beta.until("opened")];
      assert.deepEqual(
        opened.map(({ state }) => state),
        [ESTABLISHED, ESTABLISHED],
      );
      assert.notEqual(opened[0]?.netns, opened[1]?.netns);
      const servers = [await alpha.done(), await beta.done()].map((lines) => one(lines, "end", "server"));
      assert.deepEqual(
        servers.map(({ received }) => received),
        [111, 222],
      );
      assert.deepEqual(
        servers.map(({ remotePort }) => remotePort),
        [7027, 7027],
      );
    });

    it("lose packets for a while: everything arrives, by retransmission", async () => {
      await using net = await pair();
      await using held = await start(net.a, "held", {
        address: addresses.b,
        server: net.b,
        up: 1000,
        later: 2000,
      });
      const opened = await held.until("opened");
      const rule = await net.b.rule("input", `tcp sport ${opened.localPort}`, "drop");
      const before = (await net.a.counters())["Tcp.RetransSegs"] ?? 0;
      held.goOn();
      let retransmits = 0;
      while (retransmits < 3) retransmits = ((await net.a.counters())["Tcp.RetransSegs"] ?? 0) - before;
      await rule.remove();
      const lines = await held.done();
      assert.equal(one(lines, "end", "server").received, 3000);
    });
  });

  describe("that listen and accept", () => {
    it("accepters: 25 threads on 25 ports, blocked before anyone connects", async () => {
      await using netns = await Netns.create();
      await using accepters = await start(netns, "accepters");
      const blocked = await accepters.until("blocked");
      const places = readdirSync(`/proc/${blocked.pid}/task`).map((tid) =>
        readFileSync(`/proc/${blocked.pid}/task/${tid}/wchan`, "utf8"),
      );
      assert.equal(places.filter((place) => place === "inet_csk_accept").length, 25);
      accepters.goOn();
      const ends = pick(await accepters.done(), "end", "server");
      assert.equal(new Set(ends.map(({ tid }) => tid)).size, 25);
      assert.equal(new Set(ends.map(({ localPort }) => localPort)).size, 25);
    });

    it("emfile: fail three times for lack of a file descriptor", async () => {
      await using netns = await Netns.create();
      const lines = await run(netns, "emfile");
      assert.deepEqual(
        pick(lines, "accept").map(({ errno }) => errno),
        [EMFILE, EMFILE, EMFILE],
      );
      assert.equal(one(lines, "end", "server").received, 1);
    });

    it("listen: in every form", async () => {
      await using netns = await Netns.create();
      await netns.sysctl({ "net.core.somaxconn": 128 });
      const calls = pick(await run(netns, "listen"), "listen");
      assert.deepEqual(
        calls.map(({ variant, backlog, effective, errno }) => [variant, backlog, effective, errno]),
        [
          ["autobound", 5, 5, 0],
          ["again", 7, 7, 0],
          ["first", 5, 5, 0],
          ["taken", 5, 0, EADDRINUSE],
          ["wide", 4096, 128, 0],
          ["dual", 5, 5, 0],
          ["multipath", 5, 5, 0],
        ],
      );
      assert.equal(calls[0]?.cookie, calls[1]?.cookie);
      assert.ok(calls.every(({ localPort }) => localPort > 0));
    });
  });

  describe("that are hard to count", () => {
    it("bytes: more is requested than sent, and what was sent arrives", async () => {
      await using netns = await Netns.create();
      const lines = await run(netns, "bytes");
      const [client, server, sends] = [
        one(lines, "end", "client"),
        one(lines, "end", "server"),
        one(lines, "sends"),
      ];
      assert.equal(client.sent, server.received);
      assert.equal(server.bytesReceived, client.sent + 1);
      assert.deepEqual([sends.refused, sends.fromFile, one(lines, "reads").spliced], [20, 50_000, 131_072]);
      assert.ok(sends.asked >= client.sent - sends.fromFile + 20 * 100_000);
    });

    it("datagrams: all from one CPU to itself", async () => {
      await using netns = await Netns.create();
      const cpu = cpus().length - 1;
      let received = 0;
      const moved = await netns.moved(async () => {
        const lines = await run(netns, "datagrams", { count: 5000, size: 100, cpu });
        assert.equal(one(lines, "datagrams", "client").bytes, 500_000);
        const server = one(lines, "datagrams", "server");
        received = server.datagrams;
        assert.equal(server.bytes, received * 100);
      });
      // A busy host may drop some between the two.
      assert.deepEqual([moved["Udp.OutDatagrams"], moved["Udp.InDatagrams"]], [5000, received]);
    });
  });
});
