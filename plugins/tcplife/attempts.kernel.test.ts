// tcplife with failed attempts to connect, compared with what their programs and the kernel report.
import assert from "node:assert/strict";
import { type Agent, type Row, startAgent } from "../../test/support/agent.ts";
import { assertRow, Ends, expectedRow } from "../../test/support/connection-ends.ts";
import { needsRoot } from "../../test/support/netns.ts";
import { addresses, pair } from "../../test/support/topology.ts";
import { build, type Connection, one, run } from "../../test/support/workload.ts";

const REASON = "wirespan.tcp.close.reason";
const SENT = "wirespan.tcp.bytes_sent";
const RECEIVED = "wirespan.tcp.bytes_received";

const families = [
  { family: "IPv4", address: addresses.b },
  { family: "IPv6", address: addresses.b6 },
] as const;

describe("tcplife of attempts to connect", () => {
  let agent: Agent;

  before(async function () {
    needsRoot(this);
    await build();
    // Room for what other tests do at the same time.
    agent = await startAgent(["trace", "tcplife", "--json", "--set", "ring.core=64MiB"]);
  });

  after(async () => {
    await agent?.[Symbol.asyncDispose]();
  });

  const failed = { status: "error", [SENT]: 0, [RECEIVED]: 0, "thread.name": "pcli" };

  /** The kernel removes the address before the program can ask for it, but after the agent has it. */
  const from = (line: Connection): Row => ({
    ...expectedRow(line),
    "network.local.address": line.family === "ipv6" ? addresses.a6 : addresses.a,
  });

  for (const { family, address } of families) {
    it(`reports a refusal over ${family}`, async () => {
      await using net = await pair();
      const ends = new Ends(agent, net.a, net.b);
      const line = one(await run(net.a, "attempt", { address }), "end");
      const row = await ends.one();
      assertRow(row, { ...from(line), ...failed, [REASON]: "refused", "error.type": "connection_refused" });
      assertRow(row, { "network.peer.port": 9, parent_span_id: undefined });
    });
  }

  it("reports a refusal by a firewall", async () => {
    await using net = await pair();
    await net.b.rule("input", "tcp dport 9", "reject with tcp reset");
    const ends = new Ends(agent, net.a);
    const line = one(await run(net.a, "attempt", { address: addresses.b }), "end");
    const expected = { ...failed, [REASON]: "refused", "error.type": "connection_refused" };
    assertRow(await ends.one(), { ...from(line), ...expected });
  });

  it("reports that a host is unreachable", async () => {
    await using net = await pair();
    const rule = await net.b.rule("input", "tcp dport 9", "reject with icmpx admin-prohibited");
    const ends = new Ends(agent, net.a);
    const line = one(await run(net.a, "attempt", { address: addresses.b }), "end");
    const row = await ends.one();
    assertRow(row, {
      ...from(line),
      ...failed,
      [REASON]: "unreachable",
      "error.type": "host_unreachable",
      "wirespan.tcp.retransmits": (await rule.packets()) - 1,
    });
  });

  it("reports that there was no answer, and the number of retries", async () => {
    await using net = await pair();
    const rule = await net.b.rule("input", "tcp dport 9", "drop");
    const ends = new Ends(agent, net.a);
    const line = one(await run(net.a, "attempt", { address: addresses.b, synRetries: 1 }), "end");
    assertRow(await ends.one(), {
      ...from(line),
      ...failed,
      [REASON]: "timeout",
      "error.type": "timed_out",
      "wirespan.tcp.retransmits": (await rule.packets()) - 1,
    });
  });

  it("reports a process that is killed meanwhile", async () => {
    await using net = await pair();
    await net.b.rule("input", "tcp dport 9", "drop");
    const ends = new Ends(agent, net.a);
    const line = one(await run(net.a, "killedConnecting", { address: addresses.b }), "connecting");
    assertRow(await ends.one(), {
      ...failed,
      "process.pid": line.pid,
      "network.peer.address": addresses.b,
      [REASON]: "killed",
      "error.type": "aborted",
    });
  });

  it("reports those that do not block: answered, refused, given up", async () => {
    await using net = await pair();
    const answered = new Ends(agent, net.a, net.b);
    const lines = await run(net.a, "nonblocking", { address: addresses.b, server: net.b });
    assertRow((await answered.both()).opener, {
      ...expectedRow(one(lines, "end", "client")),
      status: "unset",
      [REASON]: "fin_local",
    });
    const refused = new Ends(agent, net.a);
    const no = one(await run(net.a, "nonblockingRefused", { address: addresses.b }), "end");
    const refusal = { ...failed, [REASON]: "refused", "error.type": "connection_refused" };
    assertRow(await refused.one(), { ...from(no), ...refusal });
    await net.b.rule("input", "tcp dport 9", "drop");
    const given = new Ends(agent, net.a);
    const up = one(await run(net.a, "abandoned", { address: addresses.b }), "end");
    const abortion = { ...failed, [REASON]: "aborted", "error.type": "aborted" };
    assertRow(await given.one(), { ...from(up), ...abortion });
  });

  it("gives each of them its own trace", async () => {
    await using net = await pair();
    const ends = new Ends(agent, net.a);
    await run(net.a, "attempt", { address: addresses.b, count: 100 });
    const rows = await ends.all(100);
    assert.equal(new Set(rows.map((row) => row.trace_id)).size, 100);
    assert.equal(new Set(rows.map((row) => row.span_id)).size, 100);
  });
});
