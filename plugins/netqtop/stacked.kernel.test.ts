// Interfaces on top of others, compared with their own statistics.
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { type Agent, type Row, startAgent } from "../../test/support/agent.ts";
import { inodeOf } from "../../test/support/connection-ends.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { skip } from "../../test/support/skip.ts";
import { addresses, type Pair, pair } from "../../test/support/topology.ts";
import { build, run } from "../../test/support/workload.ts";

const A = "10.99.0.1";
const B = "10.99.0.2";

async function up(netns: Netns, address: string, ...words: readonly string[]): Promise<void> {
  await netns.ip("link", "add", ...words);
  await netns.ip("address", "add", `${address}/24`, "dev", "up0");
  await netns.ip("link", "set", "up0", "up");
}

const bare = (netns: Netns, address: string) => netns.ip("address", "add", `${address}/24`, "dev", "wire0");

async function above(net: Pair, ...words: readonly string[]): Promise<void> {
  await bare(net.a, A);
  await up(net.b, B, "link", "wire0", "name", "up0", ...words);
}

async function both(net: Pair, ...words: readonly string[]): Promise<void> {
  await up(net.a, A, ...words);
  await up(net.b, B, ...words);
}

/** Makes wire0 a port of up0. Not for a team, which needs a daemon. */
async function master(net: Pair, ...words: readonly string[]): Promise<void> {
  await bare(net.a, A);
  await up(net.b, B, "name", "up0", ...words);
  await net.b.ip("address", "flush", "dev", "wire0");
  if (!words.includes("bridge")) await net.b.ip("link", "set", "wire0", "down");
  await net.b.ip("link", "set", "wire0", "master", "up0");
  await net.b.ip("link", "set", "wire0", "up");
}

/** Each puts an interface `up0` on top of wire0, in `b` or on both sides. */
const KINDS: Readonly<Record<string, (net: Pair) => Promise<void>>> = {
  macvlan: (net) => above(net, "type", "macvlan", "mode", "bridge"),
  "ipvlan (l2)": (net) => above(net, "type", "ipvlan", "mode", "l2"),
  "ipvlan (l3)": async (net) => {
    await above(net, "type", "ipvlan", "mode", "l3");
    // It does not answer ARP.
    const [link] = JSON.parse(await net.b.ip("-j", "link", "show", "wire0")) as { address: string }[];
    const neighbour = ["lladdr", link!.address, "dev", "wire0", "nud", "permanent"];
    await net.a.ip("neighbour", "replace", B, ...neighbour);
  },
  VLAN: (net) => both(net, "link", "wire0", "name", "up0", "type", "vlan", "id", "7"),
  bond: (net) => master(net, "type", "bond", "mode", "active-backup"),
  bridge: (net) => master(net, "type", "bridge"),
  vxlan: async ({ a, b }) => {
    const words = ["name", "up0", "type", "vxlan", "id", "7", "dstport", "4789", "dev", "wire0"];
    await up(a, A, ...words, "remote", addresses.b, "local", addresses.a);
    await up(b, B, ...words, "remote", addresses.a, "local", addresses.b);
  },
  "ifb, of what comes in": async (net) => {
    await bare(net.a, A);
    await bare(net.b, B);
    await net.b.ip("link", "add", "up0", "type", "ifb");
    await net.b.ip("link", "set", "up0", "up");
    await net.b.run("tc", "qdisc", "add", "dev", "wire0", "ingress");
    const all = ["protocol", "all", "u32", "match", "u32", "0", "0"];
    const redirect = ["action", "mirred", "egress", "redirect", "dev", "up0"];
    await net.b.run("tc", "filter", "add", "dev", "wire0", "ingress", ...all, ...redirect);
  },
};

/** Frames and bytes by `interface direction`, according to the interfaces. */
async function accounts(...all: readonly Netns[]): Promise<Map<string, readonly [number, number]>> {
  const found = new Map<string, readonly [number, number]>();
  for (const netns of all) {
    const links = JSON.parse(await netns.ip("-s", "-j", "link", "show")) as {
      readonly ifname: string;
      readonly stats64: Record<"tx" | "rx", { readonly packets: number; readonly bytes: number }>;
    }[];
    for (const { ifname, stats64 } of links) {
      if (ifname === "lo") continue;
      for (const [way, { packets, bytes }] of Object.entries(stats64).filter(([key]) => key.length === 2))
        found.set(`${inodeOf(netns)} ${ifname} ${way}`, [packets, bytes]);
    }
  }
  return found;
}

function reported(rows: readonly Row[]): Map<string, readonly [number, number]> {
  const found = new Map<string, readonly [number, number]>();
  for (const row of rows) {
    if (row.plugin !== "netqtop" || row.frames === undefined) continue;
    const way = row["network.io.direction"] === "receive" ? "rx" : "tx";
    const id = `${row["wirespan.netns.inode"]} ${row["network.interface.name"]} ${way}`;
    const [frames, bytes] = found.get(id) ?? [0, 0];
    found.set(id, [frames + Number(row.frames), bytes + Number(row.bytes)]);
  }
  return found;
}

async function quiet(): Promise<Pair> {
  const net = await pair();
  for (const netns of [net.a, net.b]) {
    await netns.sysctl({
      ...{ "net.ipv6.conf.all.disable_ipv6": 1, "net.ipv6.conf.default.disable_ipv6": 1 },
      // Each interface answers for its own address only.
      ...{ "net.ipv4.conf.all.arp_ignore": 1, "net.ipv4.conf.all.arp_announce": 2 },
    });
  }
  return net;
}

/** Resolves the neighbours first: frames that wait for that may be dropped. */
async function traffic(a: Netns, b: Netns): Promise<void> {
  await run(a, "datagrams", { server: b, address: B, count: 1 });
  await run(b, "datagrams", { server: a, address: A, count: 1 });
  await run(a, "datagrams", { server: b, address: B, count: 400, size: 200 });
  await run(b, "datagrams", { server: a, address: A, count: 300, size: 100 });
}

describe("netqtop on interfaces on top of others", () => {
  before(async function () {
    needsRoot(this);
    await build();
  });

  /** What the agent reported while `work` ran, and what the interfaces counted. */
  async function compare(all: readonly Netns[], agent: Agent, work: () => Promise<void>): Promise<void> {
    const before = await accounts(...all);
    await work();
    await delay(1200); // a collection
    const after = await accounts(...all);
    await agent.stop();
    const moved = [...after].flatMap(([id, [frames, bytes]]) => {
      const [framesBefore, bytesBefore] = before.get(id) ?? [0, 0];
      return frames > framesBefore ? [[id, frames - framesBefore, bytes - bytesBefore]] : [];
    });
    const found = [...reported(agent.rows)].map(([id, [frames, bytes]]) => [id, frames, bytes]);
    assert.deepEqual(found.sort(), moved.sort());
    assert.ok(moved.some(([id, frames]) => String(id).endsWith("up0 rx") && Number(frames) >= 400));
  }

  const watch = (...all: readonly Netns[]): Promise<Agent> =>
    startAgent(
      [
        ...["trace", "netqtop", "--json", "-i", "1"],
        ...["--set", `filter.include.netns=${all.map(inodeOf).join(",")}`],
      ],
      { limit: 120_000 }, // for an emulated kernel, the only one here with all kinds
    );

  for (const [kind, make] of Object.entries(KINDS)) {
    it(`agrees with the interface's own statistics: ${kind}`, async function () {
      await using net = await quiet();
      try {
        await make(net);
      } catch (error) {
        if (!/Unknown device type|not supported/.test(String(error))) throw error;
        skip(this, "a kind of interface that this kernel does not have");
      }
      await using agent = await watch(net.a, net.b);
      await compare([net.a, net.b], agent, () => traffic(net.a, net.b));
    });
  }

  it("counts interfaces that are created later, and in another namespace than the lower one", async () => {
    await using net = await quiet();
    await using container = await Netns.create();
    await container.sysctl({ "net.ipv6.conf.all.disable_ipv6": 1, "net.ipv6.conf.default.disable_ipv6": 1 });
    await bare(net.a, A);
    await run(net.a, "datagrams", { server: net.b, address: addresses.b, count: 30 });
    await using agent = await watch(container);
    await compare([container], agent, async () => {
      await net.b.ip(...["link", "add", "link", "wire0", "name", "up0", "type", "macvlan", "mode", "bridge"]);
      await net.b.ip("link", "set", "up0", "netns", container.name);
      await container.ip("address", "add", `${B}/24`, "dev", "up0");
      await container.ip("link", "set", "up0", "up");
      await traffic(net.a, container);
    });
  });
});
