// Which namespace, interface and process a drop is attributed to.
import assert from "node:assert/strict";
import { inodeOf } from "../../test/support/connection-ends.ts";
import { Drops, hold, segments } from "../../test/support/drops.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { addresses, pair, routed, routedAddresses } from "../../test/support/topology.ts";
import { build, one, run, start } from "../../test/support/workload.ts";

const NETNS = "wirespan.netns.inode";
const WAY = "network.io.direction";
const DEVICE = "network.interface.name";
const RST = "tcp flags & rst == rst";

/** A rule that drops what a device receives, before IP sees it; counts the packets that it has dropped. */
async function early(netns: Netns, device: string, match: string): Promise<() => Promise<number>> {
  const table = `early_${device}`;
  await netns.run("nft", `add table netdev ${table}`);
  await netns.run(
    ...["nft", `add chain netdev ${table} in { type filter hook ingress device "${device}" priority 0; }`],
  );
  await netns.run("nft", `add rule netdev ${table} in ${match} counter drop`);
  return async () =>
    Number(/packets (\d+)/.exec(await netns.run("nft", "list", "table", "netdev", table))![1]);
}

describe("tcpdrop: where a drop happened", () => {
  let drops: Drops;

  before(async function () {
    needsRoot(this);
    await build();
    drops = await Drops.watch();
  });

  after(async () => {
    await drops?.[Symbol.asyncDispose]();
  });

  it("fragments of a raw socket: the namespace where they were dropped, without owner", async () => {
    await using net = await pair();
    const dropped = await early(net.b, "wire0", "ip protocol tcp");
    const given = { source: addresses.a, destination: addresses.b, count: 5 };
    const rows = await drops.during([net.a, net.b, 0], () => segments(net.a, "fragments", given));
    assert.equal(await dropped(), 10);
    assert.equal(rows.length, 10);
    for (const row of rows)
      assert.deepEqual(
        [row[NETNS], row[WAY], row[DEVICE], row["process.pid"]],
        [inodeOf(net.b), "receive", "wire0", undefined],
      );
    const ports = rows.map((row) => row["destination.port"]);
    assert.deepEqual(
      [ports.filter((port) => port === 9009).length, ports.filter((port) => port).length],
      [5, 5],
    );
    const out = await net.a.rule("output", "ip protocol tcp", "drop");
    const kept = await drops.during([net.a, net.b, 0], () =>
      segments(net.a, "fragments", given).catch(() => {}),
    );
    assert.equal(kept.length, await out.packets());
    for (const row of kept)
      assert.deepEqual([row[NETNS], row[WAY], row["process.pid"]], [inodeOf(net.a), "transmit", undefined]);
  });

  it("fragments whose rest never arrives: the namespace where they waited", async () => {
    await using net = await pair();
    await net.b.sysctl({ "net.ipv4.ipfrag_time": 1 });
    const given = { source: addresses.a, destination: addresses.b, count: 3 };
    const rows = await drops.during([net.a, net.b, 0], async () => {
      await segments(net.a, "firsts", given);
      await new Promise((resolve) => setTimeout(resolve, 1500));
    });
    const waited = rows.filter((row) => row["wirespan.packet.drop.reason"] === "FRAG_REASM_TIMEOUT");
    assert.equal(waited.length, 6);
    for (const row of waited) assert.deepEqual([row[NETNS], row[WAY]], [inodeOf(net.b), "receive"]);
  });

  for (const [family, address] of [
    ["IPv4", addresses.b],
    ["IPv6", addresses.b6],
  ] as const) {
    it(`an RST without a socket, on its way out and at the other end: ${family}`, async () => {
      await using net = await pair();
      const out = await net.b.rule("output", RST, "drop");
      const lost = await drops.during([net.a, net.b, 0], async () => {
        await using refused = await start(net.a, "attempt", { address, synRetries: 0 });
        while ((await out.packets()) < 1) await new Promise((resolve) => setTimeout(resolve, 20));
        void refused;
      });
      const own = lost.filter((row) => row["wirespan.packet.drop.reason"] === "NETFILTER_DROP");
      assert.equal(own.length, await out.packets());
      for (const row of own)
        assert.deepEqual([row[NETNS], row[WAY], row["process.pid"]], [inodeOf(net.b), "transmit", undefined]);
      await out.remove();
      const came = await early(net.a, "wire0", RST);
      const rows = await drops.during([net.a, net.b, 0], async () => {
        await using refused = await start(net.a, "attempt", { address, synRetries: 0 });
        while ((await came()) < 1) await new Promise((resolve) => setTimeout(resolve, 20));
        void refused;
      });
      const there = rows.filter((row) => row["wirespan.packet.drop.reason"] === "NETFILTER_DROP");
      assert.equal(there.length, await came());
      for (const row of there)
        assert.deepEqual([row[NETNS], row[WAY], row[DEVICE]], [inodeOf(net.a), "receive", "wire0"]);
    });
  }

  it("what a router forwards: the router's namespace, received, without owner", async () => {
    await using way = await routed();
    const rule = await way.router.rule("forward", "tcp dport 9", "drop");
    const rows = await drops.during([way.client, way.router, way.server, 0], () =>
      run(way.client, "attempt", { address: routedAddresses.routerForClient, synRetries: 1 }),
    );
    assert.equal(rows.length, await rule.packets());
    for (const row of rows)
      assert.deepEqual(
        [row[NETNS], row[WAY], row["process.pid"]],
        [inodeOf(way.router), "receive", undefined],
      );
  });

  it("over loopback, and over a veth with both ends in one namespace: by the socket that it came to or from", async () => {
    await using netns = await Netns.create();
    await using held = await start(netns, "held", { up: 100, later: 200 });
    const { localPort } = await held.until("opened");
    const rule = await netns.rule("input", `tcp sport ${localPort}`, "drop");
    const rows = await drops.during([netns, 0], async () => {
      held.goOn();
      while ((await rule.packets()) < 2) await new Promise((resolve) => setTimeout(resolve, 20));
      await rule.end();
    });
    const server = one(await held.done(), "end", "server");
    assert.ok(rows.length >= 2);
    for (const row of rows)
      assert.deepEqual(
        [row[NETNS], row[WAY], row[DEVICE], row["process.pid"]],
        [inodeOf(netns), "receive", "lo", server.pid],
      );

    await netns.ip("link", "add", "v0", "type", "veth", "peer", "name", "v1");
    for (const device of ["v0", "v1"]) {
      await netns.sysctl({ [`net.ipv6.conf.${device}.disable_ipv6`]: 1 });
      await netns.ip("link", "set", device, "up");
    }
    await netns.ip("addr", "add", "10.215.0.1/24", "dev", "v0");
    await netns.ip(
      "neigh",
      "add",
      "10.215.0.2",
      "lladdr",
      "02:00:00:00:00:02",
      "dev",
      "v0",
      "nud",
      "permanent",
    );
    const dropped = await early(netns, "v1", "ip protocol tcp");
    const own = await drops.during([netns, 0], () =>
      run(netns, "attempt", { address: "10.215.0.2", synRetries: 1 }),
    );
    assert.equal(own.length, await dropped());
    assert.ok(own.length >= 2);
    // Its sender's socket is in this namespace too; whether an attempt is found by its ports is not tested here.
    for (const row of own)
      assert.deepEqual(
        [row[NETNS], row[WAY], row[DEVICE], row["network.connection.state"]],
        [inodeOf(netns), "receive", "v1", undefined],
      );
  });

  it("a device that was moved, a lower one in another namespace, and a tap: its current namespace", async () => {
    await using net = await pair();
    await using third = await Netns.create();
    await net.b.ip("link", "set", "wire0", "netns", third.name);
    await third.sysctl({ "net.ipv6.conf.wire0.disable_ipv6": 1 });
    await third.ip("addr", "add", `${addresses.b}/24`, "dev", "wire0");
    await third.ip("link", "set", "wire0", "up");
    const [link] = JSON.parse(await third.ip("-j", "link", "show", "wire0")) as { address: string }[];
    await net.a.ip(
      "neigh",
      "replace",
      addresses.b,
      "lladdr",
      link!.address,
      "dev",
      "wire0",
      "nud",
      "permanent",
    );
    const moved = await early(third, "wire0", "ip protocol tcp");
    const rows = await drops.during([net.a, net.b, third, 0], () =>
      run(net.a, "attempt", { address: addresses.b, synRetries: 1 }),
    );
    assert.equal(rows.length, await moved());
    for (const row of rows) assert.equal(row[NETNS], inodeOf(third));

    await using tap = await hold(third, "tap", { device: "tap0" });
    const tapped = await early(third, "tap0", "ip protocol tcp");
    const injected = await drops.during([third, 0], () => tap.end());
    assert.equal(await tapped(), 5);
    assert.equal(injected.length, 5 + 4, "five that its owner wrote, four that it never read");
    for (const row of injected) assert.deepEqual([row[NETNS], row[DEVICE]], [inodeOf(third), "tap0"]);
    assert.deepEqual(injected.map((row) => row[WAY]).toSorted(), [
      ...Array(5).fill("receive"),
      ...Array(4).fill("transmit"),
    ]);
  });
});
