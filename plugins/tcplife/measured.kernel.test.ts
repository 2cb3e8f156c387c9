// tcplife's measurements of a connection: only what was measured, not the kernel's initial values.
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { type Agent, type Row, startAgent } from "../../test/support/agent.ts";
import { assertRow, Ends } from "../../test/support/connection-ends.ts";
import { needsRoot } from "../../test/support/netns.ts";
import { addresses, pair } from "../../test/support/topology.ts";
import { build, run } from "../../test/support/workload.ts";

const CWND = "wirespan.tcp.cwnd";
const REORDERING = "wirespan.tcp.reordering";
const RTT = "wirespan.tcp.rtt.smoothed";
const VARIATION = "wirespan.tcp.rtt.variation";
const MIN_RTT = "wirespan.tcp.rtt.min";

const SPURIOUS = "wirespan.tcp.spurious_retransmits";

const NOTHING = {
  [CWND]: undefined,
  [REORDERING]: undefined,
  [RTT]: undefined,
  [VARIATION]: undefined,
  [MIN_RTT]: undefined,
};

describe("tcplife's measures", () => {
  let agent: Agent;

  before(async function () {
    needsRoot(this);
    await build();
    agent = await startAgent(["trace", "tcplife", "--json"]);
  });

  after(async () => {
    await agent?.[Symbol.asyncDispose]();
  });

  it("of a refused attempt: none; its column has a dash", async () => {
    await using net = await pair();
    await using wide = await startAgent(["trace", "tcplife", "-w", "--csv"]);
    const ends = new Ends(agent, net.a);
    await run(net.a, "attempt", { address: addresses.b });
    assertRow(await ends.one(), NOTHING);
    const { stdout } = await wide.stop();
    const column = stdout[0]!.split(",").indexOf("RTT_MS");
    const refused = stdout.filter((line) => line.includes(",refused,") && line.includes(addresses.b));
    assert.deepEqual(
      refused.map((line) => line.split(",")[column]),
      ["-"],
    );
  });

  it("of a connection without data: round trips, neither window nor reordering", async () => {
    await using net = await pair();
    const ends = new Ends(agent, net.a, net.b);
    await run(net.a, "reset", { address: addresses.b, server: net.b, up: 0, down: 0 });
    for (const row of await ends.all(2)) {
      assertRow(row, { [CWND]: undefined, [REORDERING]: undefined });
      for (const key of [RTT, VARIATION, MIN_RTT]) assert.ok(Number(row[key]) > 0, key);
    }
  });

  it("of a route that has an initial window of its own: no window", async () => {
    await using net = await pair();
    for (const [end, other] of [
      [net.a, addresses.b],
      [net.b, addresses.a],
    ] as const) {
      const [route = ""] = (await end.run("ip", "route", "get", other)).split("\n");
      const device = /dev (\S+)/.exec(route)![1]!;
      await end.ip("route", "add", `${other}/32`, "dev", device, "initcwnd", "24");
    }
    const ends = new Ends(agent, net.a, net.b);
    await run(net.a, "reset", { address: addresses.b, server: net.b, up: 0, down: 0 });
    for (const row of await ends.all(2)) assertRow(row, { [CWND]: undefined });
  });

  it("of a long transfer: the window that it grew to", async () => {
    await using net = await pair();
    const ends = new Ends(agent, net.a, net.b);
    await run(net.a, "clientCloses", { address: addresses.b, server: net.b, up: 30_000_000 });
    const { opener, acceptor } = await ends.both();
    assert.ok(Number(opener[CWND]) > 10, String(opener[CWND]));
    assertRow(acceptor, { [REORDERING]: undefined });
  });

  it("of data whose acknowledgements are lost: spurious retransmissions, as the kernel counts them", async () => {
    await using net = await pair();
    const ends = new Ends(agent, net.a, net.b);
    const { remove } = await net.a.rule("input", "tcp sport 7101 tcp flags & (syn | fin) == 0", "drop");
    const moved = await net.a.moved(async () => {
      const sent = run(net.a, "clientCloses", { address: addresses.b, server: net.b, port: 7101 });
      await delay(500);
      await remove();
      await sent;
    });
    const { opener, acceptor } = await ends.both();
    assert.ok(moved["TcpExt.TCPDSACKRecvSegs"]! > 0);
    assertRow(opener, { [SPURIOUS]: moved["TcpExt.TCPDSACKRecvSegs"] });
    assertRow(acceptor, { [SPURIOUS]: undefined });
  });

  const lost: readonly [string, (net: Awaited<ReturnType<typeof pair>>) => Promise<() => Promise<void>>][] = [
    ["SYN", async ({ b }) => (await b.rule("input", "tcp dport 7101 tcp flags syn", "drop")).remove],
    ["SYN-ACK", async ({ a }) => (await a.rule("input", "tcp sport 7101", "drop")).remove],
  ];
  for (const [what, drop] of lost) {
    it(`of a handshake whose ${what} was lost: no smoothed round trip, and the time from the first SYN`, async () => {
      await using net = await pair();
      const ends = new Ends(agent, net.a, net.b);
      const remove = await drop(net);
      const slow = run(net.a, "clientCloses", { address: addresses.b, server: net.b, port: 7101 });
      await delay(500);
      await remove();
      await slow;
      const { opener, acceptor } = await ends.both();
      assertRow(opener, { [RTT]: undefined, [VARIATION]: undefined });
      assert.ok(seconds(opener) >= 1, `${seconds(opener)} s`);
      // The response to the data is measured; the handshake's second is not.
      for (const row of [opener, acceptor]) {
        assert.ok(row[RTT] === undefined || Number(row[RTT]) < 0.5, String(row[RTT]));
        assert.ok(row[MIN_RTT] === undefined || Number(row[MIN_RTT]) < 0.5, String(row[MIN_RTT]));
      }
      if (what === "SYN") assert.ok(seconds(acceptor) < 0.9, "it came to know of the second SYN only");
      else assert.ok(seconds(acceptor) >= 1, `${seconds(acceptor)} s`);
    });
  }
});

function seconds(row: Row): number {
  return (Date.parse(String(row.end)) - Date.parse(String(row.start))) / 1000;
}
