import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { Netns, needsRoot, output } from "../support/netns.ts";
import { addresses, pair, routed, routedAddresses } from "../support/topology.ts";
import { netnsCookie, one, run } from "../support/workload.ts";

describe("network namespaces", () => {
  before(function () {
    needsRoot(this);
  });

  it("are gone after use, with all processes that were started in them, whatever the test did", async () => {
    let path = "";
    let pid = 0;
    await assert.rejects(async () => {
      await using netns = await Netns.create();
      const child = netns.spawn("sleep", ["1000"]);
      await once(child, "spawn");
      ({ path } = netns);
      pid = child.pid ?? 0;
      assert.ok(existsSync(path));
      throw new Error("as a failed test does");
    }, /failed test/);
    assert.ok(!existsSync(path));
    assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
  });

  it("left by an ended process are removed when the next process creates its first", async () => {
    const dead = spawn("true");
    await once(dead, "exit");
    const left = `ws-${dead.pid}-1`;
    await output("ip", ["netns", "add", left]);
    const script = `const { Netns } = await import(${JSON.stringify(import.meta.resolve("../support/netns.ts"))});
      await using netns = await Netns.create(); process.exit(0);`;
    const next = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: "inherit" });
    const [code] = await once(next, "exit");
    assert.equal(code, 0);
    assert.ok(!existsSync(`/run/netns/${left}`));
    assert.ok(!existsSync(`/run/netns/ws-${next.pid}-1`), "process.exit() leaves nothing either");
  });

  it("each have their own cookie, sysctls and counters", async () => {
    await using a = await Netns.create();
    await using b = await Netns.create();
    assert.notEqual(await netnsCookie(a), await netnsCookie(b));
    await a.sysctl({ "net.core.somaxconn": 77 });
    assert.equal((await a.run("sysctl", "-n", "net.core.somaxconn")).trim(), "77");
    assert.notEqual((await b.run("sysctl", "-n", "net.core.somaxconn")).trim(), "77");
    const movedB = await b.moved(async () => {
      const movedA = await a.moved(() => run(a, "clientCloses"));
      assert.equal(movedA["Tcp.ActiveOpens"], 1);
    });
    assert.deepEqual(movedB, {});
  });

  it("count with nft what a rule matched, until it is removed", async () => {
    await using netns = await Netns.create();
    const rule = await netns.rule("input", "tcp dport 9", "reject with tcp reset");
    await run(netns, "attempt", { count: 3 });
    assert.equal(await rule.packets(), 3);
    await rule.remove();
    assert.doesNotMatch(await netns.run("nft", "list", "ruleset"), /dport 9/);
  });

  it("reach each other over a veth pair, by both families, with the requested number of queues", async () => {
    await using wired = await pair({ queues: 2 });
    for (const address of [addresses.b, addresses.b6]) {
      const lines = await run(wired.a, "clientCloses", { address, server: wired.b });
      const [client, server] = [one(lines, "end", "client"), one(lines, "end", "server")];
      assert.equal(client.local, address === addresses.b ? addresses.a : addresses.a6);
      assert.equal(server.received, 1000);
      assert.notEqual(client.netns, server.netns);
    }
    const link = await wired.a.ip("-d", "link", "show", "wire0");
    assert.match(link, /numtxqueues 2 numrxqueues 2/);
  });

  it("reach each other through a router that rewrites both addresses", async () => {
    await using net = await routed();
    const lines = await run(net.client, "clientCloses", {
      address: routedAddresses.routerForClient,
      listen: routedAddresses.server,
      server: net.server,
    });
    const [client, server] = [one(lines, "end", "client"), one(lines, "end", "server")];
    assert.equal(client.remote, routedAddresses.routerForClient);
    assert.equal(server.local, routedAddresses.server);
    assert.equal(server.remote, "10.213.1.254");
    assert.equal(server.received, 1000);
  });
});
