// Packets that are dropped before they reach a socket, and the connections to which they belong.
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { inodeOf } from "../../test/support/connection-ends.ts";
import { type Kept, type Watch, watch } from "../../test/support/engine.ts";
import { type Netns, needsRoot, type Rule } from "../../test/support/netns.ts";
import { addresses, pair } from "../../test/support/topology.ts";
import { build, one, run, start } from "../../test/support/workload.ts";

const options = { up: 100, later: 200, down: 30 };

function settings(...namespaces: readonly Netns[]): Record<string, string> {
  return {
    "plugins.tcpdrop.filter.include.netns": namespaces.map(inodeOf).join(","),
    "plugins.tcpdrop.eventRate": "1000",
  };
}

async function dropped(rule: Rule): Promise<void> {
  while ((await rule.packets()) < 2) await delay(20);
}

/** The packets that the rule dropped, all of which must be reported. */
async function drops(watched: Watch, rule: Rule): Promise<readonly Kept[]> {
  const reported = () => watched.events.filter(({ name }) => name === "wirespan.tcp.packet.drop");
  const packets = await rule.end();
  await watched.until("drops", () => reported().length >= packets);
  assert.equal(reported().length, packets);
  return reported();
}

describe("tcpdrop of packets without a socket", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  for (const [family, address, listen] of [
    ["IPv4", addresses.b, undefined],
    ["IPv6", addresses.b6, undefined],
    ["IPv4 through IPv6 sockets", `::ffff:${addresses.b}`, "::"],
  ] as const) {
    it(`names the connection and its owner at either end: ${family}`, async () => {
      await using net = await pair();
      await using watched = await watch(["tcpdrop", "tcplife"], settings(net.a, net.b));
      const given = { ...options, address, server: net.b, ...(listen && { listen }) };
      for (const side of ["server", "client"] as const) {
        watched.events.length = 0;
        watched.spans.length = 0;
        await using held = await start(net.a, "held", given);
        const { localPort } = await held.until("opened");
        const here = side === "server" ? net.b : net.a;
        const match = `tcp ${side === "server" ? "sport" : "dport"} ${localPort}`;
        const rule = await here.rule("input", match, "drop");
        held.goOn();
        await dropped(rule);
        const reported = await drops(watched, rule);
        const end = one(await held.done(), "end", side);
        await watched.until(
          "spans",
          () => watched.spans.filter((s) => s.name === "tcp connection").length >= 2,
        );
        const span = watched.spans.find(
          (s) => s.attributes["wirespan.connection.id"] === end.cookie.toString(16),
        );
        assert.ok(span);
        for (const { attributes, resource, traceId, spanId } of reported) {
          assert.equal(attributes["wirespan.packet.drop.reason"], "NETFILTER_DROP");
          assert.equal(attributes["network.io.direction"], "receive");
          assert.equal(attributes["process.pid"], end.pid);
          assert.equal(attributes["thread.name"], end.comm);
          assert.equal(attributes["wirespan.netns.inode"], inodeOf(here));
          assert.equal(attributes["wirespan.connection.id"], end.cookie.toString(16));
          assert.deepEqual([traceId, spanId], [span.traceId, span.spanId]);
          assert.equal(resource, span.resource);
        }
      }
    });
  }

  it("knows connections that are older than the agent, and than a reload that starts the plugin", async () => {
    await using net = await pair();
    await using before = await start(net.a, "held", { ...options, address: addresses.b, server: net.b });
    const first = await before.until("opened");
    const off = { ...settings(net.b), "plugins.tcpdrop.enabled": "false" };
    await using watched = await watch(["tcpdrop", "tcplife"], off);
    await using since = await start(net.a, "held", {
      ...options,
      address: addresses.b,
      server: net.b,
      port: 7001,
    });
    const second = await since.until("opened");
    await watched.reload(settings(net.b));
    for (const [held, { localPort }] of [
      [before, first],
      [since, second],
    ] as const) {
      watched.events.length = 0;
      const rule = await net.b.rule("input", `tcp sport ${localPort}`, "drop");
      held.goOn();
      await dropped(rule);
      const reported = await drops(watched, rule);
      const server = one(await held.done(), "end", "server");
      for (const { attributes } of reported) assert.equal(attributes["process.pid"], server.pid);
    }
  });

  it("forgets connections that have ended", async () => {
    await using net = await pair();
    await using watched = await watch(["tcpdrop"], settings(net.a));
    const { netns } = one(await run(net.a, "cookie"), "cookie");
    await run(net.a, "burst", { address: addresses.b, server: net.b, count: 200 });
    const map = watched.engine.tracker.loaded.object.map("tuples");
    const keys = new Uint8Array(map.maxEntries * map.keySize);
    const mine = () => {
      const count = map.read(keys, new Uint8Array(map.maxEntries * map.valueSize));
      const view = new DataView(keys.buffer);
      return Array.from({ length: count }, (_, i) => Number(view.getBigUint64(i * map.keySize, true))).filter(
        (cookie) => cookie === netns,
      ).length;
    };
    await watched.until("end", () => mine() === 0);
    await using held = await start(net.a, "held", { ...options, address: addresses.b, server: net.b });
    await held.until("opened");
    assert.equal(mine(), 1);
    held.goOn();
    await held.done();
    await watched.until("end", () => mine() === 0);
  });
});
