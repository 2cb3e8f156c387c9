// Connections with the same addresses and ports, each bound to another interface.
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { inodeOf } from "../../test/support/connection-ends.ts";
import { Drops, type Held, hold } from "../../test/support/drops.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { run } from "../../test/support/workload.ts";

const DEVICE = "network.interface.name";
const INDEX = "wirespan.interface.index";

/** Two links between two namespaces, with the same two addresses on each. */
async function twins(a: Netns, b: Netns, prefix: string): Promise<void> {
  const links = new Map<string, string>();
  for (const i of [0, 1]) {
    await a.ip("link", "add", `a${i}`, "type", "veth", "peer", "name", `b${i}`, "netns", b.name);
    for (const [netns, device, host] of [
      [a, `a${i}`, 1],
      [b, `b${i}`, 2],
    ] as const) {
      await netns.ip("link", "set", device, "addrgenmode", "none");
      await netns.sysctl({ [`net.ipv4.conf.${device}.rp_filter`]: 0, "net.ipv4.conf.all.rp_filter": 0 });
      await netns.ip("link", "set", device, "up");
      const six = prefix.includes(":");
      await netns.ip(
        "addr",
        "add",
        `${prefix}${host}/${six ? 64 : 24}`,
        "dev",
        device,
        ...(six ? ["nodad"] : []),
      );
      const [link] = JSON.parse(await netns.ip("-j", "link", "show", device)) as { address: string }[];
      links.set(device, link!.address);
    }
    const at = (device: string) => ["lladdr", links.get(device)!, "nud", "permanent"];
    await a.ip("neigh", "replace", `${prefix}2`, "dev", `a${i}`, ...at(`b${i}`));
    await b.ip("neigh", "replace", `${prefix}1`, "dev", `b${i}`, ...at(`a${i}`));
  }
}

/** Drops all TCP packets that arrive by either link, before IP sees them; disposal ends that. */
async function deaf(netns: Netns): Promise<AsyncDisposable> {
  await netns.run("nft", "add table netdev deaf");
  for (const i of [0, 1]) {
    await netns.run(
      ...["nft", `add chain netdev deaf c${i} { type filter hook ingress device "b${i}" priority 0; }`],
    );
    await netns.run("nft", `add rule netdev deaf c${i} meta l4proto tcp drop`);
  }
  return { [Symbol.asyncDispose]: async () => void (await netns.run("nft", "delete table netdev deaf")) };
}

describe("tcpdrop of connections that are bound to an interface", () => {
  before(function () {
    needsRoot(this);
  });

  for (const [what, prefix] of [
    ["link-local", "fe80::"],
    ["IPv4 addresses, the same on two links", "10.217.0."],
  ] as const) {
    it(`${what}: each drop belongs to its own link's process, also after the other has closed`, async () => {
      await using room = new AsyncDisposableStack();
      const a = room.use(await Netns.create());
      const b = room.use(await Netns.create());
      await twins(a, b, prefix);
      const drops = room.use(await Drops.watch(["tcpdrop", "tcplife"]));
      const servers: Held[] = [];
      const clients: Held[] = [];
      for (const i of [0, 1]) {
        const at = { device: `b${i}`, address: `${prefix}2`, port: 7500 };
        servers.push(room.use(await hold(b, "accepted", at)));
        const from = { device: `a${i}`, address: `${prefix}1`, port: 40000, peer: `${prefix}2`, to: 7500 };
        clients.push(room.use(await hold(a, "opened", from)));
      }
      await delay(100);
      const whose = async (): Promise<Set<string>> => {
        await using _deaf = await deaf(b);
        const rows = await drops.during([b], async () => {
          for (const client of clients) client.goOn();
          await delay(300);
        });
        return new Set(rows.map((row) => `${row[DEVICE]} ${row["process.pid"]}`));
      };
      assert.deepEqual([...(await whose())].toSorted(), [`b0 ${servers[0]!.pid}`, `b1 ${servers[1]!.pid}`]);
      await clients[0]!.end();
      await servers[0]!.end();
      clients.shift();
      assert.deepEqual([...(await whose())], [`b1 ${servers[1]!.pid}`]);
      for (const one of [...clients, ...servers.slice(1)]) await one.end();
      await drops.watched.until("spans", () => drops.watched.spans.length >= 4);
      const named = drops.watched.spans.map(({ attributes }) => attributes);
      const own = named.filter((row) =>
        [inodeOf(a), inodeOf(b)].includes(row["wirespan.netns.inode"] as number),
      );
      assert.deepEqual(own.map((row) => row[DEVICE]).toSorted(), ["a0", "a1", "b0", "b1"]);
      for (const row of own) assert.ok(Number(row[INDEX]) > 1);
    });
  }

  it("a connection that does not fit in the table of endpoints is counted once, and its drops have no owner", async () => {
    await using netns = await Netns.create();
    await using drops = await Drops.watch(["tcpdrop"], { "connections.limit": 1000 });
    const map = drops.watched.engine.tracker.loaded.object.map("tuples");
    const key = new Uint8Array(map.keySize);
    const value = new Uint8Array(map.valueSize);
    const number = new DataView(key.buffer);
    let filled = 0;
    const fill = () => {
      try {
        for (; ; filled++) {
          number.setUint32(12, filled + 1);
          map.update(key, value);
        }
      } catch (error) {
        assert.match(String((error as NodeJS.ErrnoException).code), /^(E2BIG|ENOSPC)$/);
      }
    };
    fill();
    assert.ok(filled > 900 && filled <= 1000);
    const counted = () => {
      const { lost_tuples: lost = 0, opened_connections: opened = 0 } = drops.watched.counters();
      return { lost, opened };
    };
    // Connections of this host that end during the test make room.
    for (let left = 5; ; left--) {
      fill();
      const before = counted();
      await run(netns, "clientCloses", { count: 10 });
      const after = counted();
      const lost = after.lost - before.lost;
      // Others connect, too.
      const opened = after.opened - before.opened;
      assert.ok(lost <= opened, `${lost} for ${opened} ends`);
      if (lost >= 20) break;
      assert.ok(left > 0, `${lost} for the 20 ends of ten connections`);
    }
  });
});
