// What listeners reject, compared with the namespace's ListenDrops; and that no packet is counted twice.
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type { AnyAttributes } from "../../core/plugin/signals.ts";
import { Drops, hold, segments } from "../../test/support/drops.ts";
import { needsRoot } from "../../test/support/netns.ts";
import { addresses, type Pair, pair } from "../../test/support/topology.ts";
import { build, run } from "../../test/support/workload.ts";

const REASON = "wirespan.packet.drop.reason";
const address = addresses.b;

type Moved = Readonly<Record<string, number>>;

interface Found {
  readonly moved: Moved;
  readonly rows: readonly AnyAttributes[];
  /** According to the listener's own counter. */
  readonly turnedAway: number;
}

/** Rejected clients keep retrying, so they are ended. */
async function patiently(work: Promise<unknown>): Promise<void> {
  await work.catch(() => {});
}

describe("tcpdrop: what listeners reject", () => {
  let drops: Drops;
  let net: Pair;

  before(async function () {
    needsRoot(this);
    await build();
    drops = await Drops.watch();
  });

  after(async () => {
    await drops?.[Symbol.asyncDispose]();
  });

  beforeEach(async () => {
    net = await pair();
    for (const netns of [net.a, net.b]) await netns.sysctl({ "net.ipv4.tcp_syn_linear_timeouts": 0 });
  });

  afterEach(async () => {
    await net[Symbol.asyncDispose]();
  });

  /** The counters of the server's namespace, and what was reported about it. */
  async function found(work: () => Promise<unknown>): Promise<Found> {
    // A previous namespace may have had the same number.
    const before = await drops.turnedAway(net.b);
    const counters = await net.b.counters();
    const since = async (): Promise<Moved> =>
      Object.fromEntries(
        Object.entries(await net.b.counters())
          .map(([name, value]) => [name, value - (counters[name] ?? 0)] as const)
          .filter(([, by]) => by !== 0),
      );
    const rows = await drops.during([net.b, 0], work);
    let moved: Moved;
    let turnedAway: number;
    do {
      moved = await since();
      turnedAway = (await drops.turnedAway(net.b)) - before;
      // Rejected clients may have retried in between.
    } while ((await since())["TcpExt.ListenDrops"] !== moved["TcpExt.ListenDrops"]);
    return { moved, rows, turnedAway };
  }

  /** Asserts that exactly ListenDrops were reported, and none of these packets as a drop as well. */
  function assertTurnedAway(
    { moved, rows, turnedAway }: Found,
    others: Readonly<Record<string, number>> = {},
  ): void {
    assert.equal(turnedAway, moved["TcpExt.ListenDrops"] ?? 0);
    assert.ok((moved["TcpExt.ListenOverflows"] ?? 0) <= turnedAway, "each overflow is a ListenDrop");
    const reasons: Record<string, number> = {};
    for (const row of rows) reasons[String(row[REASON])] = (reasons[String(row[REASON])] ?? 0) + 1;
    assert.deepEqual(reasons, others);
  }

  for (const [cookies, abort] of [
    [0, 0],
    [1, 0],
    [2, 0],
    [1, 1],
  ] as const) {
    it(`a full accept queue, SYN cookies ${cookies}, abort on overflow ${abort}: each SYN and ACK once`, async () => {
      await net.b.sysctl({ "net.ipv4.tcp_syncookies": cookies, "net.ipv4.tcp_abort_on_overflow": abort });
      const result = await found(() =>
        run(net.a, "unaccepted", { server: net.b, address, count: 4, delay: 2500 }),
      );
      assert.ok((result.moved["TcpExt.ListenOverflows"] ?? 0) >= 2);
      assertTurnedAway(result);
    });
  }

  it("a handshake that ends when the queue has filled meanwhile: once, although the socket counts it twice", async () => {
    // Two handshakes are begun, their ACKs held back: when they arrive after all, the queue has room for one.
    await using _server = await hold(net.b, "served", { port: 7200, backlog: 0 });
    let kept = 0;
    const result = await found(async () => {
      const rule = await net.b.rule("input", "tcp flags & (syn | ack) == ack tcp dport 7200", "drop");
      const clients = segments(net.a, "quiet", { address, port: 7200, silence: 3, count: 2 });
      while ((await rule.packets()) < 2) await delay(20);
      kept = await rule.end();
      await patiently(clients);
    });
    assert.ok((result.moved["TcpExt.ListenOverflows"] ?? 0) >= 1);
    assertTurnedAway(result, { NETFILTER_DROP: kept });
  });

  it("a full SYN queue without cookies", async () => {
    await net.b.sysctl({ "net.ipv4.tcp_syncookies": 0, "net.ipv4.tcp_max_syn_backlog": 8 });
    await using _server = await hold(net.b, "served", { port: 7210, backlog: 4 });
    const result = await found(() =>
      segments(net.a, "flood", { source: "10.213.0.77", destination: address, dport: 7210, count: 40 }),
    );
    assert.ok((result.moved["TcpExt.ListenDrops"] ?? 0) >= 20);
    assert.equal(result.moved["TcpExt.ListenOverflows"], undefined);
    assertTurnedAway(result);
  });

  for (const [what, options, reason] of [
    ["a socket's filter", { filter: 1 }, /^SOCKET_FILTER$/],
    ["a signature that is missing", { md5: addresses.a }, /^TCP_MD5NOTFOUND$/],
  ] as const) {
    it(`${what}: drops with that reason, and nothing rejected`, async () => {
      await using _server = await hold(net.b, "served", { port: 7220, ...options });
      const { moved, rows, turnedAway } = await found(() =>
        run(net.a, "attempt", { address, port: 7220, synRetries: 1 }),
      );
      assert.equal(turnedAway, 0);
      assert.equal(moved["TcpExt.ListenDrops"], undefined);
      assert.equal(rows.length, 2);
      for (const row of rows) {
        assert.match(String(row[REASON]), reason);
        assert.equal(row["network.connection.state"], "listen");
        assert.equal(row["destination.port"], 7220);
      }
    });
  }

  it("health checks, a filter and a full queue of one listener: only the last", async () => {
    await net.b.sysctl({ "net.ipv4.tcp_syncookies": 1 });
    await using server = await hold(net.b, "served", { port: 7230, backlog: 0 });
    const result = await found(async () => {
      await segments(net.a, "health", { address, port: 7230, count: 10 });
      const clients = Array.from({ length: 4 }, () =>
        patiently(segments(net.a, "quiet", { address, port: 7230, silence: 2 })),
      );
      await Promise.all(clients);
      await server.end();
    });
    assert.ok((result.moved["TcpExt.ListenDrops"] ?? 0) >= 1);
    assert.equal(result.turnedAway, result.moved["TcpExt.ListenDrops"]);
  });

  it("a listener that closes during handshakes: nothing rejected", async () => {
    const server = await hold(net.b, "served", { port: 7240 });
    const result = await found(async () => {
      const rule = await net.b.rule("input", "tcp flags & (syn | ack) == ack tcp dport 7240", "drop");
      const client = patiently(segments(net.a, "quiet", { address, port: 7240, silence: 0.5 }));
      await delay(300);
      await server.end();
      await rule.remove();
      await client;
    });
    assert.equal(result.turnedAway, result.moved["TcpExt.ListenDrops"] ?? 0);
    assert.equal(result.turnedAway, 0);
  });

  it("an ICMP error that ends a request, which ListenDrops counts, too: once", async () => {
    await using _server = await hold(net.b, "served", { port: 7250 });
    const result = await found(() =>
      segments(net.a, "unreachable", { source: addresses.a, destination: address, dport: 7250 }),
    );
    assertTurnedAway(result);
  });
});
