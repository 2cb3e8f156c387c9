// Packets that the kernel frees with a reason although they are not lost, and real losses.
import assert from "node:assert/strict";
import { Drops, hold, segments } from "../../test/support/drops.ts";
import { Netns, needsRoot } from "../../test/support/netns.ts";
import { addresses, type Pair, pair, routed, routedAddresses } from "../../test/support/topology.ts";
import { build, run } from "../../test/support/workload.ts";

const REASON = "wirespan.packet.drop.reason";
const SYN = 2;
const RST = 4;

describe("tcpdrop: what is a drop", () => {
  let drops: Drops;
  let net: Pair;

  before(async function () {
    needsRoot(this);
    await build();
    net = await pair();
    drops = await Drops.watch();
  });

  after(async () => {
    await drops?.[Symbol.asyncDispose]();
    await net?.[Symbol.asyncDispose]();
  });

  describe("of an established connection", () => {
    for (const [kind, why, expected] of [
      ["old", "data that the receiver has", []],
      ["overlapping", "a segment that is retransmitted although it arrived", []],
      ["keepalive", "the probe of a keep-alive", []],
      ["handshake", "the SYN-ACK that is retransmitted because its ACK was lost", []],
      ["early", "out of order, and still waiting when the socket closes", []],
      ["reset", "an RST that ends it", []],
      ["old-stamp", "data that the receiver has, with a time stamp of the past", []],
      ["false-stamp", "new data with a time stamp of the past", [/^TCP_RFC7323_PAWS$/]],
      ["beyond", "data beyond the window", [/^TCP_INVALID_(END_)?SEQUENCE$/]],
      ["false-reset", "an RST with another number", [/^TCP_RESET$/]],
      ["false-syn", "a SYN in the window", [/^TCP_INVALID_SYN$/]],
      ["false-ack", "data that acknowledges what was not sent", [/^TCP_ACK_UNSENT_DATA$/]],
    ] as const) {
      it(`${why}: ${expected.length ? "a drop" : "none"}`, async () => {
        const rows = await drops.during([net.a], () => segments(net.a, "inject", { kind }));
        assert.equal(rows.length, expected.length, JSON.stringify(rows));
        for (const [i, reason] of expected.entries()) assert.match(String(rows[i]?.[REASON]), reason);
      });
    }

    it("keep-alive and window probes: none but those that the kernel counts", async () => {
      const lost = ["TCPZeroWindowDrop", "TCPRcvQDrop", "TCPBacklogDrop", "BeyondWindow"];
      let moved: Readonly<Record<string, number>> = {};
      const rows = await drops.during([net.a], async () => {
        moved = await net.a.moved(() => segments(net.a, "probing"));
      });
      assert.ok((moved["TcpExt.TCPKeepAlive"] ?? 0) >= 2);
      assert.equal(
        rows.length,
        lost.reduce((sum, name) => sum + (moved[`TcpExt.${name}`] ?? 0), 0),
      );
    });
  });

  it("acknowledgements of what one end sends after the other's FIN: none", async () => {
    for (const down of [3000, 300_000]) {
      const rows = await drops.during([net.a, net.b], () =>
        run(net.a, "halfClose", { server: net.b, address: addresses.b, down }),
      );
      assert.deepEqual(rows, []);
    }
  });

  it("of TIME_WAIT: the last data and FIN again, none; new data, one", async () => {
    // Its answers would cause an RST, which would end the connection.
    const mute = await net.a.rule("output", "tcp flags & rst == rst", "drop");
    let to = "";
    const rows = await drops.during([net.a], async () => {
      to = (await segments(net.a, "lingering")).to!;
    });
    await mute.remove();
    const met = rows.filter(
      (row) => row["destination.port"] === Number(to) && row[REASON] !== "NETFILTER_DROP",
    );
    assert.deepEqual(
      met.map((row) => [row["network.connection.state"], row["wirespan.tcp.flags"]]),
      [["time_wait", ["psh", "ack"]]],
    );
  });

  describe("of a listener", () => {
    for (const cookies of [1, 2]) {
      it(`a load balancer's health checks, SYN cookies ${cookies}: none, and nothing rejected`, async () => {
        await net.b.sysctl({ "net.ipv4.tcp_syncookies": cookies });
        await using _server = await hold(net.b, "served", { port: 7100 + cookies });
        let moved: Readonly<Record<string, number>> = {};
        const rows = await drops.during([net.a, net.b], async () => {
          moved = await net.b.moved(() =>
            segments(net.a, "health", { address: addresses.b, port: 7100 + cookies, count: 10 }),
          );
        });
        await net.b.sysctl({ "net.ipv4.tcp_syncookies": 1 });
        assert.equal(moved["TcpExt.ListenDrops"], undefined);
        assert.equal(moved["Tcp.PassiveOpens"], undefined, "the handshakes were not to end");
        assert.deepEqual(rows, []);
        assert.equal(await drops.turnedAway(net.b), 0);
      });
    }

    it("the plain ACK of a handshake that TCP_DEFER_ACCEPT keeps open: none", async () => {
      await using _server = await hold(net.b, "served", { port: 7110, defer: 5 });
      let moved: Readonly<Record<string, number>> = {};
      const rows = await drops.during([net.a, net.b], async () => {
        moved = await net.b.moved(() => segments(net.a, "quiet", { address: addresses.b, port: 7110 }));
      });
      assert.equal(moved["TcpExt.TCPDeferAcceptDrop"], 1);
      assert.deepEqual(rows, []);
    });

    it("a SYN that is retransmitted before the answer arrives: none, it is answered again", async () => {
      await using _server = await hold(net.b, "served", { port: 7120 });
      const source = "10.213.0.77";
      const link = JSON.parse(await net.a.ip("-j", "link", "show", "wire0")) as { address: string }[];
      await net.b.ip(
        "neigh",
        "replace",
        source,
        "lladdr",
        link[0]!.address,
        "dev",
        "wire0",
        "nud",
        "permanent",
      );
      const given = { source, destination: addresses.b, sport: 41000, dport: 7120, flags: SYN, count: 3 };
      const rows = await drops.during([net.b], () => segments(net.a, "one", given));
      assert.deepEqual(rows, []);
      assert.equal(await drops.turnedAway(net.b), 0);
    });

    it("Fast Open: none", async () => {
      for (const netns of [net.a, net.b]) await netns.sysctl({ "net.ipv4.tcp_fastopen": 3 });
      const rows = await drops.during([net.a, net.b], () =>
        run(net.a, "fastOpen", { server: net.b, address: addresses.b }),
      );
      assert.deepEqual(rows, []);
    });
  });

  it("what a socket leaves unread when it closes: none", async () => {
    const rows = await drops.during([net.a, net.b, 0], () =>
      run(net.a, "unread", { server: net.b, address: addresses.b, up: 300 }),
    );
    assert.deepEqual(rows, []);
  });

  it("an ICMP error that quotes TCP: none, though a rule drops it", async () => {
    await using _server = await hold(net.b, "served", { port: 7130 });
    const rule = await net.b.rule("input", "ip protocol icmp", "drop");
    const given = { source: addresses.a, destination: addresses.b, dport: 7130 };
    const rows = await drops.during([net.b], () => segments(net.a, "unreachable", given));
    assert.equal(await rule.packets(), 1);
    await rule.remove();
    assert.deepEqual(rows, []);
  });

  describe("of no socket", () => {
    it("an RST for nothing: none; a SYN: one", async () => {
      const given = { source: addresses.a, destination: addresses.b, sport: 42000, dport: 9 };
      const none = await drops.during([net.b], () => segments(net.a, "one", { ...given, flags: RST }));
      assert.deepEqual(none, []);
      const rows = await drops.during([net.b], () => segments(net.a, "one", { ...given, flags: SYN }));
      assert.deepEqual(
        rows.map((row) => row[REASON]),
        ["NO_SOCKET"],
      );
    });
  });

  describe("of copied packets", () => {
    it("for sniffers of every kind, whose buffers are full and that then close: none", async () => {
      const takers: Awaited<ReturnType<typeof hold>>[] = [];
      const rows = await drops.during([net.a, net.b, 0], async () => {
        for (const netns of [net.a, net.b]) takers.push(await hold(netns, "sniff", { device: "wire0" }));
        for (const address of [addresses.b, addresses.b6])
          await run(net.a, "clientCloses", { server: net.b, address, count: 40 });
        for (const taker of takers) await taker.end();
      });
      assert.deepEqual(rows, []);
    });

    it("that a bridge floods to other hosts, and a mirror makes: none", async () => {
      await using room = new AsyncDisposableStack();
      const bridge = room.use(await Netns.create());
      await bridge.ip("link", "add", "br0", "type", "bridge", "ageing_time", "0");
      await bridge.ip("link", "set", "br0", "up");
      const hosts: Netns[] = [];
      for (const i of [1, 2, 3]) {
        const host = room.use(await Netns.create());
        hosts.push(host);
        await bridge.ip("link", "add", `p${i}`, "type", "veth", "peer", "name", "eth0", "netns", host.name);
        await bridge.ip("link", "set", `p${i}`, "master", "br0", "up");
        await bridge.run("sysctl", "-qw", `net.ipv6.conf.p${i}.disable_ipv6=1`);
        await host.sysctl({ "net.ipv6.conf.eth0.disable_ipv6": 1 });
        await host.ip("addr", "add", `10.214.0.${i}/24`, "dev", "eth0");
        await host.ip("link", "set", "eth0", "up");
      }
      const [a, b, c] = hosts as [Netns, Netns, Netns];
      // The third host gets the second's frames twice.
      await bridge.run("nft", "add table netdev mirror");
      await bridge.run(
        ...["nft", 'add chain netdev mirror in { type filter hook ingress device "p2" priority 0; }'],
      );
      await bridge.run("nft", 'add rule netdev mirror in dup to "p3"');
      const before = await otherhost(c);
      const rows = await drops.during([bridge, ...hosts, 0], () =>
        run(a, "clientCloses", { server: b, address: "10.214.0.2", count: 5 }),
      );
      assert.ok((await otherhost(c)) > before + 30, "the bridge was to flood, and the mirror to copy");
      assert.deepEqual(rows, []);
    });
  });

  describe("of merged packets", () => {
    it("merged by GRO: one for the whole, with its segments, and none if it is read", async () => {
      await using own = await pair();
      await segments(own.a, "offload", { device: "wire0", tso: 0, gso: 0, sg: 0 });
      await segments(own.b, "offload", { device: "wire0", gro: 1 });
      const given = { server: own.b, address: addresses.b, up: 300000 };
      const none = await drops.during([own.a, own.b, 0], () => run(own.a, "clientCloses", given));
      assert.deepEqual(none, []);
      const rule = await own.b.rule("input", "meta length > 1600 limit rate 1/hour burst 2 packets", "drop");
      const rows = await drops.during([own.a, own.b, 0], () => run(own.a, "clientCloses", given));
      const ruled = rows.filter((row) => row[REASON] === "NETFILTER_DROP");
      assert.equal(ruled.length, await rule.packets());
      assert.ok(ruled.length >= 1, "GRO was to merge");
      for (const row of ruled) assert.ok(Number(row["wirespan.packet.segments"]) >= 2);
    });

    it("the parts of reassembled packets that were read: none; of one that a rule drops: one", async () => {
      await using way = await routed();
      await way.client.sysctl({ "net.ipv4.ip_no_pmtu_disc": 1 });
      await way.router.ip("link", "set", "server0", "mtu", "600");
      let moved: Readonly<Record<string, number>> = {};
      const all = [way.client, way.router, way.server, 0] as const;
      const given = {
        server: way.server,
        address: routedAddresses.routerForClient,
        listen: "0.0.0.0",
        up: 30000,
      };
      const rows = await drops.during(all, async () => {
        moved = await way.server.moved(() => run(way.client, "clientCloses", { ...given, count: 3 }));
      });
      assert.ok(moved["Ip.ReasmOKs"]! >= 20, `${moved["Ip.ReasmOKs"]} reassembled`);
      assert.deepEqual(rows, []);
      const rule = await way.server.rule(
        "input",
        "tcp flags & (syn | fin) == 0x0 limit rate 1/hour burst 5 packets",
        "drop",
      );
      const lost = await drops.during(all, () => run(way.client, "clientCloses", given));
      const counted = await rule.packets();
      assert.ok(counted >= 1);
      assert.deepEqual(
        lost.map((row) => row[REASON]),
        Array.from({ length: counted }, () => "NETFILTER_DROP"),
      );
    });
  });
});

/** Frames for another host that arrived at eth0. */
async function otherhost(netns: Netns): Promise<number> {
  const [link] = JSON.parse(await netns.ip("-s", "-s", "-j", "link", "show", "eth0")) as {
    stats64: { rx: { packets: number; otherhost_dropped?: number } };
  }[];
  return link!.stats64.rx.otherhost_dropped ?? link!.stats64.rx.packets;
}
